"""Equal queries share one answer: those that come while it is asked for wait, and are answered together by the next.

Nobody is given an answer that was asked for before he came, so a read still sees every write acknowledged before it.
A screen that a hundred people look at costs the database one query at a time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")
Ask = Callable[[], Coroutine[Any, Any, Answer]]


class Shared(Generic[Answer]):
    """Answers by key. One is asked to its end even when one who waits for it leaves."""

    def __init__(self) -> None:
        self._asked: dict[Hashable, asyncio.Task[Answer]] = {}
        self._next: dict[Hashable, asyncio.Task[Answer]] = {}

    async def answer(self, key: Hashable, ask: Ask[Answer]) -> Answer:
        """What `ask` gives, to this call or to an equal one that came while an earlier one was being asked."""
        task = self._next.get(key)
        if task is None:
            under_way = self._asked.get(key)
            if under_way is None:
                task = self._asked[key] = asyncio.create_task(self._ask(key, ask))
            else:
                task = self._next[key] = asyncio.create_task(self._ask_after(under_way, key, ask))
        return await asyncio.shield(task)

    async def _ask(self, key: Hashable, ask: Ask[Answer]) -> Answer:
        try:
            return await ask()
        finally:
            if key not in self._next:
                del self._asked[key]

    async def _ask_after(self, under_way: asyncio.Task[Answer], key: Hashable, ask: Ask[Answer]) -> Answer:
        await asyncio.wait([under_way])
        self._asked[key] = self._next.pop(key)
        return await self._ask(key, ask)
