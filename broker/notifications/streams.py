"""Following subscriptions as streams of events, in any process of the deployment.

A stream has no queue of its own: it has a place, and reads the next events from MongoDB when its client has taken those
before. A change stream on the events wakes those who wait. So a slow client costs nothing but its connection, and a
client that comes back, to whichever process, goes on at its place.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern

from broker.changelog.log import ChangeLog
from broker.changelog.position import now as cluster_now
from broker.notifications.commands import follow
from broker.notifications.events import EVENTS, STREAMS, Keeping, Key, until
from broker.notifications.journal import Entry, entry_of
from broker.store.store import StoreUnavailable
from broker.store.tenants import DEFAULT_DATABASE

logger = logging.getLogger(__name__)

_PAGE = 100
_PAGE_BYTES = 1_000_000
_RECENT_SECONDS = 10.0
_OPEN_SECONDS = 10.0
_RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a client has had the events: the order of the last one, and when that was known to be the last."""

    order: int
    at: int

    @staticmethod
    def parse(text: str) -> "Place | None":
        """The place that an event's id names; None for any other text. `0` is the place before all that is kept."""
        if text == "0":
            return Place(0, int(time.time()))
        order, _, at = text.partition("-")
        if not (order.isascii() and order.isdigit() and at.isascii() and at.isdigit() and len(text) < 40):
            return None
        return Place(int(order), int(at))

    def moved(self, order: int | None = None) -> "Place":
        """The place after this one: after that event, or the same where nothing has come until now."""
        return Place(self.order if order is None else order, int(time.time()))

    def __str__(self) -> str:
        return f"{self.order}-{self.at}"


@dataclass(slots=True)
class Stream:
    """One client that follows a subscription. `gap`: whether events after its place are not kept any more."""

    key: Key
    place: Place
    gap: bool
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The streams of this process, `most` at a time."""

    def __init__(self, client: AsyncMongoClient[Any], log: ChangeLog, keeping: Keeping, most: int) -> None:
        database = client[DEFAULT_DATABASE]
        self._client = client
        self._log = log
        self._keeping = keeping
        self._most = most
        self._events = database.get_collection(EVENTS, read_concern=ReadConcern("majority"))
        self._streams = database.get_collection(STREAMS, write_concern=WriteConcern(w="majority", j=True))
        self._open: dict[Key, list[Stream]] = {}
        self._count = 0
        self._waker: asyncio.Task[None] | None = None
        self.closing = False
        """Whether this process ends, and its streams with it: clients come back, to another or to its successor."""

    async def close(self) -> None:
        """Ends all streams."""
        self.leave()
        if self._waker is not None:
            self._waker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._waker
            self._waker = None

    def leave(self) -> None:
        """Has the streams end by themselves, now."""
        self.closing = True
        self._wake_all()

    async def open(self, tenant: str, subscription: str, place: Place | None) -> Stream:
        """A stream from a place on, or from now on; every change from here on will be in it. StoreUnavailable."""
        if self._count >= self._most:
            raise StoreUnavailable(f"this process has {self._most} streams of events, and may have no more")
        key = tenant, subscription
        with _asking():
            document = await self._followed(key)
            gap = False
            if place is None:
                place = await self._end(key)
            else:
                trimmed = document.get("trimmed", 0)
                gap = place.at < time.time() - self._keeping.age or 0 < place.order < trimmed
        stream = Stream(key, place, gap)
        self._open.setdefault(key, []).append(stream)
        self._count += 1
        if self._waker is None:
            self._waker = asyncio.create_task(self._wake(), name="events")
        return stream

    def shut(self, stream: Stream) -> None:
        """Its client is gone."""
        listening = self._open.get(stream.key, [])
        if stream in listening:
            listening.remove(stream)
            self._count -= 1
        if not listening:
            self._open.pop(stream.key, None)

    async def read(self, stream: Stream) -> list[Entry]:
        """The next events after its place, not too many and not too large together; none where there are none yet."""
        tenant, subscription = stream.key
        stream.news.clear()
        query = {"t": tenant, "s": subscription, "n": {"$gt": stream.place.order}}
        found: list[Entry] = []
        size = 0
        async with self._events.find(query).sort("n", 1).limit(_PAGE) as cursor:
            async for document in cursor:
                found.append(entry_of(document))
                size += len(found[-1].data)
                if size > _PAGE_BYTES:
                    break
        return found

    async def wait(self, stream: Stream, seconds: float) -> bool:
        """Waits for news; False where none came in that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stream.news.wait()
                return True
        return False

    async def renew(self, stream: Stream) -> None:
        """Has the events kept on, as someone still follows them."""
        tenant, subscription = stream.key
        changed = {"$max": {"until": until(self._keeping)}, "$setOnInsert": {"since": datetime.now(UTC)}}
        await self._streams.update_one({"_id": {"t": tenant, "s": subscription}}, changed, upsert=True)

    async def _followed(self, key: Key) -> dict[str, Any]:
        """Sees to it that the events of the subscription are kept; what is known of its streams."""
        tenant, subscription = key
        identifier = {"t": tenant, "s": subscription}
        document = await self._streams.find_one({"_id": identifier}) or {}
        now = datetime.now(UTC)
        kept = "until" in document and document["until"].replace(tzinfo=UTC) > now
        recent = not kept or (now - document["since"].replace(tzinfo=UTC)).total_seconds() < _RECENT_SECONDS
        if not kept:
            await follow(self._client, tenant, subscription)
        changed = {"$max": {"until": until(self._keeping)}}
        begun = {} if kept else {"$set": {"since": now}}
        await self._streams.update_one({"_id": identifier}, {**changed, **begun}, upsert=True)
        if recent and not await self._log.passed(await cluster_now(self._client), _OPEN_SECONDS):
            raise StoreUnavailable("nobody follows the change log")
        return document

    async def _end(self, key: Key) -> Place:
        last = self._events.find({"t": key[0], "s": key[1]}, {"n": 1}).sort("n", -1).limit(1)
        order = 0
        async for document in last:
            order = document["n"]
        return Place(order, int(time.time()))

    async def _wake(self) -> None:
        """Wakes the streams that have news, as long as this process lives."""
        pipeline: list[dict[str, Any]] = [
            {"$match": {"operationType": {"$in": ["insert", "update"]}}},
            {"$project": {"t": "$fullDocument.t", "s": "$fullDocument.s"}},
        ]
        while True:
            try:
                async with await self._events.watch(pipeline, max_await_time_ms=1000) as changes:
                    self._wake_all()
                    async for change in changes:
                        if "t" in change:
                            for stream in self._open.get((change["t"], change["s"]), ()):
                                stream.news.set()
                        else:
                            self._wake_all()
            except PyMongoError as error:
                logger.warning("streams of events wait for MongoDB: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    def _wake_all(self) -> None:
        for streams in self._open.values():
            for stream in streams:
                stream.news.set()


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise StoreUnavailable(f"the database does not answer: {error}") from error
