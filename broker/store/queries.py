"""Pages and counts of the entities that a query selects, in order of creation or in the order that it asks for.

MongoDB decides what it can (see `filters`). What it leaves in doubt is tested in memory, with the entities at the end
of links where the query follows some: of a first page what stands on it, and more is read in the place of what fails.
To count off an offset, what is in doubt is read beforehand if it is little and what fails is excluded.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DocumentTooLarge

from broker.store import documents
from broker.store.filters import Filter, Mongo, Sort, mongo_filter, mongo_sort
from broker.store.store import Position
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query.matching import matches, unresolved
from ngsi_ld.query.ordering import BY_ID, Ordering
from ngsi_ld.query.paths import Path
from ngsi_ld.query.q import And, Condition, Exists, Or
from ngsi_ld.query.query import Query
from ngsi_ld.query.sorting import sort_key

Entities = AsyncCollection[dict[str, Any]]

CREATION_ORDER = [("createdAt", ASCENDING), ("_id", ASCENDING)]

_WITHOUT_ATTRIBUTES = {"attrs": {"$literal": {}}, "types": 1, "scope": 1, "createdAt": 1, "modifiedAt": 1} | {
    "expiresAt": 1,
    "v": 1,
}
_LARGEST_BATCH = 1000
_ORDERED_BATCH = 5000
_FEW_DOUBTS = 200
_MOST_ORDERED = 100_000
_MOST_KEYS = 20_000
_TELLS_CASES_APART = 3


def compared(condition: Condition) -> Iterator[str]:
    """The attributes, by IRI, whose values the condition compares with some: what an index of values serves."""
    if isinstance(condition, And | Or):
        for one in condition.conditions:
            yield from compared(one)
        return
    path = condition.path
    if isinstance(path, Path) and path == Path(path.names[:1]) and path.names and not isinstance(condition, Exists):
        yield path.names[0]


async def page(
    entities: Entities,
    query: Query,
    *,
    now: str,
    limit: int,
    offset: int = 0,
    after: Position | None = None,
    bare: bool = False,
) -> list[Entity]:
    """At most `limit` entities from `offset` on; in order of creation also from the place `after` on.

    `bare` ones may come without their attributes.

    Raises TooManyResults where an order with a collation, or of what has to be tested, is asked of too many.
    """
    asked = mongo_filter(query, now)
    if query.ordering is not None and query.ordering.terms == BY_ID.terms:
        last = "" if after is None else after.id
        return await _by_id(entities, query, asked, now, limit, offset, last, bare=bare)
    if query.ordering is not None:
        return await _ordered(entities, query, asked, query.ordering, now, limit, offset)
    condition = asked.mongo
    if asked.doubt is not None:
        exact = await _certain(entities, query, asked, now) if offset else None
        if exact is None:
            return await _first_tested(entities, query, asked.mongo, now, limit, offset, after)
        condition = exact
    if after is not None:
        condition = {"$and": [_later(after), condition]}
    shown = _WITHOUT_ATTRIBUTES if bare else None
    found = entities.find(condition, shown, sort=CREATION_ORDER, skip=offset, limit=limit, batch_size=limit)
    return [documents.entity(stored) for stored in await found.to_list()]


async def ids(entities: Entities, query: Query, *, now: str, most: int) -> list[str]:
    """The ids of all entities that it selects, in their order; TooManyResults beyond `most`."""
    asked = mongo_filter(query, now)
    if asked.doubt is None and query.ordering is None:
        sort = CREATION_ORDER
        found = [one["_id"] async for one in entities.find(asked.mongo, {"_id": 1}, sort=sort, limit=most + 1)]
    elif query.ordering is None:
        found = [one.id async for batch in _tested(entities, query, asked.mongo, now, _LARGEST_BATCH) for one in batch]
    else:
        found = []
        while len(found) <= most:
            batch = await page(entities, query, now=now, limit=_ORDERED_BATCH, offset=len(found))
            found += [one.id for one in batch]
            if len(batch) < _ORDERED_BATCH:
                break
    if len(found) > most:
        raise NgsiLdError(ErrorType.TOO_MANY_RESULTS, f"more than {most} entities match: narrow the query")
    return found


async def count(entities: Entities, query: Query, *, now: str) -> int:
    """How many entities it selects: all that are certain, and of the others those that pass the test."""
    asked = mongo_filter(query, now)
    number: int = await entities.count_documents(asked.certain)
    if asked.doubt is not None:
        async for batch in _tested(entities, query, asked.doubtful, now, _LARGEST_BATCH):
            number += len(batch)
    return number


async def _by_id(
    entities: Entities, query: Query, asked: Filter, now: str, limit: int, offset: int, after: str, *, bare: bool
) -> list[Entity]:
    """In the order of ids, from the place after one on: the order in which several brokers' entities are merged."""
    selected: list[Entity] = []
    skip = offset if asked.doubt is None else 0
    while len(selected) < limit:
        size = min(limit - len(selected) + offset - skip, _LARGEST_BATCH)
        condition = {"$and": [{"_id": {"$gt": after}}, asked.mongo]} if after else asked.mongo
        shown = _WITHOUT_ATTRIBUTES if bare and asked.doubt is None else None
        found = await entities.find(
            condition, shown, sort=[("_id", ASCENDING)], skip=skip, limit=size, batch_size=size
        ).to_list()
        if found:
            after = found[-1]["_id"]
        if asked.doubt is None:
            selected += [documents.entity(stored) for stored in found]
            skip = offset = 0
        else:
            passed = await _passing(entities, query, found, now)
            selected += passed[offset:]
            offset = max(0, offset - len(passed))
        if len(found) < size:
            break
    return selected


