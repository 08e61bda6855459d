"""Register, update, delete, retrieve and discover context sources (5.9.2 to 5.9.4, 5.10.1, 5.10.2).

The collection is described in `broker.federation.documents`. The change log follows it, for those who subscribe to
registrations, and so does the registry of every worker.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pymongo import ASCENDING, AsyncMongoClient, IndexModel
from pymongo.errors import DuplicateKeyError

from broker.contexts import Contexts
from broker.federation.documents import REGISTRATIONS, Document, document_of, registration_of
from broker.federation.registry import Match, Registry, Wanted
from broker.federation.statistics import Statistics
from broker.notifications.endpoints import EndpointPolicy
from broker.operations.collections import TenantCollections, asking
from broker.store.store import Store
from ngsi_ld.context import Context
from ngsi_ld.datetimes import parse_date_time
from ngsi_ld.errors import ErrorType, NgsiLdError, already_exists, not_found
from ngsi_ld.names import Names, checked_uri
from ngsi_ld.registration.changes import new_registration, updated_registration
from ngsi_ld.registration.conflicts import claimed, held
from ngsi_ld.registration.registration import Registration
from ngsi_ld.registration.rendering import render_registration

_OVERLAPPING = frozenset({"mode", "information", "observationInterval", "managementInterval"})
"""The members that decide what a registration is in conflict with."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A registration with what the broker knows of it: when it was written, what became of requests to its source."""

    registration: Registration
    created_at: str
    modified_at: str
    status: Mapping[str, Any]


