"""Pages and counts of the entities that a query selects.

MongoDB decides what it can (see `filters`); what it leaves in doubt is read in batches and tested in memory, with the
entities at the end of links where the query follows some.
"""

from collections.abc import AsyncIterator
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection

from broker.store import documents
from broker.store.filters import mongo_filter
from broker.store.store import Position
from ngsi_ld.entity import Entity
from ngsi_ld.query.matching import matches, unresolved
from ngsi_ld.query.query import Query

Entities = AsyncCollection[dict[str, Any]]

CREATION_ORDER = [("createdAt", ASCENDING), ("_id", ASCENDING)]

_SMALLEST_BATCH = 100
_LARGEST_BATCH = 1000


async def page(
    entities: Entities, query: Query, *, now: str, limit: int, offset: int = 0, after: Position | None = None
) -> list[Entity]:
    """At most `limit` entities in order of creation, from `after` on if given, `offset` further."""
    asked = mongo_filter(query, now)
    condition = asked.mongo if after is None else {"$and": [_later(after), asked.mongo]}
    if asked.doubt is None:
        found = entities.find(condition, sort=CREATION_ORDER, skip=offset, limit=limit, batch_size=limit)
        return [documents.entity(stored) for stored in await found.to_list()]
    selected: list[Entity] = []
    async for batch in _tested(entities, query, condition, now, offset + limit):
        passed = min(offset, len(batch))
        offset -= passed
        selected += batch[passed:]
        if len(selected) >= limit:
            break
    return selected[:limit]


async def count(entities: Entities, query: Query, *, now: str) -> int:
    """How many entities it selects: all that are certain, and of the others those that pass the test."""
    asked = mongo_filter(query, now)
    number: int = await entities.count_documents(asked.certain)
    if asked.doubt is not None:
        async for batch in _tested(entities, query, asked.doubtful, now, _LARGEST_BATCH):
            number += len(batch)
    return number


async def _tested(
    entities: Entities, query: Query, condition: dict[str, Any], now: str, wanted: int
) -> AsyncIterator[list[Entity]]:
    """Batches of those that match the condition and pass the test, in order of creation."""
    size = max(_SMALLEST_BATCH, min(wanted, _LARGEST_BATCH))
    async with entities.find(condition, sort=CREATION_ORDER, batch_size=size) as cursor:
        while found := await cursor.to_list(size):
            batch = [documents.entity(stored) for stored in found]
            linked = await _linked(entities, query, batch, now) if query.link_depth else {}
            yield [entity for entity in batch if matches(query, entity, now, linked.get)]


async def _linked(entities: Entities, query: Query, batch: list[Entity], now: str) -> dict[str, Entity | None]:
    """The entities that links of the batch lead to and that the query looks at, with None for those that are not."""
    linked: dict[str, Entity | None] = {}
    while missing := set().union(*(unresolved(query, entity, now, linked) for entity in batch)):
        linked |= dict.fromkeys(missing)
        async for stored in entities.find({"_id": {"$in": list(missing)}}, batch_size=_LARGEST_BATCH):
            linked[stored["_id"]] = documents.entity(stored)
    return linked


def _later(position: Position) -> dict[str, Any]:
    """What comes after it in order of creation; the first condition bounds the index, the second splits equals."""
    return {
        "createdAt": {"$gte": position.created_at},
        "$or": [{"createdAt": {"$gt": position.created_at}}, {"_id": {"$gt": position.id}}],
    }
