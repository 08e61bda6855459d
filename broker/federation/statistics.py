"""What became of the requests to context sources: the read-only members of a registration (5.2.9).

    registrationStatus   {_id: {t: tenant, r: registration}, timesSent, timesFailed, lastSuccess, lastFailure,
                          status: "ok" | "failed"}

Kept apart from the registrations, so that counting makes no changes in the log, and written now and then, whatever
the rate of requests.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pymongo import AsyncMongoClient, UpdateOne
from pymongo.errors import PyMongoError

from broker.clock import now
from broker.store.tenants import DEFAULT_DATABASE

logger = logging.getLogger(__name__)

STATUS = "registrationStatus"
MEMBERS = ("status", "timesSent", "timesFailed", "lastSuccess", "lastFailure")

_FLUSH_SECONDS = 1.0

_Key = tuple[str, str]


@dataclass(slots=True)
class _Pending:
    sent: int = 0
    failed: int = 0
    latest: dict[str, str] = field(default_factory=dict)


class Statistics:
    """Counts in memory, adds to MongoDB now and then."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        self._collection = client[DEFAULT_DATABASE][STATUS]
        self._pending: dict[_Key, _Pending] = {}
        self._flushing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Writes what is left."""
        if self._flushing is not None:
            self._flushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._flushing
        with contextlib.suppress(PyMongoError):
            await self._flush()

    def count(self, tenant: str, registration: str, *, failed: bool) -> None:
        """A request to the source of a registration was answered, or failed."""
        pending = self._pending.get((tenant, registration))
        if pending is None:
            pending = self._pending[tenant, registration] = _Pending()
            if self._flushing is None or self._flushing.done():
                self._flushing = asyncio.create_task(self._flush_soon(), name="registration statistics")
        pending.sent += 1
        pending.failed += failed
        pending.latest["status"] = "failed" if failed else "ok"
        pending.latest["lastFailure" if failed else "lastSuccess"] = now()

    async def of(self, tenant: str, registrations: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The members of these registrations by id; nothing for those whose sources were never asked."""
        await self._flush()
        identifiers = [{"t": tenant, "r": registration} for registration in registrations]
        return {
            document["_id"]["r"]: {name: document[name] for name in MEMBERS if name in document}
            async for document in self._collection.find({"_id": {"$in": identifiers}})
        }

    async def forget(self, tenant: str, registration: str) -> None:
        """Removes the counts of a registration that was deleted."""
        self._pending.pop((tenant, registration), None)
        await self._collection.delete_one({"_id": {"t": tenant, "r": registration}})

    async def _flush_soon(self) -> None:
        while self._pending:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self._flush()
            except PyMongoError as error:
                logger.warning("the counts of requests to context sources cannot be written now: %s", error)

    async def _flush(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, {}
        updates = [
            UpdateOne(
                {"_id": {"t": tenant, "r": registration}},
                {"$set": counts.latest, "$inc": {"timesSent": counts.sent, "timesFailed": counts.failed}},
                upsert=True,
            )
            for (tenant, registration), counts in pending.items()
        ]
        try:
            await self._collection.bulk_write(updates, ordered=False)
        except PyMongoError:
            for key, counts in pending.items():
                later = self._pending.setdefault(key, _Pending())
                later.sent += counts.sent
                later.failed += counts.failed
                later.latest = {**counts.latest, **later.latest}
            raise