class Registrations:
    """The registrations of all tenants. `create_tenants`: whether a first registration creates its tenant."""

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        store: Store,
        contexts: Contexts,
        registry: Registry,
        statistics: Statistics,
        endpoints: EndpointPolicy | None = None,
        *,
        create_tenants: bool = True,
    ) -> None:
        self._client = client
        self._store = store
        self._contexts = contexts
        self._registry = registry
        self._statistics = statistics
        self._endpoints = endpoints or EndpointPolicy()
        expiry = IndexModel([("expiry", ASCENDING)], expireAfterSeconds=0, sparse=True)
        self._collections = TenantCollections(client, store, REGISTRATIONS, (expiry,), create_tenants=create_tenants)
        self._writing: dict[str, asyncio.Lock] = {}

    async def create(self, tenant: str, body: Any, context: Context, now: str) -> str:
        """Register Context Source (5.9.2): its id. AlreadyExists if the id is taken, Conflict, BadRequestData.

        `body` is the JSON, `context` the @context of the request.
        """
        generated = f"urn:ngsi-ld:ContextSourceRegistration:{uuid4()}"
        url = await self._contexts.host(tenant, context)
        registration = new_registration(body, context, url, now, generated)
        self._endpoints.check_url(registration.endpoint, "endpoint")
        collection = await self._collections.for_writing(tenant)
        async with self._lock(tenant):
            await self._check_conflicts(tenant, registration, now)
            version = max(time.time_ns(), self._registry.version(tenant, registration.id) + 1)
            document = document_of(registration, version, now, now)
            with asking():
                # An expired one may not have been removed yet, but is not there any more (5.9.2.4).
                await collection.delete_one({"_id": registration.id, "expiry": {"$lte": parse_date_time(now)}})
                try:
                    await collection.insert_one(document)
                except DuplicateKeyError:
                    raise already_exists(f"the registration {registration.id} exists; choose another id") from None
            self._registry.put(tenant, document)
            try:
                await self._check_again(tenant, registration, now)
            except NgsiLdError:
                with asking():
                    await collection.delete_one({"_id": registration.id, "v": version})
                self._registry.remove(tenant, registration.id, version)
                raise
        return registration.id

    async def update(self, tenant: str, registration_id: str, fragment: Any, context: Context, now: str) -> None:
        """Update Context Source Registration (5.9.3) with a fragment; ResourceNotFound, Conflict, BadRequestData."""
        collection = await self._collections.existing(tenant)
        async with self._lock(tenant):
            while True:
                document = await self._found(tenant, registration_id, now)
                registration = updated_registration(registration_of(document), fragment, context, now)
                self._endpoints.check_url(registration.endpoint, "endpoint")
                if not _OVERLAPPING.isdisjoint(fragment):
                    await self._check_conflicts(tenant, registration, now)
                version = max(time.time_ns(), document["v"] + 1)
                changed = document_of(registration, version, document["createdAt"], now)
                with asking():
                    result = await collection.replace_one({"_id": registration_id, "v": document["v"]}, changed)
                if result.matched_count:
                    break
            self._registry.put(tenant, changed)
            try:
                if not _OVERLAPPING.isdisjoint(fragment):
                    await self._check_again(tenant, registration, now)
            except NgsiLdError:
                restored = {**document, "v": version + 1}
                with asking():
                    result = await collection.replace_one({"_id": registration_id, "v": version}, restored)
                if result.matched_count:
                    self._registry.put(tenant, restored)
                raise

    async def delete(self, tenant: str, registration_id: str, now: str) -> None:
        """Delete Context Source Registration (5.9.4); ResourceNotFound."""
        checked_uri(registration_id, "the id of the registration")
        collection = await self._collections.existing(tenant)
        with asking():
            document = await collection.find_one_and_delete({"_id": registration_id})
        if document is None or not registration_of(document).alive(now):
            raise not_found(f"there is no registration {registration_id}")
        self._registry.remove(tenant, registration_id, document["v"])
        with asking():
            await self._statistics.forget(tenant, registration_id)

    async def retrieve(self, tenant: str, registration_id: str, now: str) -> Stored:
        """Retrieve Context Source Registration (5.10.1); ResourceNotFound."""
        document = await self._found(tenant, registration_id, now)
        with asking():
            status = await self._statistics.of(tenant, [registration_id])
        registration = registration_of(document)
        return Stored(registration, document["createdAt"], document["modifiedAt"], status.get(registration_id, {}))

    async def discover(self, tenant: str, wanted: Wanted, now: str) -> list[Match]:
        """Query Context Source Registrations (5.10.2): those that match, in the order of their creation."""
        await self._collections.existing(tenant)
        return self._registry.matching(tenant, wanted, now)

    async def described(self, tenant: str, matches: Sequence[Match]) -> list[Stored]:
        """What the broker knows of registrations that were found."""
        with asking():
            told = await self._statistics.of(tenant, [match.registration.id for match in matches])
        return [
            Stored(match.registration, *self._registry.times(tenant, match.registration.id), status)
            for match in matches
            for status in [told.get(match.registration.id, {})]
        ]

    async def _check_conflicts(self, tenant: str, registration: Registration, now: str) -> None:
        """Raises Conflict where a proxied registration overlaps with another, or with entities of this broker."""
        for wanted, mode in claimed(registration):
            for match in self._registry.matching(tenant, wanted, now):
                other = match.registration
                if other.mode is mode and other.id != registration.id:
                    raise _conflict(
                        f"the registration {other.id}, whose mode is {other.mode.value}, is of the same entities and "
                        f"attributes, which the mode {registration.mode.value} does not allow (4.3.6.3)"
                    )
        for query in held(registration):
            entities = await self._store.find(tenant, query, now=now, limit=1)
            if entities:
                raise _conflict(
                    f"the entity {entities[0].id} of this broker matches the registration, whose mode is "
                    f"{registration.mode.value}: its source alone can have what is registered (5.9.2.4)"
                )

    async def _check_again(self, tenant: str, registration: Registration, now: str) -> None:
        """The same once it is written: another process may have registered something at the same moment.

        Of two that conflict at least one sees the other then, and takes itself back; perhaps both do.
        """
        if registration.mode.proxied:
            with asking():
                await self._registry.catch_up(tenant)
            await self._check_conflicts(tenant, registration, now)

    def _lock(self, tenant: str) -> asyncio.Lock:
        return self._writing.setdefault(tenant, asyncio.Lock())

    async def _found(self, tenant: str, registration_id: str, now: str) -> Document:
        checked_uri(registration_id, "the id of the registration")
        collection = await self._collections.existing(tenant)
        with asking():
            document = await collection.find_one({"_id": registration_id})
        if document is None or not registration_of(document).alive(now):
            raise not_found(f"there is no registration {registration_id}")
        return document


def render(stored: Stored, names: Names, *, sys_attrs: bool = False) -> Document:
    """The JSON of a registration in the reader's names, without @context."""
    return render_registration(
        stored.registration,
        names,
        status=stored.status,
        system={"createdAt": stored.created_at, "modifiedAt": stored.modified_at} if sys_attrs else None,
    )


def _conflict(detail: str) -> NgsiLdError:
    return NgsiLdError(ErrorType.CONFLICT, detail)
