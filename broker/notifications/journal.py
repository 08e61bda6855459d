"""What is to be sent, written down before anyone tries to send it.

    notifications   {_id: key, n: order, t: tenant, s: subscription, e: entity, ts: cluster time, at: Date,
                     f: media type, c: @context URL, d: the entities as JSON, r: reason?}
    deadLetters     the same, with gaveUp: Date and reason

The key is made of the subscription and the change, so a change that is handed over again after a crash is not doubled,
and its notification keeps its id. An entry is removed once it was delivered AND the stored position of the change log
has passed it: were it removed before, a replay could bring an old state after a newer one.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

from bson import Timestamp
from pymongo import ASCENDING, AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError, PyMongoError

from broker.changelog.changes import Document
from broker.changelog.position import Lease
from broker.store.tenants import DEFAULT_DATABASE

logger = logging.getLogger(__name__)

NOTIFICATIONS = "notifications"
DEAD_LETTERS = "deadLetters"

_DUPLICATE = 11000
_SWEEP_SECONDS = 0.05
_SWEEP = 1000
_END_SECONDS = 2.0
_SURE = WriteConcern(w="majority", j=True)


@dataclass(frozen=True, slots=True)
class Entry:
    """One notification to be sent. `data` is the JSON of its entities, separated by commas; `order` grows with time.

    `reason` is the triggerReason of a notification of registrations (5.3.2); empty for one of entities.
    """

    key: bytes
    order: int
    tenant: str
    subscription: str
    entity: str
    cluster_time: Timestamp
    at: datetime
    accept: str
    context: str
    data: bytes
    reason: str = ""

    @property
    def id(self) -> str:
        """The id of the notification, the same in every attempt to send it."""
        return f"urn:ngsi-ld:Notification:{UUID(bytes=self.key)}"


def entry_key(tenant: str, subscription: str, entity: str, cluster_time: Timestamp) -> bytes:
    """Sixteen bytes that name the notification of this change to this subscription for ever."""
    text = f"{tenant}\n{subscription}\n{entity}\n{cluster_time.time}\n{cluster_time.inc}"
    return blake2b(text.encode(), digest_size=16).digest()


class Journal:
    """The journal of all tenants, in the database of the default one."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        database = client[DEFAULT_DATABASE]
        self._entries = database.get_collection(NOTIFICATIONS, write_concern=_SURE)
        self._dead = database.get_collection(DEAD_LETTERS, write_concern=_SURE)
        self._swept = database.get_collection(NOTIFICATIONS, write_concern=WriteConcern(w=1))
        self._done: list[tuple[Timestamp, bytes]] = []
        self._sweeper: asyncio.Task[None] | None = None

    async def begin(self, lease: Lease) -> None:
        """Makes the indexes and starts removing what was delivered."""
        for collection in (self._entries, self._dead):
            await collection.create_index([("t", ASCENDING), ("s", ASCENDING), ("n", ASCENDING)])
        self._done.clear()
        self._sweeper = asyncio.create_task(self._sweep(lease), name="journal sweeper")

    async def end(self, lease: Lease) -> None:
        """Removes what it may and stops; what was delivered and is still there is sent again by the next process."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
            if lease.held:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_END_SECONDS):
                        while await self._remove_delivered(lease):
                            pass

    async def add(self, entries: Sequence[Entry]) -> list[Entry]:
        """Writes the entries; returns when they survive a crash, with those that were not there already."""
        return await _insert(self._entries, entries, [entry_document(entry) for entry in entries])

    def delivered(self, entries: Iterable[Entry]) -> None:
        """Notes that these need not be sent again."""
        self._done.extend((entry.cluster_time, entry.key) for entry in entries)

    async def give_up(self, entries: Sequence[Entry], reason: str) -> None:
        """Moves the entries to the dead letters."""
        now = datetime.now(UTC)
        documents = [{**entry_document(entry), "gaveUp": now, "reason": reason} for entry in entries]
        await _insert(self._dead, entries, documents)
        self.delivered(entries)

    async def waiting(self) -> AsyncIterator[tuple[str, str, int]]:
        """Tenant, subscription and number of entries, for every subscription that has any."""
        group = {"$group": {"_id": {"t": "$t", "s": "$s"}, "count": {"$sum": 1}}}
        async for found in await self._entries.aggregate([{"$sort": {"t": 1, "s": 1}}, group]):
            yield found["_id"]["t"], found["_id"]["s"], found["count"]

    async def read(self, tenant: str, subscription: str, after: int, limit: int) -> list[Entry]:
        """The next entries of a subscription, in order, after the one whose order is `after`."""
        cursor = self._entries.find({"t": tenant, "s": subscription, "n": {"$gt": after}}).sort("n", 1).limit(limit)
        return [entry_of(document) async for document in cursor]

    async def forget(self, tenant: str, subscription: str, *, dead: bool = True) -> None:
        """Removes all that waits for a subscription, and its dead letters."""
        collections = (self._entries, self._dead) if dead else (self._entries,)
        await asyncio.gather(*[one.delete_many({"t": tenant, "s": subscription}) for one in collections])

    async def revive(self, tenant: str, subscription: str, order: Callable[[], int], most: int) -> list[Entry]:
        """Moves so many dead letters back, the oldest first, with a new order and age; none when none are left."""
        chosen = self._dead.find({"t": tenant, "s": subscription}).sort("n", 1).limit(most)
        now = datetime.now(UTC)
        entries = [replace(entry_of(document), order=order(), at=now) async for document in chosen]
        if entries:
            await self.add(entries)
            await self._dead.delete_many({"_id": {"$in": [entry.key for entry in entries]}})
        return entries

    async def _sweep(self, lease: Lease) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            await self._remove_delivered(lease)

    async def _remove_delivered(self, lease: Lease) -> bool:
        """Removes what was delivered and the position has passed, not too much at a time; whether there was any."""
        saved = lease.saved
        if not self._done or saved is None:
            return False
        safe = [key for time, key in self._done[:_SWEEP] if time <= saved]
        if not safe:
            return False
        self._done[:_SWEEP] = [one for one in self._done[:_SWEEP] if one[0] > saved]
        try:
            await self._swept.delete_many({"_id": {"$in": safe}})
        except PyMongoError as error:
            logger.warning("delivered notifications stay in the journal for now: %s", error)
            self._done.extend((saved, key) for key in safe)
            return False
        return True


async def _insert(
    collection: AsyncCollection[Document], entries: Sequence[Entry], documents: list[Document]
) -> list[Entry]:
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        errors = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(one["code"] != _DUPLICATE for one in errors):
            raise
        there = {one["index"] for one in errors}
        return [entry for index, entry in enumerate(entries) if index not in there]
    return list(entries)


def entry_document(entry: Entry) -> Document:
    """What is stored of an entry."""
    document = {
        "_id": entry.key,
        "n": entry.order,
        "t": entry.tenant,
        "s": entry.subscription,
        "e": entry.entity,
        "ts": entry.cluster_time,
        "at": entry.at,
        "f": entry.accept,
        "c": entry.context,
        "d": entry.data,
    }
    return {**document, "r": entry.reason} if entry.reason else document


def entry_of(document: Document) -> Entry:
    """The entry of a stored document."""
    return Entry(
        key=document["_id"],
        order=document["n"],
        tenant=document["t"],
        subscription=document["s"],
        entity=document["e"],
        cluster_time=document["ts"],
        at=document["at"].replace(tzinfo=UTC),
        accept=document["f"],
        context=document["c"],
        data=document["d"],
        reason=document.get("r", ""),
    )
