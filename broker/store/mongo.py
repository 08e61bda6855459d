"""The store on MongoDB: see `store` for the contract, `reads` and `writes` for how requests share commands."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from broker.store import catalogue, queries
from broker.store.catalogue import AttributeUse
from broker.store.indexes import Indexes
from broker.store.reads import Reads
from broker.store.recent import Recent
from broker.store.sharing import Shared
from broker.store.store import Mutation, Position, StoreUnavailable, Written, unavailable
from broker.store.tenants import ENTITIES, Tenants, nonexistent_tenant
from broker.store.writes import Writes
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.type_selection import TypeSelection


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds, with defaults measured on two cores.

    `group_size`: entities in a group. `recent_bytes`: of entities remembered between writes, as MongoDB counts.
    `timeout_seconds`: for a group, tries again included, twice that. `indexes`: per tenant. `index_demand`: queries
    that compare an attribute before its values get an index, 0 for never.
    """

    group_size: int = 256
    reads_in_flight: int = 4
    writes_in_flight: int = 4
    recent_bytes: int = 32 * 1024 * 1024
    timeout_seconds: float = 5.0
    query_seconds: float = 10.0
    indexes: int = 40
    index_demand: int = 50


@dataclass(frozen=True, slots=True)
class _Lanes:
    """What a tenant that exists has in this process."""

    reads: Reads
    writes: Writes


