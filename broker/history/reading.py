"""Reading rows: of the buckets and of what waits in the log, only as many as are asked for."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from broker.history.buckets import unpack
from broker.history.collections import Collections, of_entity
from broker.history.rows import SCOPE, Document, Row, time_of
from broker.history.sums import MONTH_DAYS, spans
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import TemporalQuery

_RETRIES = 20
_FEW = 100
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

    async def read() -> list[Row]:
        found: dict[Any, list[Row]] = {}
        async for one in collections.log(tenant).find({"_id": of_entity(entity["_id"])}):
            for row in one["r"]:
                if selects(wanted, row):
                    found.setdefault((row["a"], row.get("d")), []).append(row)
        for name in entity.get("series", ()):
            await _packed(collections, tenant, entity["_id"], name, wanted, found)
        rows: list[Row] = []
        for series in found.values():
            series.sort(key=lambda row: (moment(row, wanted.query.timeproperty), row["c"]))
            if wanted.limit is not None:
                series = series[-wanted.limit :] if wanted.latest else series[: wanted.limit]
            rows += series
        return rows

    return await unmoved(collections, tenant, {entity["_id"]: entity.get("moves", 0)}, read)


async def _packed(
    collections: Collections, tenant: str, entity_id: str, series: str, wanted: Wanted, found: dict[Any, list[Row]]
) -> None:
    """Adds the rows of one series from its buckets, in order of days, until there are enough."""
    name, _, dataset_id = series.partition("\n")
    if (wanted.attributes is not None and name not in wanted.attributes) or (
        wanted.datasets is not None and name != SCOPE and (dataset_id or "@none") not in wanted.datasets
    ):
        return
    condition = {**bucket_condition(wanted), "e": entity_id, "a": name, "d": dataset_id or None}
    condition.pop("$or", None)
    by_day = wanted.query.timeproperty == "observedAt"
    rows: list[Row] = []
    day: int | None = None
    # A few buckets at first where a few rows are asked for: most series need one or two.
    size = 2 if wanted.limit is not None and wanted.limit <= _FEW else 100
    cursor = collections.buckets(tenant).find(condition, batch_size=size).sort("w", -1 if wanted.latest else 1)
    async with cursor:
        async for bucket in cursor:
            if by_day and wanted.limit is not None and len(rows) >= wanted.limit and bucket["w"] != day:
                break
            day = bucket["w"]
            rows += [row for row in unpack(bucket) if wanted.query.includes(time_of(row, wanted.query.timeproperty))]
    if rows:
        found.setdefault((name, dataset_id or None), []).extend(rows)


async def present(collections: Collections, tenant: str, moves: Mapping[str, int], wanted: Wanted) -> set[str]:
    """Those of the entities, given as for `unmoved`, that have a row that is wanted."""
    query = wanted.query
    found_in: Document = {"e": {"$in": list(moves)}, **bucket_condition(wanted)}
    first = 0 if query.start is None else query.start // instants.DAY + 1
    last = None if query.end is None else query.end // instants.DAY - 1
    inside: Document = {"w": {"$gte": first} if last is None else {"$gte": first, "$lte": last}}
    by_day = query.timeproperty == "observedAt"

    async def read() -> set[str]:
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
        return found

    return await unmoved(collections, tenant, moves, read)


def _overlaps(query: TemporalQuery, start: int, end: int) -> bool:
    """Whether a part of the time from `start` to before `end` is asked for."""
    return (query.end is None or start < query.end) and (query.start is None or end > query.start)


def _both(condition: Document, inside: Document) -> Document:
    """The days that both allow."""
    return {"w": {**condition.get("w", {}), **inside["w"]}}


async def unmoved(
    collections: Collections, tenant: str, moves: Mapping[str, int], read: Callable[[], Awaitable[_T]]
) -> _T:
    """What `read` gives when no rows of the entities moved from the log to the buckets meanwhile; else it reads again.

    `moves` has the entities with how often rows of theirs had moved when they were found.
    """
    entities = collections.entities(tenant)
    before = dict(moves)
    for _ in range(_RETRIES):
        result = await read()
        found = entities.find({"_id": {"$in": list(before)}}, {"moves": 1}, batch_size=len(before) + 1)
        after = {one["_id"]: one.get("moves", 0) async for one in found}
        if all(after.get(entity_id, 0) == number for entity_id, number in before.items()):
            break
        before = {entity_id: after.get(entity_id, 0) for entity_id in before}
    return result
