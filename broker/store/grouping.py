"""Requests share database commands: while commands are in flight, those that arrive wait and leave together.

One MongoDB command costs the driver about 145 µs of processor time whatever it carries, and a journaled write waits
for the disk. A request that finds nothing in flight leaves at once, so that nothing waits without cause.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Generic, TypeVar

Request = TypeVar("Request")

Turn = dict[str, list[Request]]
"""What leaves together: by key, the requests in the order in which they came."""


class Groups(Generic[Request]):
    """Turns of at most `size` keys, at most `in_flight` of them at a time, no key in two of them at once.

    `send` does a turn. It takes every request that it has answered out of the lists; those that it leaves come again,
    before later requests for the same key. It must not raise.
    """

    def __init__(self, send: Callable[[Turn[Request]], Awaitable[None]], *, size: int, in_flight: int) -> None:
        self._send = send
        self._size = size
        self._limit = in_flight
        self._loop = asyncio.get_running_loop()
        self._waiting: Turn[Request] = {}
        self._held: Turn[Request] = {}  # for keys that are in flight
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._called = False

    def add(self, key: str, request: Request) -> None:
        """Send the request with the next turn. Those added in one step of the event loop leave in one turn."""
        queue = self._held if key in self._busy else self._waiting
        if (requests := queue.get(key)) is None:
            queue[key] = [request]
        else:
            requests.append(request)
        if not self._called and len(self._tasks) < self._limit:
            self._called = True
            self._loop.call_soon(self._start)

    async def drained(self) -> None:
        """Wait until nothing is in flight or waiting."""
        while self._tasks or self._waiting:
            await asyncio.wait(self._tasks) if self._tasks else await asyncio.sleep(0)

    def _start(self) -> None:
        self._called = False
        while self._waiting and len(self._tasks) < self._limit:
            if len(self._waiting) <= self._size:
                turn, self._waiting = self._waiting, {}
            else:
                turn = {key: self._waiting[key] for key in islice(self._waiting, self._size)}
                for key in turn:
                    del self._waiting[key]
            self._busy.update(turn)
            task = self._loop.create_task(self._run(turn))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    async def _run(self, turn: Turn[Request]) -> None:
        keys = list(turn)
        try:
            await self._send(turn)
        finally:
            self._busy.difference_update(keys)
            for key in keys:
                requests = turn[key]
                if later := self._held.pop(key, None):
                    requests += later
                if requests:
                    self._waiting[key] = requests

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._start()
