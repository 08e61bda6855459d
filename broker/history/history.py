"""The temporal evolution of entities: what operations ask of it (5.6.11 to 5.6.16, 5.7.3, 5.7.4)."""

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from broker.history.aggregates import Periods, aggregated
from broker.history.buckets import LARGEST, size
from broker.history.collections import Collections, of_entity, provided_id
from broker.history.corrections import Replace, rewrite, supersede
from broker.history.downsampling import uncounted
from broker.history.marks import Marks
from broker.history.packing import Packer
from broker.history.reading import Wanted, present, rows_of
from broker.history.rows import SCOPE, Document, Row, creation, given_rows, instance, row, series, value_at
from broker.store import documents
from broker.store.filters import mongo_filter
from broker.store.names import key
from broker.store.store import StoreUnavailable, unavailable
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data, not_found
from ngsi_ld.query.query import Query
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.aggregation import Aggregation
from ngsi_ld.temporal.expansion import EntityTemporal
from ngsi_ld.temporal.representation import Evolution, Series

_LARGEST_VALUE = 15 * 1024 * 1024
_MANY = 50
"""Rows in one request from which on they go into buckets at once."""


class History:
    """The history of all tenants. Reads see every write that was acknowledged before they began."""

    def __init__(
        self,
        collections: Collections,
        packer: Packer,
        marks: Marks,
        *,
        make_tenant: Callable[[str], Awaitable[None]],
        tenant_exists: Callable[[str], Awaitable[bool]],
        timeout: float,
    ) -> None:
        self._collections = collections
        self._packer = packer
        self._marks = marks
        self._make_tenant = make_tenant
        self._tenant_exists = tenant_exists
        self._timeout = timeout

    async def add(self, tenant: str, given: EntityTemporal, now: str, *, create: bool = True) -> bool:
        """Adds the instances; whether the entity had no history before, which is ResourceNotFound without `create`."""
        rows = given_rows(given, now, secrets.randbelow(1000))
        _check_sizes(rows)
        with self._asking():
            if create:
                await self._make_tenant(tenant)
            else:
                await self._existing(tenant)
            await self._collections.make(tenant)
            async with self._packer.turns.of(tenant, given.id):
                return await self._add(tenant, given, rows, now, create=create)

    async def _add(self, tenant: str, given: EntityTemporal, rows: list[Row], now: str, *, create: bool) -> bool:
        change = {
            "$setOnInsert": {"createdAt": now},
            "$set": {"modifiedAt": now},
            "$addToSet": {
                "types": {"$each": given.types},
                "series": {"$each": sorted({series(one) for one in rows})},
            },
        }
        entities = self._collections.entities(tenant)
        result = await entities.update_one({"_id": given.id}, change)
        if not result.matched_count:
            # Unless it is only that its first change is not recorded yet.
            await self._marks.caught_up()
            result = await entities.update_one({"_id": given.id}, change, upsert=create)
            if not create and not result.matched_count:
                raise _unknown(given.id)
        log_id = provided_id(given.id, instants.read(now), secrets.token_hex(4))

        async def put(session: AsyncClientSession) -> None:
            new = rows
            if result.upserted_id is None:
                new = await supersede(self._collections, tenant, given.id, rows, now, session)
                new = await uncounted(self._collections, tenant, given.id, new, instants.read(now), session)
            if len(new) >= _MANY or size(new) > LARGEST:
                await self._packer.merge(tenant, given.id, new, session)
            elif new:
                one = {"_id": log_id, "e": given.id, "r": new}
                await self._collections.log(tenant).insert_one(one, session=session)

        async with self._collections.client.start_session() as session:
            await session.with_transaction(put)
        return result.upserted_id is not None

    async def delete(self, tenant: str, entity_id: str) -> None:
        """Deletes the history of an entity; ResourceNotFound."""
        with self._asking():
            await self._entity(tenant, entity_id)
            await self._marks.forgotten(tenant, entity_id)
            result = await self._collections.entities(tenant).delete_one({"_id": entity_id})
            await self._clear(tenant, entity_id, {})
            if not result.deleted_count:
                raise _unknown(entity_id)

    async def delete_attribute(
        self, tenant: str, entity_id: str, attribute: str, dataset_id: str | None, *, all_instances: bool
    ) -> None:
        """Deletes the history of an attribute, of one of its datasets or of all; ResourceNotFound."""
        with self._asking():
            entity = await self._entity(tenant, entity_id)
            name = key(attribute)
            ours = [one for one in entity.get("series", ()) if one.partition("\n")[0] == name]
            if not all_instances:
                ours = [one for one in ours if (one.partition("\n")[2] or None) == dataset_id]
            if not ours:
                raise not_found(f"the history of {entity_id} has no such attribute {attribute}")
            change = {"$pull": {"series": {"$in": ours}}}
            await self._collections.entities(tenant).update_one({"_id": entity_id}, change)
            await self._marks.forgotten(tenant, entity_id)
            await self._clear(tenant, entity_id, {"a": name} if all_instances else {"a": name, "d": dataset_id})

    async def replace_instance(
        self, tenant: str, entity_id: str, attribute: str, instance_id: str, new: Instance, now: str
    ) -> None:
        """Puts another instance in the place of one, which keeps its id and createdAt; ResourceNotFound."""

        def replaced(old: Row) -> Row:
            whole = documents.document(Entity(entity_id, [], {attribute: [new]}), plain_geo=True)
            (stored,) = whole["attrs"][old["a"]]
            made = row(old["a"], {**stored, **({"datasetId": old["d"]} if "d" in old else {})}, old["c"])
            _check_sizes((made,))
            return made | {"c": old["c"], "m": instants.read(now)}

        await self._correct(tenant, entity_id, attribute, instance_id, replaced)

    async def delete_instance(self, tenant: str, entity_id: str, attribute: str, instance_id: str) -> None:
        """Deletes one instance; ResourceNotFound."""
        await self._correct(tenant, entity_id, attribute, instance_id, lambda _: None)

    async def entity(self, tenant: str, entity_id: str) -> Document:
        """What is known of an entity that has a history: its document, see `collections`; ResourceNotFound."""
        with self._asking():
            return await self._entity(tenant, entity_id)

    async def entities(
        self, tenant: str, query: Query, now: str, *, after: str | None, size: int, descending: bool = False
    ) -> list[Document]:
        """Entities that the selectors of a query select, in order of their ids, from the id `after` on.

        Fewer than `size` are not the end; none are.
        """
        with self._asking():
            condition = mongo_filter(Query(selectors=query.selectors), now).mongo
            if after is not None:
                condition = {"$and": [{"_id": {"$lt" if descending else "$gt": after}}, condition]}
            cursor = self._collections.entities(tenant).find(condition, limit=size, batch_size=size)
            return await cursor.sort("_id", -1 if descending else 1).to_list()

    async def begin(self, tenant: str) -> None:
        """Waits until the reads of a query see all that was acknowledged before; NonexistentTenant."""
        with self._asking():
            await self._existing(tenant)
            await self._marks.caught_up()

    async def rows(self, tenant: str, entity: Document, wanted: Wanted) -> list[Row]:
        """The rows of an entity that are wanted, those of each series in order of time."""
        with self._asking():
            return await rows_of(self._collections, tenant, entity, wanted)

    async def present(self, tenant: str, entities: Sequence[Document], wanted: Wanted) -> set[str]:
        """The ids of those of the entities that have a row that is wanted."""
        with self._asking():
            moves = {one["_id"]: one.get("moves", 0) for one in entities}
            return await present(self._collections, tenant, moves, wanted)

    async def aggregates(
        self, tenant: str, entities: Sequence[Document], wanted: Wanted, asked: Aggregation, most: int
    ) -> dict[str, dict[Series, Periods]]:
        """See `aggregates.aggregated`."""
        with self._asking():
            moves = {one["_id"]: one.get("moves", 0) for one in entities}
            return await aggregated(self._collections, tenant, moves, wanted, asked, most)

    async def _correct(self, tenant: str, entity_id: str, attribute: str, instance_id: str, replaced: Replace) -> None:
        created, name = creation(instance_id), key(attribute)

        def replace(row: Row) -> Row | None:
            return replaced(row) if row["a"] == name and row["c"] == created else row

        with self._asking():
            await self._entity(tenant, entity_id)

            async def correct(session: AsyncClientSession) -> int:
                return await rewrite(self._collections, tenant, entity_id, {"a": name}, replace, session)

            turn = self._packer.turns.of(tenant, entity_id)
            async with turn, self._collections.client.start_session() as session:
                if created is None or not await session.with_transaction(correct):
                    raise not_found(f"{attribute} has no instance {instance_id} in the history of {entity_id}")

    async def _clear(self, tenant: str, entity_id: str, condition: Document) -> None:
        """Deletes rows: of the log by emptying its documents, which tell that changes have been recorded."""
        rows = {"r": condition} if condition else {"r": {"a": {"$exists": True}}}
        await self._collections.log(tenant).update_many({"_id": of_entity(entity_id)}, {"$pull": rows})
        for collection in (self._collections.buckets(tenant), self._collections.sums(tenant)):
            await collection.delete_many({"e": entity_id, **condition})

    async def _entity(self, tenant: str, entity_id: str) -> Document:
        await self._existing(tenant)
        entities = self._collections.entities(tenant)
        found = await self._marks.after_all(lambda session: entities.find_one({"_id": entity_id}, session=session))
        if found is None:
            raise _unknown(entity_id)
        return found

    async def _existing(self, tenant: str) -> None:
        if not await self._tenant_exists(tenant):
            raise NgsiLdError(ErrorType.NONEXISTENT_TENANT, f"there is no tenant {tenant}")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with pymongo.timeout(self._timeout):
                yield
        except ExecutionTimeout as error:
            raise NgsiLdError(
                ErrorType.TOO_COMPLEX_QUERY,
                f"the query takes longer than {self._timeout:g} s: ask for fewer entities or less time",
            ) from error
        except OperationFailure as error:
            raise StoreUnavailable(f"the database refuses with code {error.code}") from error
        except PyMongoError as error:
            raise unavailable(error) from error


