"""Ending tasks of ours that talk to MongoDB."""

import asyncio
from typing import Any

_AGAIN_SECONDS = 10.0
"""More than a task needs that ends in good order, noting how far it came."""


async def ended(task: "asyncio.Task[Any]") -> None:
    """Cancels a task, until it is over.

    Once is not always enough: while PyMongo looks for a server that is gone, a cancellation can get lost in it, and a
    task that tries again whatever happens would go on for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN_SECONDS)
