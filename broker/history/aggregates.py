"""Aggregates computed by MongoDB: what each period of each series comes to (4.5.19).

A bucket that lies within one period and within the range as a whole gives the sums that it carries; the others are
unwound row by row. What waits in the log is summed up by the same stages, and the two are added up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from broker.history.collections import Collections, of_entity
from broker.history.reading import Wanted, bucket_condition, unmoved
from broker.history.rows import SCOPE, Document
from broker.store.names import iri
from ngsi_ld.temporal.aggregation import Aggregation, Summary, check_applicable
from ngsi_ld.temporal.durations import periods
from ngsi_ld.temporal.representation import Series

_LAST: Document = {"$add": ["$b", {"$multiply": ["$u", {"$arrayElemAt": ["$t", -1]}]}]}
"""The time of the last row of a bucket."""

Periods = dict[tuple[int, int], Summary]


async def aggregated(
    collections: Collections, tenant: str, moves: Mapping[str, int], wanted: Wanted, asked: Aggregation, most: int
) -> dict[str, dict[Series, Periods]]:
    """By entity and series the summary of each period that has values, by the period's bounds in microseconds.

    `moves` has the entities, see `reading.unmoved`. The periods begin with the range, or for each entity with its
    first value where the range has no start. Raises InvalidRequest where a method does not apply, TooComplexQuery for
    more than `most` periods.
    """

    entity_ids = list(moves)

    async def compute() -> dict[str, dict[Series, Periods]]:
        if wanted.query.start is not None and wanted.query.timerel is not None:
            return await _summed(collections, tenant, entity_ids, wanted, asked, wanted.query.start, most)
        found: dict[str, dict[Series, Periods]] = {}
        for entity_id in entity_ids:
            extent = await _extent(collections, tenant, [entity_id], wanted)
            if extent is not None:
                found |= await _summed(collections, tenant, [entity_id], wanted, asked, extent[0], most)
        return found

    return await unmoved(collections, tenant, moves, compute)


async def _summed(
    collections: Collections,
    tenant: str,
    entity_ids: Sequence[str],
    wanted: Wanted,
    asked: Aggregation,
    start: int,
    most: int,
) -> dict[str, dict[Series, Periods]]:
    end = wanted.query.end
    if end is None:
        extent = await _extent(collections, tenant, entity_ids, wanted)
        if extent is None:
            return {}
        end = extent[1] + (0 if asked.duration.is_zero else 1)
    bounds = periods(start, end, asked.duration, asked.zone, most)
    length = asked.duration.fixed(asked.zone) if not asked.duration.is_zero else None
    number = _Numbering(bounds, length)
    group = _grouping(distinct="distinctCount" in asked.methods)
    sums: dict[tuple[str, Series, int], Document] = {}
    packed = _bucket_stages(entity_ids, wanted, number, whole="distinctCount" not in asked.methods)
    waiting = _log_stages(entity_ids, wanted, number)
    for collection, stages in ((collections.buckets(tenant), packed), (collections.log(tenant), waiting)):
        async for one in await collection.aggregate([*stages, *group], allowDiskUse=True):
            key = one["_id"]
            series: Series = (iri(key["a"]), key.get("d"), key["k"])
            place = (key["e"], series, int(key["i"]))
            sums[place] = _added(sums[place], one) if place in sums else one
    found: dict[str, dict[Series, Periods]] = {}
    for (entity_id, series, place_number), one in sums.items():
        check_applicable(series[0], frozenset(one["ks"]), asked.methods)
        period = (bounds[place_number], bounds[place_number + 1])
        found.setdefault(entity_id, {}).setdefault(series, {})[period] = _summary(one)
    return found


async def _extent(
    collections: Collections, tenant: str, entity_ids: Sequence[str], wanted: Wanted
) -> tuple[int, int] | None:
    """The times of the first and of the last value that the query asks for."""
    number = _Numbering([0, 0], None)
    group: list[Document] = [{"$group": {"_id": None, "first": {"$min": "$p.T"}, "last": {"$max": "$p.T"}}}]
    packed = _bucket_stages(entity_ids, wanted, number, whole=False)
    if wanted.query.timeproperty == "observedAt" and wanted.query.filtered:
        # Buckets know their first and last time. Only that end is asked for where the interval is open, so it is exact.
        condition = {**bucket_condition(wanted), "e": {"$in": list(entity_ids)}, "a": _attributes(wanted)}
        ends = [{"T": "$b"}, {"T": _LAST}]
        packed = [{"$match": condition}, {"$project": {"p": ends}}, {"$unwind": "$p"}]
    waiting = _log_stages(entity_ids, wanted, number)
    times: list[int] = []
    for collection, stages in ((collections.buckets(tenant), packed), (collections.log(tenant), waiting)):
        async for one in await collection.aggregate([*stages, *group]):
            times += [int(one["first"]), int(one["last"])]
    return (min(times), max(times)) if times else None


class _Numbering:
    """The expression that numbers the period of a time: by division where all are equally long, else by counting."""

    def __init__(self, bounds: list[int], length: int | None) -> None:
        self._bounds, self._length = bounds, length

    def of(self, time: Any) -> Any:
        if len(self._bounds) <= 2:
            return 0
        if self._length is not None:
            return {"$floor": {"$divide": [{"$subtract": [time, self._bounds[0]]}, self._length]}}
        passed = {"$filter": {"input": self._bounds[1:-1], "as": "bound", "cond": {"$lte": ["$$bound", time]}}}
        return {"$size": passed}


def _bucket_stages(entity_ids: Sequence[str], wanted: Wanted, number: _Numbering, *, whole: bool) -> list[Document]:
    condition: Document = {**bucket_condition(wanted), "e": {"$in": list(entity_ids)}}
    condition["a"] = _attributes(wanted)
    observed: Any = {"$add": ["$b", {"$multiply": ["$u", {"$arrayElemAt": ["$t", "$$n"]}]}]}
    if wanted.query.timeproperty == "observedAt":
        time = observed
    else:
        time = {"$add": [observed, {"$ifNull": [{"$arrayElemAt": ["$c", "$$n"]}, 0]}]}
    value = {"$arrayElemAt": ["$v", "$$n"]}
    # No value is null but that of a row which marks a deletion.
    row = {"T": time, "v": value, "x": {"$eq": [value, None]}}
    rows: Any = {"$map": {"input": {"$range": [0, "$n"]}, "as": "n", "in": row}}
    stages: list[Document] = [{"$match": condition}]
    if not (whole and wanted.query.timeproperty == "observedAt"):
        return [*stages, {"$project": {"e": 1, "a": 1, "d": 1, "k": 1, "p": rows}}, *_each(wanted, number)]
    within: list[Any] = [{"$eq": [{"$type": "$y"}, "object"]}, {"$eq": ["$i", "$j"]}]
    if wanted.query.start is not None:
        within.append({"$gte": ["$b", wanted.query.start]})
    if wanted.query.end is not None:
        within.append({"$lt": ["$z", wanted.query.end]})
    sums = {"i": "$i", "n": "$n", "s": "$y.s", "q": "$y.q", "l": "$y.l", "h": "$y.h", "K": {"$literal": "number"}}
    stages += [
        {"$set": {"z": _LAST, "i": number.of("$b")}},
        {"$set": {"j": number.of("$z")}},
        {"$project": {"e": 1, "a": 1, "d": 1, "k": 1, "p": {"$cond": [{"$and": within}, [sums], rows]}}},
    ]
    return [*stages, *_each(wanted, number)]


def _log_stages(entity_ids: Sequence[str], wanted: Wanted, number: _Numbering) -> list[Document]:
    condition: Document = {"r.a": _attributes(wanted)}
    if wanted.datasets is not None:
        condition["r.d"] = {"$in": [None if one == "@none" else one for one in wanted.datasets]}
    if wanted.query.timeproperty == "observedAt" and wanted.query.filtered:
        condition["r.w"] = None
    time = "$r.t" if wanted.query.timeproperty == "observedAt" else "$r.c"
    row = {"T": time, "v": "$r.v", "x": {"$eq": ["$r.v", None]}}
    return [
        {"$match": {"$or": [{"_id": of_entity(entity_id)} for entity_id in entity_ids]}},
        {"$unwind": "$r"},
        {"$match": condition},
        {"$project": {"e": 1, "a": "$r.a", "d": "$r.d", "k": "$r.k", "p": [row]}},
        *_each(wanted, number),
    ]


def _attributes(wanted: Wanted) -> Any:
    return {"$ne": SCOPE} if wanted.attributes is None else {"$in": sorted(set(wanted.attributes) - {SCOPE})}


def _each(wanted: Wanted, number: _Numbering) -> list[Document]:
    """From rows `{T, v, x}` to sums of one value each; what are sums of many already pass through."""
    asked: Document = {}
    if wanted.query.filtered and wanted.query.start is not None:
        asked["$gte"] = wanted.query.start
    if wanted.query.filtered and wanted.query.end is not None:
        asked["$lt"] = wanted.query.end
    time = {"p.T": asked} if asked else {}
    value = {"$cond": [{"$eq": [{"$type": "$p.v.@value"}, "string"]}, "$p.v.@value", "$p.v"]}
    is_target = {"$in": ["$k", ["Relationship", "ListRelationship"]]}
    kind = {
        "$switch": {
            "branches": [
                {"case": is_target, "then": "target"},
                {"case": {"$isNumber": "$V"}, "then": "number"},
                {"case": {"$eq": [{"$type": "$V"}, "bool"]}, "then": "boolean"},
                {"case": {"$eq": [{"$type": "$V"}, "string"]}, "then": "text"},
                {"case": {"$isArray": ["$V"]}, "then": "array"},
            ],
            "default": "object",
        }
    }
    counted = {
        "$switch": {
            "branches": [
                {"case": {"$eq": ["$K", "number"]}, "then": "$V"},
                {"case": {"$eq": ["$K", "boolean"]}, "then": {"$cond": ["$V", 1, 0]}},
                {"case": {"$eq": ["$K", "array"]}, "then": {"$size": {"$cond": [{"$isArray": ["$V"]}, "$V", []]}}},
            ],
            "default": None,
        }
    }
    bound = {"$cond": [{"$eq": ["$K", "text"]}, "$V", "$X"]}
    of_many = {"$ne": [{"$type": "$p.n"}, "missing"]}
    return [
        {"$unwind": "$p"},
        {"$match": {"$or": [{"p.n": {"$exists": True}}, {"p.x": False, **time}]}},
        {"$set": {"V": value}},
        {"$set": {"K": {"$cond": [of_many, "number", kind]}}},
        {"$set": {"X": counted}},
        {
            "$set": {
                "q": {
                    "$cond": [
                        of_many,
                        "$p",
                        {
                            "i": number.of("$p.T"),
                            "n": 1,
                            "s": "$X",
                            "q": {"$multiply": ["$X", "$X"]},
                            "l": bound,
                            "h": bound,
                        },
                    ]
                }
            }
        },
    ]


def _grouping(*, distinct: bool) -> list[Document]:
    group: Document = {
        "_id": {"e": "$e", "a": "$a", "d": "$d", "k": "$k", "i": "$q.i"},
        "n": {"$sum": "$q.n"},
        "s": {"$sum": "$q.s"},
        "q": {"$sum": "$q.q"},
        "l": {"$min": "$q.l"},
        "h": {"$max": "$q.h"},
        "ks": {"$addToSet": "$K"},
    }
    if distinct:
        group["z"] = {"$addToSet": "$V"}
    return [{"$group": group}]


def _added(one: Document, other: Document) -> Document:
    """The sums of two parts of one period."""
    low = [part["l"] for part in (one, other) if part["l"] is not None]
    high = [part["h"] for part in (one, other) if part["h"] is not None]
    added = {name: one[name] + other[name] for name in ("n", "s", "q")}
    added |= {"l": min(low) if low else None, "h": max(high) if high else None, "ks": {*one["ks"], *other["ks"]}}
    if "z" in one:
        added["z"] = [*one["z"], *(value for value in other["z"] if value not in one["z"])]
    return added


def _summary(one: Document) -> Summary:
    distinct = len(one["z"]) if "z" in one else None
    return Summary(int(one["n"]), frozenset(one["ks"]), one["s"], one["q"], one["l"], one["h"], distinct)
