"""Marks in the change log: written by a reader that wants to know when everything before has been recorded.

The log tells at once how far it is when a change comes, but only twice a second when none does. A reader that finds
it behind therefore makes a change of its own. Readers that come while a mark is on its way share the next one.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from bson import Timestamp
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from broker.changelog.log import ChangeLog
from broker.changelog.position import now
from broker.changelog.watched import make_watched
from broker.store.store import StoreUnavailable
from broker.store.tenants import DEFAULT_DATABASE

MARKS = "historyMarks"
_T = TypeVar("_T")
READER = "reader"
FORGOTTEN = "forgotten"
"""Kinds of marks: of a reader that waits; of an entity whose history a client deleted."""


class Marks:
    """What waits for the log; one per process."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], changes: ChangeLog, timeout: float) -> None:
        self._client = client
        self._changes = changes
        self._timeout = timeout
        self._collection = client[DEFAULT_DATABASE][MARKS]
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._going: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Sees to it that the log can follow the marks."""
        await make_watched(self._collection)

    async def caught_up(self) -> None:
        """Returns when all that was acknowledged before the call is recorded; StoreUnavailable if that takes long."""
        # Another process than the one that follows the log knows only now and then how far it is.
        if self._changes.following and await self._changes.passed(await now(self._client), timeout=0):
            return
        await self._marked()

    async def _marked(self) -> None:
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._after(self._going))
        await asyncio.shield(self._waiting)

    async def after_all(self, read: Callable[[AsyncClientSession | None], Awaitable[_T]]) -> _T:
        """What `read` gives once all that was acknowledged before the call is recorded.

        It reads at once, and again only if something happened that had not been recorded when it began.
        """
        reached = self._changes.reached
        if reached is not None:
            async with self._client.start_session(causal_consistency=False) as session:
                found = await read(session)
                if session.operation_time is not None and session.operation_time <= reached:
                    return found
        await self._marked()
        return await read(None)

    async def forgotten(self, tenant: str, entity_id: str) -> None:
        """Tells all recorders that nothing is known of an entity any more."""
        mark = {"k": FORGOTTEN, "tenant": tenant, "e": entity_id}
        await self._collection.replace_one({"_id": f"{tenant}\n{entity_id}"}, mark, upsert=True)
        await self.caught_up()
        await self._collection.delete_one({"_id": f"{tenant}\n{entity_id}"})

    async def _after(self, going: "asyncio.Task[None] | None") -> None:
        """A mark that is written once the one before has arrived, so that it is later than all who wait for it."""
        if going is not None:
            await asyncio.wait([going])
        self._going, self._waiting = self._waiting, None
        change = {"$inc": {"n": 1}, "$set": {"k": READER}}
        async with self._client.start_session() as session:
            await self._collection.update_one({"_id": self._name}, change, upsert=True, session=session)
            reached: Timestamp | None = session.operation_time
        if reached is None or not await self._changes.passed(reached, timeout=self._timeout):
            raise StoreUnavailable("the history is not written down yet")
