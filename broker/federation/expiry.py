"""Registrations are deleted when their `expiresAt` is reached (5.9.2.4), to the moment.

MongoDB's own expiry comes up to a minute later, and stands behind this for when nobody follows the change log. Either
way it is the deletion in the log that subscribers are told of.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import PyMongoError

from broker.changelog.changes import Change, Document, DocumentChange
from broker.changelog.position import Lease, Position
from broker.ending import ended
from broker.federation.documents import REGISTRATIONS
from broker.store.tenants import database_name, tenant_of

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_LONGEST_SECONDS = 3600.0


class Expiry:
    """Deletes what has expired, in the process that follows the change log: a consumer of it."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        self._client = client
        self._due: dict[tuple[str, str], datetime] = {}
        self._sooner = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, position: Position, lease: Lease) -> None:
        """See `Consumer`."""
        self._due.clear()
        for name in await self._client.list_database_names():
            tenant = tenant_of(name)
            if tenant is not None:
                expiring = self._client[name][REGISTRATIONS].find({"expiry": {"$exists": True}}, {"expiry": 1})
                async for document in expiring:
                    self._note(tenant, document["_id"], document)
        self._task = asyncio.create_task(self._delete_in_time(), name="registrations that expire")

    async def end(self) -> None:
        """See `Consumer`."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def handle(self, changes: Sequence[Change]) -> None:
        """See `Consumer`."""
        for change in changes:
            if isinstance(change, DocumentChange) and change.collection == REGISTRATIONS:
                self._note(change.tenant, change.id, change.after or {})

    def _note(self, tenant: str, registration_id: str, document: Document) -> None:
        if "expiry" in document:
            self._due[tenant, registration_id] = document["expiry"].replace(tzinfo=UTC)
            self._sooner.set()
        else:
            self._due.pop((tenant, registration_id), None)

    async def _delete_in_time(self) -> None:
        while True:
            self._sooner.clear()
            now = datetime.now(UTC)
            try:
                for tenant, registration_id in [key for key, at in self._due.items() if at <= now]:
                    await self._delete(tenant, registration_id, now)
                wait = min([(at - now).total_seconds() for at in self._due.values()], default=_LONGEST_SECONDS)
            except PyMongoError as error:
                logger.warning("registrations that have expired wait for MongoDB: %s", error)
                wait = _RETRY_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(wait, _LONGEST_SECONDS))):
                    await self._sooner.wait()

    async def _delete(self, tenant: str, registration_id: str, now: datetime) -> None:
        collection = self._client[database_name(tenant)].get_collection(
            REGISTRATIONS, write_concern=WriteConcern(w="majority", j=True)
        )
        # Only if it still is to expire: it may have been given more time meanwhile.
        await collection.delete_one({"_id": registration_id, "expiry": {"$lte": now}})
        self._due.pop((tenant, registration_id), None)