class MongoStore:
    """`Store` on a replica set. Belongs to the event loop that makes it."""

    def __init__(
        self,
        client: AsyncMongoClient[dict[str, Any]],
        *,
        create_tenants: bool = True,
        limits: StoreLimits | None = None,
    ) -> None:
        self._limits = limits or StoreLimits()
        self.indexes = Indexes(limit=self._limits.indexes, demand=self._limits.index_demand)
        self._tenants = Tenants(client, self.indexes, create_on_write=create_tenants)
        self._recent = Recent(self._limits.recent_bytes)
        self._lanes: dict[str, _Lanes] = {}
        self._pages: Shared[list[Entity]] = Shared()

    async def get(self, tenant: str, entity_id: str) -> Entity | None:
        """See `Store`."""
        lanes = self._lanes.get(tenant) or await self._existing(tenant)
        return await lanes.reads.get(entity_id)

    async def get_many(self, tenant: str, entity_ids: Sequence[str]) -> Mapping[str, Entity]:
        """See `Store`."""
        lanes = self._lanes.get(tenant) or await self._existing(tenant)
        found = await asyncio.gather(*map(lanes.reads.get, entity_ids))
        return {entity.id: entity for entity in found if entity is not None}

    async def mutate(self, tenant: str, entity_id: str, mutation: Mutation) -> Written:
        """See `Store`."""
        lanes = self._lanes.get(tenant) or await self._for_writing(tenant, [mutation])
        outcomes = lanes.writes.mutate([(entity_id, mutation)])
        await outcomes.done
        result = outcomes.results[0]
        if isinstance(result, Written):
            return result
        raise result

    async def mutate_many(self, tenant: str, mutations: Sequence[tuple[str, Mutation]]) -> list[Written | NgsiLdError]:
        """See `Store`. Raises `StoreUnavailable` if that became of any of them, though others may be written."""
        if not mutations:
            return []
        lanes = self._lanes.get(tenant) or await self._for_writing(tenant, [mutation for _, mutation in mutations])
        outcomes = lanes.writes.mutate(mutations)
        await outcomes.done
        results: list[Written | NgsiLdError] = []
        for result in outcomes.results:
            if not isinstance(result, Written | NgsiLdError):
                raise result
            results.append(result)
        return results

    async def find(
        self,
        tenant: str,
        query: Query,
        *,
        now: str,
        limit: int,
        offset: int = 0,
        after: Position | None = None,
        bare: bool = False,
    ) -> list[Entity]:
        """See `Store`."""
        database = await self._database(tenant)
        if limit <= 0:
            return []
        if query.q is not None:
            self.indexes.note_compared(database[ENTITIES], queries.compared(query.q))

        async def page() -> list[Entity]:
            with self._asking(self._limits.query_seconds):
                return await queries.page(
                    database[ENTITIES], query, now=now, limit=limit, offset=offset, after=after, bare=bare
                )

        return await self._pages.answer((tenant, query, limit, offset, after, bare), page)

    async def ids(self, tenant: str, query: Query, *, now: str, most: int) -> list[str]:
        """See `Store`."""
        database = await self._database(tenant)
        with self._asking(self._limits.query_seconds):
            return await queries.ids(database[ENTITIES], query, now=now, most=most)

    async def count(self, tenant: str, query: Query, *, now: str) -> int:
        """See `Store`."""
        database = await self._database(tenant)
        with self._asking(self._limits.query_seconds):
            return await queries.count(database[ENTITIES], query, now=now)

    async def types(self, tenant: str, *, now: str) -> list[str]:
        """See `Store`."""
        database = await self._database(tenant)
        with self._asking(self._limits.query_seconds):
            return await catalogue.types(database[ENTITIES], now)

    async def attributes_by_type(self, tenant: str, *, now: str) -> dict[str, list[str]]:
        """See `Store`."""
        database = await self._database(tenant)
        with self._asking(self._limits.query_seconds):
            return await catalogue.attributes_by_type(database[ENTITIES], now)

    async def type_info(self, tenant: str, name: str, *, now: str) -> tuple[int, list[AttributeUse]]:
        """See `Store`."""
        of_type = Query(selectors=(EntitySelector(types=TypeSelection((frozenset({name}),))),))
        count = await self.count(tenant, of_type, now=now)
        return count, await self.attribute_uses(tenant, now=now, of_type=name) if count else []

    async def attribute_uses(
        self, tenant: str, *, now: str, of_type: str | None = None, attribute: str | None = None
    ) -> list[AttributeUse]:
        """See `Store`."""
        database = await self._database(tenant)
        with self._asking(self._limits.query_seconds):
            return await catalogue.attribute_uses(database[ENTITIES], now, of_type=of_type, attribute=attribute)

    async def tenant_exists(self, tenant: str) -> bool:
        """See `Store`."""
        with self._asking(self._limits.timeout_seconds):
            return await self._tenants.exists(tenant)

    async def create_tenant(self, tenant: str) -> None:
        """See `Store`."""
        with self._asking(self._limits.timeout_seconds):
            await self._tenants.create(tenant)

    async def tenants(self) -> list[str]:
        """See `Store`."""
        with self._asking(self._limits.timeout_seconds):
            return await self._tenants.all()

    async def forget(self, tenant: str) -> None:
        """The tenant's database was dropped, here or by another process: nothing of it is kept in memory."""
        if (lanes := self._lanes.pop(tenant, None)) is not None:
            await lanes.writes.drained()
            await lanes.reads.drained()
        self._tenants.forget(tenant)

    async def index_attributes(self, tenant: str, attributes: Sequence[str]) -> None:
        """Make the indexes of the values of these attributes (IRIs) at once, for comparisons in `q`."""
        database = await self._database(tenant)
        for attribute in attributes:
            await self.indexes.make_value(database[ENTITIES], attribute)

    async def close(self) -> None:
        """Wait for what is in flight. The client stays open: it is its maker's."""
        for lanes in self._lanes.values():
            await lanes.writes.drained()
            await lanes.reads.drained()
        await self.indexes.settled()

    async def _database(self, tenant: str) -> Any:
        with self._asking(self._limits.timeout_seconds):
            return await self._tenants.existing(tenant)

    async def _existing(self, tenant: str) -> _Lanes:
        return self._open(tenant, await self._database(tenant))

    async def _for_writing(self, tenant: str, mutations: Sequence[Mutation]) -> _Lanes:
        """The lanes of a tenant not seen before; it is created if one of the mutations creates an entity."""
        with self._asking(self._limits.timeout_seconds):
            if not await self._tenants.exists(tenant) and not any(map(_creates, mutations)):
                raise nonexistent_tenant(tenant)
            return self._open(tenant, await self._tenants.for_writing(tenant))

    def _open(self, tenant: str, database: Any) -> _Lanes:
        if (lanes := self._lanes.get(tenant)) is None:
            limits = self._limits
            reads = Reads(
                database[ENTITIES],
                size=limits.group_size,
                in_flight=limits.reads_in_flight,
                timeout_seconds=limits.timeout_seconds,
            )
            writes = Writes(
                tenant,
                database,
                self.indexes,
                self._recent,
                size=limits.group_size,
                in_flight=limits.writes_in_flight,
                timeout_seconds=limits.timeout_seconds,
            )
            lanes = self._lanes[tenant] = _Lanes(reads, writes)
        return lanes

    @contextmanager
    def _asking(self, seconds: float) -> Iterator[None]:
        """Turns what MongoDB raises into what the contract says, and bounds the time."""
        try:
            with pymongo.timeout(seconds):
                yield
        except ExecutionTimeout as error:
            raise NgsiLdError(
                ErrorType.TOO_COMPLEX_QUERY,
                f"the query takes longer than {seconds:g} s: ask for less, or for a type",
            ) from error
        except OperationFailure as error:
            raise StoreUnavailable(f"the database refuses with code {error.code}") from error
        except PyMongoError as error:
            raise unavailable(error) from error


def _creates(mutation: Mutation) -> bool:
    try:
        return mutation(None) is not None
    except NgsiLdError:
        return False
