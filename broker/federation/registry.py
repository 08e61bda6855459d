"""The registrations in the memory of every worker, kept up with MongoDB: what an operation asks which sources it has.

A change stream of its own on the collections `registrations` of all tenants tells what other workers write; what this
one writes counts at once. Of one registration, the versions (`v`) grow for ever, also when it is deleted and created
anew, so that what comes late takes nothing back.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import PyMongoError

from broker.changelog.changes import Document, DocumentChange, Dropped
from broker.changelog.position import Position
from broker.changelog.position import now as cluster_now
from broker.changelog.stream import decode, open_stream
from broker.ending import ended
from broker.federation.documents import REGISTRATIONS, registration_of
from broker.store.tenants import DEFAULT_DATABASE, database_name, tenant_of
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.registration.index import RegistrationIndex
from ngsi_ld.registration.matching import Match, Wanted
from ngsi_ld.registration.registration import Registration

__all__ = ["Match", "Registry", "Wanted"]

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_REMEMBERED_SECONDS = 300.0
_RECENT_NANOSECONDS = 60 * 10**9
_MOST_REMEMBERED = 10_000
_NONE = RegistrationIndex()


@dataclass(frozen=True, slots=True)
class _Known:
    version: int
    created_at: str
    modified_at: str


class Registry:
    """The registrations of all tenants."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        self._client = client
        self._tenants: dict[str, RegistrationIndex] = {}
        self._known: dict[tuple[str, str], _Known] = {}
        self._gone: dict[tuple[str, str], tuple[int, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads all registrations, and follows their changes from then on."""
        stream = await self._open()
        await self._load()
        self._task = asyncio.create_task(self._follow(stream), name="registrations")

    async def close(self) -> None:
        """Follows no more."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    def any(self, tenant: str) -> bool:
        """Whether the tenant has any registration."""
        return tenant in self._tenants

    def get(self, tenant: str, registration_id: str) -> Registration | None:
        """The registration, None if there is none. It may have expired."""
        return self._tenants.get(tenant, _NONE).get(registration_id)

    def all(self, tenant: str) -> list[Registration]:
        """Every registration of the tenant, those that have expired among them."""
        return list(self._tenants.get(tenant, _NONE))

    def matching(self, tenant: str, wanted: Wanted, now: str, via: Sequence[str] = ()) -> list[Match]:
        """The registrations that are concerned, in the order of their creation (5.12).

        `via`: aliases of the brokers that the operation has come through, which are not asked again (4.3.6.4).
        """
        if tenant not in self._tenants:
            return []
        matches = self._tenants[tenant].find(wanted, now)
        return [match for match in matches if match.registration.alias not in via] if via else matches

    def looping(self, tenant: str, wanted: Wanted, now: str, via: Sequence[str]) -> list[Match]:
        """Those that `matching` leaves out only because of `via`."""
        if tenant not in self._tenants or not via:
            return []
        return [match for match in self._tenants[tenant].find(wanted, now) if match.registration.alias in via]

    def version(self, tenant: str, registration_id: str) -> int:
        """The latest version that is known of a registration, which may have been deleted; -1 for none."""
        known, gone = self._known.get((tenant, registration_id)), self._gone.get((tenant, registration_id))
        return max(-1 if known is None else known.version, -1 if gone is None else gone[0])

    def times(self, tenant: str, registration_id: str) -> tuple[str, str]:
        """When it was created and when modified; empty texts for one that is not there any more."""
        known = self._known.get((tenant, registration_id))
        return ("", "") if known is None else (known.created_at, known.modified_at)

    async def catch_up(self, tenant: str) -> None:
        """Reads what other workers have written of late and this one may not have heard of yet."""
        since = time.time_ns() - _RECENT_NANOSECONDS
        async for document in self._client[database_name(tenant)][REGISTRATIONS].find({"v": {"$gt": since}}):
            self.put(tenant, document)

    def put(self, tenant: str, document: Document) -> None:
        """A registration has been written; what is older than what is known of it changes nothing."""
        key, version = (tenant, document["_id"]), document["v"]
        if version <= self.version(*key):
            return
        try:
            registration = registration_of(document)
        except (NgsiLdError, KeyError, TypeError, ValueError):
            logger.exception("the registration %s of tenant %r cannot be read and is not used", document["_id"], tenant)
            return
        self._known[key] = _Known(version, document["createdAt"], document["modifiedAt"])
        self._tenants.setdefault(tenant, RegistrationIndex()).put(registration, document["createdAt"])

    def remove(self, tenant: str, registration_id: str, version: int) -> None:
        """A registration has been deleted that was of this version."""
        key = (tenant, registration_id)
        known = self._known.get(key)
        if known is not None and known.version > version:
            return
        self._forget(key)
        self._gone[key] = (version, time.monotonic())
        if len(self._gone) > _MOST_REMEMBERED:
            oldest = time.monotonic() - _REMEMBERED_SECONDS
            self._gone = {one: told for one, told in self._gone.items() if told[1] > oldest}

    def _forget(self, key: tuple[str, str]) -> None:
        self._known.pop(key, None)
        index = self._tenants.get(key[0])
        if index is not None:
            index.remove(key[1])
            if not len(index):
                del self._tenants[key[0]]

    def _drop(self, tenant: str) -> None:
        for registration in self.all(tenant):
            self._forget((tenant, registration.id))

    async def _open(self) -> AsyncChangeStream[Document]:
        return await open_stream(self._client, (REGISTRATIONS,), Position(await cluster_now(self._client)))

    async def _load(self) -> None:
        """Reads all: those that are not there any more go."""
        filter_ours = {"name": {"$regex": f"^{DEFAULT_DATABASE}(-|$)"}}
        seen: set[tuple[str, str]] = set()
        known = dict(self._known)
        async for database in await self._client.list_databases(nameOnly=True, filter=filter_ours):
            tenant = tenant_of(database["name"])
            if tenant is None:
                continue
            async for document in self._client[database_name(tenant)][REGISTRATIONS].find():
                seen.add((tenant, document["_id"]))
                self.put(tenant, document)
        for key, one in known.items():
            # One that this worker has written meanwhile is newer than what was read.
            if key not in seen and self._known.get(key) == one:
                self._forget(key)

    async def _follow(self, stream: AsyncChangeStream[Document]) -> None:
        while True:
            try:
                async with stream:
                    while stream.alive:
                        event = await stream.try_next()
                        if event is not None:
                            self._apply(event)
            except PyMongoError as error:
                logger.warning("registrations wait for MongoDB: %s", error)
            except Exception:
                logger.exception("a change of a registration could not be taken; all are read again")
            stream = await self._again()

    async def _again(self) -> AsyncChangeStream[Document]:
        """The stream anew after it was lost, with all registrations read again, since changes may have been missed."""
        while True:
            await asyncio.sleep(_RETRY_SECONDS)
            with contextlib.suppress(PyMongoError):
                stream = await self._open()
                await self._load()
                return stream

    def _apply(self, event: Document) -> None:
        change = decode(event)
        if isinstance(change, Dropped):
            if change.collection in (None, REGISTRATIONS):
                self._drop(change.tenant)
        elif isinstance(change, DocumentChange):
            if change.after is not None:
                self.put(change.tenant, change.after)
            elif change.before is not None:
                self.remove(change.tenant, change.id, change.before["v"])
