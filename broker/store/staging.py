"""A tenant's entities written aside and put in their place at once: how a snapshot comes to its data.

They are collected under another name, which the change log does not follow, and renamed when they are complete. So
nobody sees a part of them, no subscription hears of them, and they are not recorded as changes of today.
"""

from collections.abc import Sequence
from dataclasses import replace as with_
from typing import Any

from pymongo import AsyncMongoClient, IndexModel, ReplaceOne
from pymongo.errors import BulkWriteError, OperationFailure

from broker.store import documents
from broker.store.indexes import Indexes
from broker.store.tenants import ENTITIES, OPTIONS, Database, database_name
from ngsi_ld.entity import Entity

_STAGED = "staged"
_COPIED_TOO = "history"
"""What the names of the collections of a history begin with."""

_OF_THE_INDEX = ("key", "v", "2dsphereIndexVersion")
_DUPLICATE_KEY = 11000
_NAMESPACE_NOT_FOUND = 26


class Staging:
    """The data of one tenant to be; `begin` first, `finish` last."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], indexes: Indexes, tenant: str) -> None:
        self._client = client
        self._indexes = indexes
        self._tenant = tenant
        self._database: Database = client[database_name(tenant)]
        self._geo: set[str] = set()

    async def begin(self) -> None:
        """Starts anew, whatever an earlier attempt left."""
        await self._client.drop_database(self._database.name)
        await self._database.create_collection(_STAGED, check_exists=False, **OPTIONS)
        await self._indexes.make_base(self._database[_STAGED])

    async def add(self, entities: Sequence[Entity]) -> None:
        """Adds entities; of one that is there already the attributes are united, the later ones winning."""
        new = [with_(one, version=max(1, one.version)) for one in entities]
        for one in new:
            self._geo.update(documents.geo_properties(None, one))
        try:
            await self._database[_STAGED].insert_many([documents.document(one) for one in new], ordered=False)
        except BulkWriteError as error:
            errors = error.details["writeErrors"]
            if any(one["code"] != _DUPLICATE_KEY for one in errors):
                raise
            await self._unite([new[one["index"]] for one in errors])

    async def _unite(self, entities: Sequence[Entity]) -> None:
        staged = self._database[_STAGED]
        found = await staged.find({"_id": {"$in": [one.id for one in entities]}}).to_list()
        there = {one["_id"]: documents.entity(one) for one in found}
        for one in entities:
            there[one.id] = united(there[one.id], one)
        await staged.bulk_write(
            [ReplaceOne({"_id": one.id}, documents.document(one)) for one in there.values()], ordered=False
        )

    async def size(self) -> int:
        """How many entities there are so far."""
        return await self._database[_STAGED].estimated_document_count()

    async def copy(self, source: str) -> None:
        """Takes over the entities of another tenant, and its history."""
        database = self._client[database_name(source)]
        await self._copy_indexes(database)
        # The history by the names it has, so that this module need not know what a history is made of.
        async for collection in await database.list_collections():
            name = collection["name"]
            if name == ENTITIES:
                await _pour(database, name, self._database, _STAGED)
            elif name.startswith(_COPIED_TOO):
                await _pour(database, name, self._database, name)

    async def finish(self) -> None:
        """Puts everything in its place: from now on it is a tenant like any other."""
        for attribute in self._geo:
            await self._indexes.make_geo(self._database[_STAGED], attribute)
        await self._database[_STAGED].rename(ENTITIES)
        self._indexes.forget(self._database[_STAGED])

    async def _copy_indexes(self, database: Database) -> None:
        for name, index in (await database[ENTITIES].index_information()).items():
            if name != "_id_":
                options = {one: value for one, value in index.items() if one not in _OF_THE_INDEX}
                await self._database[_STAGED].create_indexes([IndexModel(index["key"], name=name, **options)])


def united(before: Entity, after: Entity) -> Entity:
    """One entity of what two queries say of it."""
    return Entity(
        before.id,
        list(dict.fromkeys([*before.types, *after.types])),
        before.attributes | after.attributes,
        list(dict.fromkeys([*before.scope, *after.scope])),
        min(before.created_at, after.created_at),
        max(before.modified_at, after.modified_at),
        after.expires_at,
        max(before.version, after.version),
    )


async def _pour(source: Database, name: str, target: Database, into: str) -> None:
    stages = [{"$merge": {"into": {"db": target.name, "coll": into}, "on": "_id", "whenMatched": "replace"}}]
    try:
        async for _ in await source[name].aggregate(stages):
            pass
    except OperationFailure as error:
        if error.code != _NAMESPACE_NOT_FOUND:
            raise