def evolution(
    entity: Document, rows: Collection[Row], shown: Collection[str] | None = None, *, values_at: str | None = None
) -> Evolution:
    """The evolution of an entity as rows tell it; `shown` are the KEYs of attributes that are there even if empty.

    With `values_at`, a time property, instances have no more than their value and that time.
    """
    attributes: dict[str, list[Document]] = {name: [] for name in shown or () if name != SCOPE}
    scope: list[dict[str, Any]] = []
    for one in rows:
        if one["a"] == SCOPE:
            made = instance(one, SCOPE)
            scope.append({**made, "value": one["v"] or []})
        else:
            made = instance(one, one["a"]) if values_at is None else value_at(one, values_at)
            attributes.setdefault(one["a"], []).append(made)
    stored = {"_id": entity["_id"], "types": entity["types"], "scope": [], "v": 0, "attrs": attributes}
    restored = documents.entity(stored | {"createdAt": entity.get("createdAt", ""), "modifiedAt": entity["modifiedAt"]})
    return Evolution(
        restored.id,
        restored.types,
        restored.attributes,
        scope or None,
        restored.created_at,
        restored.modified_at,
        entity.get("deletedAt"),
    )


def _check_sizes(rows: Sequence[Row]) -> None:
    for one in rows:
        if size((one,)) > _LARGEST_VALUE:
            raise bad_request_data("a value is larger than what the database can keep, 15 MB as it stores them")


def _unknown(entity_id: str) -> NgsiLdError:
    return not_found(f"there is no history of an entity {entity_id}")