async def _ordered(
    entities: Entities, query: Query, asked: Filter, ordering: Ordering, now: str, limit: int, offset: int
) -> list[Entity]:
    sort = mongo_sort(ordering, now)
    if sort is None:
        return await _ordered_in_memory(entities, query, asked, ordering, now, limit, offset)
    condition = None if sort.collation is not None else await _certain(entities, query, asked, now)
    if condition is not None:
        stages: list[Mongo] = [{"$match": condition}, *sort.stages, {"$skip": offset}, {"$limit": limit}]
        return [documents.entity(stored) async for stored in await entities.aggregate(stages, batchSize=limit)]
    # A collation holds for the whole command, so what matches is found by one without.
    ids = await _ids(entities, query, asked, now)
    if sort.collation is not None and len(ids) <= _MOST_KEYS:
        with suppress(DocumentTooLarge):
            return await _ordered_by_keys(entities, list(ids), sort, limit, offset)
    stages = [{"$match": {"_id": {"$in": list(ids)}}}, *sort.stages]
    if sort.collation is None or sort.collation.get("strength", _TELLS_CASES_APART) >= _TELLS_CASES_APART:
        stages.append({"$limit": offset + limit})
    async with await entities.aggregate(stages, collation=sort.collation) as cursor:
        found = [stored async for stored in cursor if stored["_id"] in ids]
    return [documents.entity(stored) for stored in found[offset : offset + limit]]


async def _ordered_by_keys(entities: Entities, ids: list[str], sort: Sort, limit: int, offset: int) -> list[Entity]:
    """The page of these entities: what they are ordered by is read, sent to be sorted by the collation, then the page.

    A command with a collation that looked for the entities itself would go through all that there are. Raises
    DocumentTooLarge where the keys do not fit into a command.
    """
    read: list[Mongo] = [
        {"$match": {"_id": {"$in": ids}}},
        *sort.keys,
        {"$project": dict.fromkeys(sort.order["$sort"], 1)},
    ]
    keys = await (await entities.aggregate(read, batchSize=len(ids))).to_list()
    stages = [
        {"$documents": {"$literal": keys}},
        sort.order,
        {"$skip": offset},
        {"$limit": limit},
        {"$project": {"_id": 1}},
    ]
    page = [one["_id"] async for one in await entities.database.aggregate(stages, collation=sort.collation)]
    found = {stored["_id"]: stored async for stored in entities.find({"_id": {"$in": page}}, batch_size=limit)}
    return [documents.entity(found[one]) for one in page if one in found]


