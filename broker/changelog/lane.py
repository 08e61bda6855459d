"""The way of some consumers through the log, at their own pace: what was read and not handled yet, and how far it is.

Handing a batch over costs the same however much is in it, and where changes come one by one that is most of what
following the log costs. So what needs no hurry, as history does, is given time to gather, and holds nobody up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from broker.changelog.changes import Change, Document, EntityChange
from broker.changelog.position import Lease, Position
from broker.changelog.stream import token_time

_LEAVE_SECONDS = 2.0

_QUEUED = 2000
_BATCH = 500


class Consumer(Protocol):
    """Something that follows from changes: notifications, history."""

    async def begin(self, position: Position, lease: Lease) -> None:
        """This process follows the log from `position` on; effects may be had while the lease is held."""
        ...

    async def handle(self, changes: Sequence[Change]) -> None:
        """Takes the next changes, in order; returns when their effects are safe against a crash."""
        ...

    async def end(self) -> None:
        """This process follows the log no more."""
        ...


class Lane:
    """Consumers that take the same batches. `gather` is the time in seconds that a change of an entity may wait there.

    `moved` is called when the lane has come further, with whether there was something to handle, and whether that was
    another change than one of an entity, which somebody may wait for.
    """

    def __init__(
        self, consumers: Sequence[Consumer], gather: float, position: Position, moved: Callable[[bool, bool], None]
    ) -> None:
        self._consumers = consumers
        self._gather = gather
        self._moved = moved
        self._queue: deque[Change | Document] = deque()
        self._filled = asyncio.Event()
        self._hurried = asyncio.Event()
        self._drained = asyncio.Event()
        self.place = 0
        """How many entries of the log it has handled: what lanes are compared by."""
        self.token = position.token
        self.passed = position.cluster_time

    def add(self, entry: Change | Document) -> None:
        """The next change, or the token that says how far the log is without one."""
        self._queue.append(entry)
        self._filled.set()
        if not isinstance(entry, EntityChange) or len(self._queue) >= _BATCH:
            self._hurried.set()

    async def room(self) -> None:
        """Returns when the lane takes more."""
        while len(self._queue) >= _QUEUED:
            self._drained.clear()
            await self._drained.wait()

    async def run(self) -> None:
        """Hands over what comes, for ever."""
        while True:
            if not self._queue:
                self._filled.clear()
                await self._filled.wait()
            leaving = await self._gathered() if self._gather else False
            while self._queue:
                if leaving := await self._next_batch(leaving):
                    raise asyncio.CancelledError
            self._hurried.clear()

    async def _gathered(self) -> bool:
        """Returns when it is time to go on; whether the following was stopped meanwhile."""
        try:
            async with asyncio.timeout(self._gather):
                await self._hurried.wait()
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            return True
        return False

    async def _next_batch(self, leaving: bool) -> bool:
        batch: list[Change] = []
        taken = 0
        token, passed = self.token, self.passed
        while self._queue and len(batch) < _BATCH:
            entry = self._queue.popleft()
            taken += 1
            if isinstance(entry, dict):
                token, cluster_time = entry, token_time(entry)
            else:
                batch.append(entry)
                token, cluster_time = entry.token, entry.cluster_time
            passed = cluster_time or passed
        self._drained.set()
        if batch:
            leaving = await self._hand_over(batch, leaving)
        self.place += taken
        self.token, self.passed = token, passed
        self._moved(bool(batch), not all(isinstance(one, EntityChange) for one in batch))
        return leaving

    async def _hand_over(self, batch: list[Change], leaving: bool) -> bool:
        """Has all consumers take the batch; whether the following was stopped before or meanwhile.

        Each waits for the disk; a slow one holds up the next batch, but not the others with this one. A stop gives them
        a moment: what was broken off half-way would be done again by the next process, and sent twice.
        """
        handling = [asyncio.create_task(consumer.handle(batch)) for consumer in self._consumers]
        if handling:
            try:
                _, late = await asyncio.wait(handling, timeout=_LEAVE_SECONDS if leaving else None)
            except asyncio.CancelledError:
                leaving = True
                _, late = await asyncio.wait(handling, timeout=_LEAVE_SECONDS)
            if late:
                for task in late:
                    task.cancel()
                await asyncio.wait(late)
                raise asyncio.CancelledError
        for task in handling:
            task.result()
        return leaving
