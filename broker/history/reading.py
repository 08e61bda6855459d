"""Reading rows: of the buckets and of what waits in the log, only as many as are asked for."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from broker.history.buckets import unpack
from broker.history.collections import BUCKETS, ENTITIES, Collections, of_entity
from broker.history.rows import SCOPE, Document, Row, time_of
from broker.history.sums import MONTH_DAYS, spans
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import TemporalQuery

_RETRIES = 20
_DENSE = 50
"""Rows that a bucket is taken to have at least, where a limit says how many are wanted."""
_FEW = 2
_MORE = 8
"""How many times more buckets are read where it had not."""
_BATCH = 1000
_ORDERS = {
    "observedAt": ({"w": 1}, {"w": -1}),
    "createdAt": ({"C.0": 1}, {"C.1": -1}),
    "modifiedAt": ({"C.0": 1}, {"C.1": -1}),
}
"""By what buckets are read, the earliest or the latest first."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: of these attributes (KEYs; None: all), of these datasets ("@none" for the default), in this time.

    Of each attribute and dataset at most `limit` rows are read: the latest where `latest`, else the earliest. `sums`
    tells that what is kept as sums only counts as present too.
    """

    query: TemporalQuery
    attributes: Collection[str] | None = None
    datasets: Collection[str] | None = None
    limit: int | None = None
    latest: bool = False
    sums: bool = False


def bucket_condition(wanted: Wanted) -> Document:
    """What selects the buckets that can have rows of the query; `w` is the day."""
    condition: Document = {}
    query = wanted.query
    if wanted.attributes is not None:
        condition["a"] = {"$in": sorted(wanted.attributes)}
    if wanted.datasets is not None:
        named = [None if one == "@none" else one for one in wanted.datasets]
        condition["$or"] = [{"a": SCOPE}, {"d": {"$in": named}}]
    if query.timeproperty == "deletedAt" and query.filtered:
        condition["x"] = {"$exists": True}
    if query.timeproperty == "observedAt" and query.filtered:
        condition["o"] = True
        days: Document = {}
        if query.start is not None:
            days["$gte"] = query.start // instants.DAY
        if query.end is not None:
            days["$lte"] = (query.end - 1) // instants.DAY
        if days:
            condition["w"] = days
    if query.timeproperty in ("createdAt", "modifiedAt"):
        if query.start is not None:
            condition["C.1"] = {"$gte": query.start}
        if query.end is not None:
            condition["C.0"] = {"$lt": query.end}
    return condition


def kept_condition(wanted: Wanted) -> Document:
    """What selects the sums that can have rows of the query, see `sums`."""
    condition: Document = {}
    query = wanted.query
    if wanted.attributes is not None:
        condition["a"] = {"$in": sorted(wanted.attributes)}
    if wanted.datasets is not None:
        condition["d"] = {"$in": [None if one == "@none" else one for one in wanted.datasets]}
    if query.timeproperty == "observedAt":
        if query.filtered:
            condition["o"] = True
        days: Document = {}
        if query.start is not None:
            days["$gte"] = query.start // instants.DAY - MONTH_DAYS
        if query.end is not None:
            days["$lte"] = (query.end - 1) // instants.DAY
        if days:
            condition["w"] = days
        return condition
    if query.start is not None:
        condition["c.1"] = {"$gte": query.start}
    if query.end is not None:
        condition["c.0"] = {"$lt": query.end}
    return condition


def selects(wanted: Wanted, row: Row) -> bool:
    """Whether a row is asked for."""
    return (
        (wanted.attributes is None or row["a"] in wanted.attributes)
        and (wanted.datasets is None or row["a"] == SCOPE or row.get("d", "@none") in wanted.datasets)
        and wanted.query.includes(time_of(row, wanted.query.timeproperty))
    )


def moment(row: Row, timeproperty: str) -> int:
    """By what the rows of a series are ordered: the time property, or for lack of it when it came."""
    time = time_of(row, timeproperty)
    return row["t"] if time is None else time


async def rows_of(collections: Collections, tenant: str, entity: Document, wanted: Wanted) -> list[Row]:
    """The rows of an entity, given by its document in the collection of entities, in order of time."""
    names = [name for name in entity.get("series", ()) if _is_wanted(name, wanted)]
    limit = wanted.limit if wanted.query.timeproperty in _ORDERS else None
    buckets = None if limit is None else limit // _DENSE + _FEW
    moves = entity.get("moves", 0)
    for _ in range(_RETRIES):
        found, moved = await _rows(collections, tenant, entity["_id"], names, wanted, buckets)
        if moved == moves:
            if buckets is None or not any(_is_short(one, buckets, wanted) for one in found.values()):
                break
            buckets *= _MORE
        moves = moved
    rows: list[Row] = []
    for series in found.values():
        ordered = sorted(series.rows, key=lambda row: (moment(row, wanted.query.timeproperty), row["c"]))
        if wanted.limit is not None:
            ordered = ordered[-wanted.limit :] if wanted.latest else ordered[: wanted.limit]
        rows += ordered
    return rows


@dataclass(slots=True)
class _Read:
    """What was read of a series: its rows, its number of buckets, and the last of these."""

    rows: list[Row] = field(default_factory=list)
    buckets: int = 0
    last: Document | None = None


def _numbers(bucket: Document, wanted: Wanted) -> range:
    """Which rows of a bucket to look at: no more than are wanted of the series, where they are in that order."""
    times, limit, query = bucket["t"], wanted.limit, wanted.query
    every = range(len(times))
    if limit is None or query.timeproperty != "observedAt":
        return every
    first, last = (bucket["b"] + bucket["u"] * time for time in (times[0], times[-1]))
    if wanted.latest:
        return every[-limit:] if query.end is None or last < query.end else every
    return every[:limit] if query.start is None or first >= query.start else every


def _is_short(read: _Read, buckets: int, wanted: Wanted) -> bool:
    """Whether there may be more buckets, and rows that are wanted in them."""
    if read.buckets < buckets or read.last is None or wanted.limit is None:
        return False
    named = wanted.query.timeproperty
    if named == "observedAt":
        # Other buckets of that day may not have been read.
        first = read.last["w"] * instants.DAY
        last = first + instants.DAY - 1
    else:
        first, last = read.last["C"]
    times = (moment(row, named) for row in read.rows)
    certain: int = sum(time > last for time in times) if wanted.latest else sum(time < first for time in times)
    return certain < wanted.limit


def _is_wanted(series: str, wanted: Wanted) -> bool:
    name, _, dataset_id = series.partition("\n")
    return (wanted.attributes is None or name in wanted.attributes) and (
        wanted.datasets is None or name == SCOPE or (dataset_id or "@none") in wanted.datasets
    )


async def _rows(
    collections: Collections, tenant: str, entity_id: str, names: list[str], wanted: Wanted, most: int | None
) -> tuple[dict[tuple[str, str | None], _Read], int]:
    """By series what the log and at most so many of its buckets have; and how often rows had moved after that.

    One command, whose parts MongoDB goes through in order: the number of moves is read last.
    """
    in_log: Document = {"_id": of_entity(entity_id)}
    if wanted.attributes is not None:
        in_log["r.a"] = {"$in": sorted(wanted.attributes)}
    stages: list[Document] = [{"$match": in_log}]
    condition = bucket_condition(wanted)
    condition.pop("$or", None)
    for series in names:
        name, _, dataset_id = series.partition("\n")
        of_series: list[Document] = [{"$match": {**condition, "e": entity_id, "a": name, "d": dataset_id or None}}]
        if most is not None:
            of_series += [{"$sort": _ORDERS[wanted.query.timeproperty][wanted.latest]}, {"$limit": most}]
        stages.append({"$unionWith": {"coll": BUCKETS, "pipeline": of_series}})
    moves = [{"$match": {"_id": entity_id}}, {"$project": {"moves": 1}}]
    stages.append({"$unionWith": {"coll": ENTITIES, "pipeline": moves}})
    found: dict[tuple[str, str | None], _Read] = {}
    moved = 0
    async for one in await collections.log(tenant).aggregate(stages, batchSize=_BATCH):
        if "r" in one:
            for row in one["r"]:
                if selects(wanted, row):
                    found.setdefault((row["a"], row.get("d")), _Read()).rows.append(row)
        elif "t" in one:
            read = found.setdefault((one["a"], one.get("d")), _Read())
            read.buckets, read.last = read.buckets + 1, one
            numbers = _numbers(one, wanted)
            named = wanted.query.timeproperty
            read.rows += [row for row in unpack(one, numbers) if wanted.query.includes(time_of(row, named))]
        else:
            moved = one.get("moves", 0)
    return found, moved


async def present(collections: Collections, tenant: str, moves: Mapping[str, int], wanted: Wanted) -> set[str]:
    """Those of the entities, given as for `unmoved`, that have a row that is wanted."""
    query = wanted.query
    found_in: Document = {"e": {"$in": list(moves)}, **bucket_condition(wanted)}
    first = 0 if query.start is None else query.start // instants.DAY + 1
    last = None if query.end is None else query.end // instants.DAY - 1
    inside: Document = {"w": {"$gte": first} if last is None else {"$gte": first, "$lte": last}}
    by_day = query.timeproperty == "observedAt"

    async def read() -> tuple[set[str], dict[str, int]]:
        found: set[str] = set()
        log: Document = {"$or": [{"_id": of_entity(entity_id)} for entity_id in moves]}
        async for one in collections.log(tenant).find(log):
            if one["e"] not in found and any(selects(wanted, row) for row in one["r"]):
                found.add(one["e"])
        buckets = collections.buckets(tenant)
        if by_day:
            # A day that lies within the interval as a whole needs no look at its rows.
            group: list[Document] = [{"$match": {**found_in, **_both(found_in, inside)}}, {"$group": {"_id": "$e"}}]
            found.update([one["_id"] async for one in await buckets.aggregate(group)])
        async for bucket in buckets.find({**found_in, "e": {"$in": [one for one in moves if one not in found]}}):
            if bucket["e"] not in found and any(selects(wanted, row) for row in unpack(bucket)):
                found.add(bucket["e"])
        if wanted.sums and len(found) < len(moves):
            others = {**kept_condition(wanted), "e": {"$in": [one for one in moves if one not in found]}}
            async for sums in collections.sums(tenant).find(others, {"e": 1, "w": 1, "p": 1, "i": 1, "u": 1}):
                if not by_day or any(_overlaps(query, start, end) for start, _, end in spans(sums)):
                    found.add(sums["e"])
        after = collections.entities(tenant).find({"_id": {"$in": list(moves)}}, {"moves": 1}, batch_size=_BATCH)
        return found, {one["_id"]: one.get("moves", 0) async for one in after}

    return await unmoved(moves, read)


def _overlaps(query: TemporalQuery, start: int, end: int) -> bool:
    """Whether a part of the time from `start` to before `end` is asked for."""
    return (query.end is None or start < query.end) and (query.start is None or end > query.start)


def _both(condition: Document, inside: Document) -> Document:
    """The days that both allow."""
    return {"w": {**condition.get("w", {}), **inside["w"]}}


async def unmoved(moves: Mapping[str, int], read: Callable[[], Awaitable[tuple[_T, Mapping[str, int]]]]) -> _T:
    """What `read` gives when no rows of the entities moved from the log to the buckets meanwhile; else it reads again.

    `moves` has the entities with how often rows of theirs had moved when they were found, and `read` tells it too, of
    after it has read the others.
    """
    before = moves
    for _ in range(_RETRIES):
        result, after = await read()
        if all(after.get(entity_id, 0) == number for entity_id, number in before.items()):
            break
        before = {entity_id: after.get(entity_id, 0) for entity_id in before}
    return result
