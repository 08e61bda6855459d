"""Turns: in one process, what rewrites the rows of an entity goes one after the other.

Transactions on the same documents would conflict, and be tried again and again; conflicts with other processes are
rare enough to leave them to that.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock for each entity that someone works on or waits for."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, tenant: str, entity_id: str) -> AsyncIterator[None]:
        """Waits for the entity's turn and holds it for the block."""
        key = (tenant, entity_id)
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks[key]
            if waiting == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, waiting - 1)
