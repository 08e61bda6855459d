"""An answer that goes on: its bytes are sent as they come, until its client leaves, does not keep up, or we end."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from broker.api.request import Receive
from broker.api.response import Response

logger = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class StreamingResponse(Response):
    """A response whose body is `chunks`; a client that does not take one within `patience` seconds is dropped."""

    __slots__ = ("chunks", "patience")

    def __init__(self, response: Response, chunks: AsyncGenerator[bytes, None], patience: float) -> None:
        super().__init__(response.status, b"", response.headers)
        self.chunks, self.patience = chunks, patience


async def stream(response: StreamingResponse, receive: Receive, send: Send) -> None:
    """Sends the response; returns when it is over, whoever ended it."""
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    sending = asyncio.create_task(_pass_on(response, send))
    leaving = asyncio.create_task(_left(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        await asyncio.wait({sending, leaving})
        await response.chunks.aclose()
    if not sending.cancelled() and (error := sending.exception()) is not None:
        raise error


async def _pass_on(response: StreamingResponse, send: Send) -> None:
    async for chunk in response.chunks:
        try:
            async with asyncio.timeout(response.patience):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            # Not ended in good order: what it has of the chunk may be half of one, and it must come back for it.
            logger.warning("a client does not take what it follows within %g s and is dropped", response.patience)
            return
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
