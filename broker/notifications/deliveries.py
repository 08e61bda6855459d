"""What became of the notifications of each subscription: the output members of 5.2.14.2, and what we add.

    deliveries   {_id: {t: tenant, s: subscription}, timesSent, timesFailed, lastNotification, lastSuccess,
                  lastFailure, status: "ok" | "failed", lastError, gaveUp, lastGiveUp}

Kept apart from the subscriptions, so that counting makes no changes in the log, and written at most every
`_FLUSH_SECONDS`, whatever the rate of notifications.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pymongo import AsyncMongoClient, UpdateOne
from pymongo.errors import PyMongoError

from broker.changelog.changes import Document
from broker.notifications import metrics
from broker.store.tenants import DEFAULT_DATABASE
from ngsi_ld.datetimes import format_date_time

logger = logging.getLogger(__name__)

DELIVERIES = "deliveries"
OUTPUT = ("status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure")
"""The standard's members; the rest is for the operator."""

_FLUSH_SECONDS = 0.25
_ERROR_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the notifications of one subscription."""

    counts: Document

    def members(self) -> Document:
        """The output members of its notification parameters that exist."""
        return {name: self.counts[name] for name in OUTPUT if name in self.counts}


@dataclass(slots=True)
class _Pending:
    added: dict[str, int] = field(default_factory=dict)
    latest: Document = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)


class Deliveries:
    """Counts in memory, adds to MongoDB now and then."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        self._collection = client[DEFAULT_DATABASE][DELIVERIES]
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._flusher: asyncio.Task[None] | None = None
        self._dirty = asyncio.Event()

    def begin(self) -> None:
        """Starts writing."""
        self._flusher = asyncio.create_task(self._flush_often(), name="deliveries")

    async def end(self) -> None:
        """Writes what is left."""
        if self._flusher is not None:
            self._flusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flusher
            self._flusher = None
        with contextlib.suppress(PyMongoError):
            await self.flush()

    def succeeded(self, tenant: str, subscription: str) -> None:
        """A notification was delivered just now."""
        metrics.SENT.inc()
        pending = self._of(tenant, subscription)
        pending.added["timesSent"] = pending.added.get("timesSent", 0) + 1
        pending.latest["status"] = "ok"
        pending.times["lastNotification"] = pending.times["lastSuccess"] = time.time()

    def failed(self, tenant: str, subscription: str, error: str) -> None:
        """An attempt to deliver a notification failed just now."""
        metrics.FAILED.inc()
        pending = self._of(tenant, subscription)
        for counter in ("timesSent", "timesFailed"):
            pending.added[counter] = pending.added.get(counter, 0) + 1
        pending.latest.update(status="failed", lastError=error[:_ERROR_LENGTH])
        pending.times["lastNotification"] = pending.times["lastFailure"] = time.time()

    def gave_up(self, tenant: str, subscription: str, count: int) -> None:
        """So many notifications went to the dead letters."""
        metrics.GIVEN_UP.inc(count)
        pending = self._of(tenant, subscription)
        pending.added["gaveUp"] = pending.added.get("gaveUp", 0) + count
        pending.times["lastGiveUp"] = time.time()

    async def forget(self, tenant: str, subscription: str) -> None:
        """Removes the counts of a subscription that was deleted."""
        self._pending.pop((tenant, subscription), None)
        await self._collection.delete_one({"_id": {"t": tenant, "s": subscription}})

    def _of(self, tenant: str, subscription: str) -> _Pending:
        pending = self._pending.get((tenant, subscription))
        if pending is None:
            pending = self._pending[tenant, subscription] = _Pending()
            self._dirty.set()
        return pending

    async def _flush_often(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self.flush()
            except PyMongoError as error:
                logger.warning("the counts of notifications cannot be written now: %s", error)
            await asyncio.sleep(_FLUSH_SECONDS)

    async def flush(self) -> None:
        """Writes what has been counted, for someone who wants to read it now."""
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        updates = []
        for (tenant, subscription), counts in pending.items():
            times = {name: format_date_time(datetime.fromtimestamp(at, UTC)) for name, at in counts.times.items()}
            change: Document = {"$set": {**counts.latest, **times}}
            if counts.added:
                change["$inc"] = counts.added
            updates.append(UpdateOne({"_id": {"t": tenant, "s": subscription}}, change, upsert=True))
        try:
            await self._collection.bulk_write(updates, ordered=False)
        except PyMongoError:
            for key, counts in pending.items():
                later = self._of(*key)
                for counter, value in counts.added.items():
                    later.added[counter] = later.added.get(counter, 0) + value
                later.latest = {**counts.latest, **later.latest}
                later.times = {**counts.times, **later.times}
            raise


async def deliveries_of(
    client: AsyncMongoClient[Any], tenant: str, subscriptions: Iterable[str]
) -> dict[str, Delivery]:
    """What became of the notifications of these subscriptions, by id; nothing where nothing was sent yet."""
    identifiers = [{"t": tenant, "s": subscription} for subscription in subscriptions]
    found = client[DEFAULT_DATABASE][DELIVERIES].find({"_id": {"$in": identifiers}})
    return {document["_id"]["s"]: Delivery(document) async for document in found}