async def _ordered_in_memory(
    entities: Entities, query: Query, asked: Filter, ordering: Ordering, now: str, limit: int, offset: int
) -> list[Entity]:
    """All that match are read, and the first ones kept."""
    first: list[Entity] = []
    place = sort_key(ordering, now)
    async for batch in _tested(entities, query, asked.mongo, now, _LARGEST_BATCH):
        first = sorted(first + batch, key=place)[: offset + limit]
    return first[offset:]


async def _ids(entities: Entities, query: Query, asked: Filter, now: str) -> set[str]:
    ids = {stored["_id"] async for stored in entities.find(asked.certain, {"_id": 1}, limit=_MOST_ORDERED + 1)}
    if asked.doubt is not None and len(ids) <= _MOST_ORDERED:
        async for batch in _tested(entities, query, asked.doubtful, now, _LARGEST_BATCH):
            ids.update(entity.id for entity in batch)
    if len(ids) > _MOST_ORDERED:
        raise NgsiLdError(
            ErrorType.TOO_MANY_RESULTS,
            f"more than {_MOST_ORDERED} entities match, which is too many for this orderBy: narrow the query",
        )
    return ids


async def _certain(entities: Entities, query: Query, asked: Filter, now: str) -> Mongo | None:
    """A condition that is the query's answer without doubt; None where too many would have to be tested for one."""
    if asked.doubt is None:
        return asked.mongo
    doubtful = await entities.find(asked.doubtful, limit=_FEW_DOUBTS + 1, batch_size=_FEW_DOUBTS + 1).to_list()
    if len(doubtful) > _FEW_DOUBTS:
        return None
    passed = {entity.id for entity in await _passing(entities, query, doubtful, now)}
    failed = [stored["_id"] for stored in doubtful if stored["_id"] not in passed]
    return {"$and": [asked.mongo, {"_id": {"$nin": failed}}]} if failed else asked.mongo


async def _first_tested(
    entities: Entities, query: Query, condition: Mongo, now: str, limit: int, offset: int, after: Position | None
) -> list[Entity]:
    selected: list[Entity] = []
    async for batch in _tested(entities, query, condition, now, offset + limit, after):
        passed = min(offset, len(batch))
        offset -= passed
        selected += batch[passed:]
        if len(selected) >= limit:
            break
    return selected[:limit]


async def _tested(
    entities: Entities, query: Query, condition: Mongo, now: str, size: int, after: Position | None = None
) -> AsyncIterator[list[Entity]]:
    """All that match the condition and pass the test, in order of creation, by batches of `size` and then more."""
    while True:
        size = min(size, _LARGEST_BATCH)
        rest = condition if after is None else {"$and": [_later(after), condition]}
        found = await entities.find(rest, sort=CREATION_ORDER, limit=size, batch_size=size).to_list()
        yield await _passing(entities, query, found, now)
        if len(found) < size:
            return
        after = Position(found[-1]["createdAt"], found[-1]["_id"])
        size *= 2


async def _passing(entities: Entities, query: Query, found: list[documents.Document], now: str) -> list[Entity]:
    batch = [documents.entity(stored) for stored in found]
    linked = await _linked(entities, query, batch, now) if query.link_depth else {}
    return [entity for entity in batch if matches(query, entity, now, linked.get)]


async def _linked(entities: Entities, query: Query, batch: list[Entity], now: str) -> dict[str, Entity | None]:
    """The entities that links of the batch lead to and that the query looks at, with None for those that are not."""
    linked: dict[str, Entity | None] = {}
    while missing := set().union(*(unresolved(query, entity, now, linked) for entity in batch)):
        linked |= dict.fromkeys(missing)
        async for stored in entities.find({"_id": {"$in": list(missing)}}, batch_size=_LARGEST_BATCH):
            linked[stored["_id"]] = documents.entity(stored)
    return linked


def _later(position: Position) -> Mongo:
    """What comes after it in order of creation; the first condition bounds the index, the second splits equals."""
    return {
        "createdAt": {"$gte": position.created_at},
        "$or": [{"createdAt": {"$gt": position.created_at}}, {"_id": {"$gt": position.id}}],
    }
