"""What was notified of late, kept for those who follow a subscription as a stream of events.

    notificationEvents   as the journal (see journal.py), with kept: Date
    eventStreams         {_id: {t: tenant, s: subscription}, since: Date, until: Date, trimmed: order}

An event is written when its notification is, whoever takes the notification afterwards, and is kept for a stated time
and number. That is done for the subscriptions that someone follows, until nobody has for that time; and always for
those whose endpoint is `sse:events`, who have no other way to hear.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, AsyncMongoClient, UpdateOne, WriteConcern
from pymongo.errors import PyMongoError

from broker.notifications.journal import Entry, entry_document
from broker.store.tenants import DEFAULT_DATABASE

logger = logging.getLogger(__name__)

EVENTS = "notificationEvents"
STREAMS = "eventStreams"

_REFRESH_SECONDS = 30.0
_SLACK_SECONDS = 600
"""Events go this much later than promised: clocks of hosts differ, and MongoDB removes once a minute."""

_TRIMS = 10
"""Parts of the size that may be there too many before the oldest are removed."""

_SURE = WriteConcern(w="majority", j=True)

Key = tuple[str, str]
"""Tenant and subscription id."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """For how many seconds events are kept, and how many of one subscription."""

    age: float = 3600.0
    size: int = 10_000


class Events:
    """The events, as the process that notifies keeps them."""

    def __init__(self, client: AsyncMongoClient[Any], keeping: Keeping) -> None:
        database = client[DEFAULT_DATABASE]
        self._events = database.get_collection(EVENTS, write_concern=_SURE)
        self._streams = database.get_collection(STREAMS, write_concern=_SURE)
        self._keeping = keeping
        self._until: dict[Key, float] = {}
        self._always: set[Key] = set()
        self._added: dict[Key, int] = {}
        self._refresher: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Learns who is followed."""
        await self._events.create_index([("t", ASCENDING), ("s", ASCENDING), ("n", ASCENDING)])
        age = math.ceil(self._keeping.age) + _SLACK_SECONDS
        try:
            await self._events.create_index("kept", name="kept", expireAfterSeconds=age)
        except PyMongoError:
            index = {"name": "kept", "expireAfterSeconds": age}
            await self._events.database.command({"collMod": EVENTS, "index": index})
        await self._streams.create_index("until", expireAfterSeconds=_SLACK_SECONDS)
        self._until.clear()
        await self._refresh()
        self._refresher = asyncio.create_task(self._refresh_often(), name="followed subscriptions")

    async def end(self) -> None:
        """Keeps no more."""
        if self._refresher is not None:
            self._refresher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._refresher
            self._refresher = None

    def follow(self, tenant: str, subscription: str) -> None:
        """Keeps the events of a subscription from now on, as someone follows it."""
        self._until[tenant, subscription] = time.time() + self._keeping.age

    def always(self, tenant: str, subscription: str, *, wanted: bool) -> None:
        """Whether to keep the events of a subscription even if nobody follows it."""
        (self._always.add if wanted else self._always.discard)((tenant, subscription))

    async def add(self, entries: Sequence[Entry]) -> None:
        """Keeps those of the entries whose subscriptions are followed; returns when they survive a crash.

        An entry that was there already, because a change is handed over again after a crash, moves to the end: a stream
        may have passed its place by then.
        """
        if not self._until and not self._always:
            return
        now = time.time()
        kept = datetime.fromtimestamp(now, UTC)
        writes, keys = [], []
        for entry in entries:
            key = entry.tenant, entry.subscription
            if key not in self._always and self._until.get(key, 0.0) < now:
                continue
            document = entry_document(entry)
            del document["_id"], document["n"]
            change = {"$max": {"n": entry.order}, "$setOnInsert": {**document, "kept": kept}}
            writes.append(UpdateOne({"_id": entry.key}, change, upsert=True))
            keys.append(key)
        if writes:
            await self._events.bulk_write(writes, ordered=False)
            for key in keys:
                await self._count(key)

    async def forget(self, tenant: str, subscription: str) -> None:
        """Removes what was kept of a subscription that was deleted."""
        known = (tenant, subscription) in self._always or self._until.pop((tenant, subscription), None) is not None
        self._always.discard((tenant, subscription))
        if known:
            await self._streams.delete_one({"_id": {"t": tenant, "s": subscription}})
            await self._events.delete_many({"t": tenant, "s": subscription})

    async def _count(self, key: Key) -> None:
        """Removes the oldest where there are too many, and notes up to where."""
        self._added[key] = self._added.get(key, 0) + 1
        if self._added[key] <= self._keeping.size // _TRIMS:
            return
        self._added[key] = 0
        of_key = {"t": key[0], "s": key[1]}
        excess = self._events.find(of_key, {"n": 1}).sort("n", -1).skip(self._keeping.size).limit(1)
        async for last in excess:
            # Noted first: a stream that reads in between rather hears of a gap too early than not at all.
            await self._streams.update_one({"_id": of_key}, {"$max": {"trimmed": last["n"]}}, upsert=True)
            await self._events.delete_many({**of_key, "n": {"$lte": last["n"]}})

    async def _refresh_often(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await self._refresh()
            except PyMongoError as error:
                logger.warning("who is followed cannot be read now: %s", error)

    async def _refresh(self) -> None:
        now = datetime.now(UTC)
        found = self._streams.find({"until": {"$gt": now}})
        async for document in found:
            key = document["_id"]["t"], document["_id"]["s"]
            until = document["until"].replace(tzinfo=UTC).timestamp()
            self._until[key] = max(until, self._until.get(key, 0.0))
        lapsed = [key for key, until in self._until.items() if until < now.timestamp()]
        for key in lapsed:
            del self._until[key]
            self._added.pop(key, None)


def until(keeping: Keeping) -> datetime:
    """Until when the events of a subscription are kept that someone follows now."""
    return datetime.now(UTC) + timedelta(seconds=keeping.age)
