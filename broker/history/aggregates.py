"""Aggregates computed by MongoDB: what each period of each series comes to (4.5.19).

Every value is in one place: it waits in the log, it is in a bucket, or it has gone into the sums of its hour or day.
MongoDB sums up each place, and what they give is added up. A bucket that lies within one period and within
the range as a whole gives the sums that it carries; the others are unwound row by row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import Decimal128

from broker.history.collections import ENTITIES, LOG, SUMS, Collections
from broker.history.reading import Wanted, bucket_condition, kept_condition, unmoved
from broker.history.rows import Document
from broker.history.summing import CLASSES, DISTINCT, LAST, Numbering, attributes_of, grouped, of_buckets, of_log
from broker.history.sums import DAILY, HOUR, HOURLY
from broker.store.names import iri
from ngsi_ld.errors import invalid_request
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.aggregation import Aggregation, Summary, check_applicable
from ngsi_ld.temporal.durations import periods
from ngsi_ld.temporal.representation import Series

Periods = dict[tuple[int, int], Summary]

_SERIES: Document = {"e": "$e", "a": "$a", "d": "$d", "k": "$k"}
_BATCH = 1000
_LENGTHS = {HOURLY: "hours", DAILY: "days in UTC"}


async def aggregated(
    collections: Collections, tenant: str, moves: Mapping[str, int], wanted: Wanted, asked: Aggregation, most: int
) -> dict[str, dict[Series, Periods]]:
    """By entity and series the summary of each period that has values, by the period's bounds in microseconds.

    `moves` has the entities, see `reading.unmoved`. The periods begin with the range, or for each entity with its
    first value where the range has no start. Raises InvalidRequest where a method does not apply or where the sums
    that are left do not tell what is asked, TooComplexQuery for more than `most` periods.
    """
    if wanted.query.timeproperty == "deletedAt":
        # What has it marks a deletion, and has no value.
        return {}
    entity_ids = list(moves)

    async def compute() -> tuple[dict[str, dict[Series, Periods]], Mapping[str, int]]:
        if wanted.query.start is not None and wanted.query.timerel is not None:
            return await _summed(collections, tenant, entity_ids, wanted, asked, wanted.query.start, most)
        found: dict[str, dict[Series, Periods]] = {}
        moved: dict[str, int] = {}
        for entity_id in entity_ids:
            extent, after = await _extent(collections, tenant, [entity_id], wanted)
            moved |= after
            if extent is not None:
                one, after = await _summed(collections, tenant, [entity_id], wanted, asked, extent[0], most)
                found |= one
                moved |= after
        return found, moved

    return await unmoved(moves, compute)


async def _summed(
    collections: Collections,
    tenant: str,
    entity_ids: Sequence[str],
    wanted: Wanted,
    asked: Aggregation,
    start: int,
    most: int,
) -> tuple[dict[str, dict[Series, Periods]], Mapping[str, int]]:
    """The summaries, and how often rows of the entities had moved after they were computed."""
    end = wanted.query.end
    if end is None:
        extent, moved = await _extent(collections, tenant, entity_ids, wanted)
        if extent is None:
            return {}, moved
        end = extent[1] + (0 if asked.duration.is_zero else 1)
    bounds = periods(start, end, asked.duration, asked.zone, most)
    number = Numbering(bounds, asked.duration.fixed(asked.zone) if not asked.duration.is_zero else None)
    distinct = "distinctCount" in asked.methods
    stages = [
        *of_buckets(entity_ids, wanted, number, whole=not distinct),
        {"$unionWith": {"coll": LOG, "pipeline": of_log(entity_ids, wanted)}},
        *grouped(_SERIES, number, **CLASSES, **(DISTINCT if distinct else {})),
        {"$unionWith": {"coll": SUMS, "pipeline": _of_sums(entity_ids, wanted, number)}},
    ]
    computed, moved = await _computed(collections, tenant, entity_ids, stages)
    _check_told([one for one in computed if "bad" in one])
    sums: dict[tuple[str, Series, int], Document] = {}
    for one in computed:
        key = one["_id"]
        series: Series = (iri(key["a"]), key.get("d"), key["k"])
        place = (key["e"], series, int(key["i"]))
        sums[place] = _added(sums[place], one) if place in sums else one
    found: dict[str, dict[Series, Periods]] = {}
    for (entity_id, series, place_number), one in sums.items():
        check_applicable(series[0], frozenset(one["ks"]), asked.methods)
        if distinct and one.get("z") is None:
            raise _distinct_unknown(series[0])
        period = (bounds[place_number], bounds[place_number + 1])
        found.setdefault(entity_id, {}).setdefault(series, {})[period] = _summary(one, distinct=distinct)
    return found, moved


async def _extent(
    collections: Collections, tenant: str, entity_ids: Sequence[str], wanted: Wanted
) -> tuple[tuple[int, int] | None, Mapping[str, int]]:
    """The times of the first and of the last value that the query asks for; of sums when they begin and end."""
    packed = of_buckets(entity_ids, wanted, Numbering((0, 0), None), whole=False)
    if wanted.query.timeproperty == "observedAt" and wanted.query.filtered:
        # Buckets know their first and last time. Only that end is asked for where the interval is open, so it is exact.
        condition = {**bucket_condition(wanted), "e": {"$in": list(entity_ids)}, "a": attributes_of(wanted)}
        ends = [{"T": "$b"}, {"T": LAST}]
        packed = [{"$match": condition}, {"$project": {"p": ends}}, {"$unwind": "$p"}]
    times = {"first": {"$min": "$p.T"}, "last": {"$max": {"$ifNull": ["$p.U", "$p.T"]}}}
    stages = [
        *packed,
        {"$unionWith": {"coll": LOG, "pipeline": of_log(entity_ids, wanted)}},
        {"$unionWith": {"coll": SUMS, "pipeline": _cells(entity_ids, wanted, None)}},
        {"$group": {"_id": None, **times}},
    ]
    computed, moved = await _computed(collections, tenant, entity_ids, stages)
    return next(((int(one["first"]), int(one["last"])) for one in computed), None), moved


async def _computed(
    collections: Collections, tenant: str, entity_ids: Sequence[str], stages: list[Document]
) -> tuple[list[Document], Mapping[str, int]]:
    """What a pipeline over the buckets gives, and how often rows of the entities had moved after that.

    One command, whose parts MongoDB goes through in order: the number of moves is read last.
    """
    moves = [{"$match": {"_id": {"$in": list(entity_ids)}}}, {"$project": {"moves": {"$ifNull": ["$moves", 0]}}}]
    whole = [*stages, {"$unionWith": {"coll": ENTITIES, "pipeline": moves}}]
    cursor = await collections.buckets(tenant).aggregate(whole, allowDiskUse=True, batchSize=_BATCH)
    computed, moved = [], {}
    async for one in cursor:
        if "moves" in one:
            moved[one["_id"]] = one["moves"]
        else:
            computed.append(one)
    return computed, moved


def _cells(entity_ids: Sequence[str], wanted: Wanted, number: Numbering | None) -> list[Document]:
    """Of the sums that are kept the cells in the range, `p`, from `T` until `U`; a whole day where it is in a period.

    `timed` tells whether the time property that is asked for is the one by which they were summed up.
    """
    condition = {**kept_condition(wanted), "e": {"$in": list(entity_ids)}, "a": attributes_of(wanted)}
    length: Document = {"$multiply": ["$p", HOUR]}
    columns = {name: {"$arrayElemAt": [f"${name}", "$$at"]} for name in ("n", "s", "q", "l", "h", "z")}
    cell: Document = {"T": {"$add": ["$T", {"$multiply": [{"$arrayElemAt": ["$i", "$$at"]}, length]}]}, **columns}
    cells = {"$map": {"input": {"$range": [0, {"$size": "$i"}]}, "as": "at", "in": cell}}
    sums: Document = {"n": {"$sum": "$n"}, "s": {"$sum": "$s"}, "q": {"$sum": "$q"}}
    day = {"T": "$T", **sums, "l": {"$min": "$l"}, "h": {"$max": "$h"}, "z": "$D"}
    start, end = wanted.query.start, wanted.query.end
    whole = [
        {"$eq": ["$p", HOURLY]},
        False if number is None else {"$eq": [number.of("$T"), number.of("$U")]},
        {"$gte": ["$T", start]} if start is not None else True,
        {"$lt": ["$U", end]} if end is not None else True,
    ]
    is_day = {"$and": whole}
    spans = {"$cond": ["$day", instants.DAY, length]}
    timed: Any = True
    if wanted.query.timeproperty != "observedAt":
        timed = {"$not": [{"$or": ["$o", {"$and": ["$m", wanted.query.timeproperty == "modifiedAt"]}]}]}
    asked: Document = {}
    if start is not None:
        asked["p.U"] = {"$gte": start}
    if end is not None:
        asked["p.T"] = {"$lt": end}
    return [
        {"$match": condition},
        {"$set": {"T": {"$multiply": ["$w", instants.DAY]}, "timed": timed}},
        {"$set": {"U": {"$add": ["$T", instants.DAY - 1]}}},
        {"$set": {"day": is_day}},
        {"$set": {"r": {"$cond": ["$day", [day], cells]}, "span": spans}},
        {"$project": dict.fromkeys(("e", "a", "d", "k", "K", "r", "span", "timed"), 1)},
        {"$unwind": "$r"},
        {"$set": {"p": {"$mergeObjects": ["$r", {"U": {"$subtract": [{"$add": ["$r.T", "$span"]}, 1]}}]}}},
        {"$match": {"$or": [{"timed": False}, asked]}},
    ]


def _of_sums(entity_ids: Sequence[str], wanted: Wanted, number: Numbering) -> list[Document]:
    """From the sums that are kept those of periods.

    `bad` is the end of the latest cell that is not in one period as a whole, `untimed` whether there are sums by
    another time than the one that is asked for, `z` the number of different values where it is known.
    """
    outside: list[Any] = [{"$ne": ["$i", "$j"]}]
    if wanted.query.start is not None:
        outside.append({"$lt": ["$p.T", wanted.query.start]})
    if wanted.query.end is not None:
        outside.append({"$gte": ["$p.U", wanted.query.end]})
    group: Document = {
        "_id": {**_SERIES, "i": "$i"},
        **{name: {"$sum": f"$p.{name}"} for name in ("n", "s", "q", "z")},
        "l": {"$min": "$p.l"},
        "h": {"$max": "$p.h"},
        **CLASSES,
        "bad": {"$max": {"$cond": [{"$or": outside}, {"$add": ["$p.U", 1]}, None]}},
        "span": {"$max": {"$cond": [{"$or": outside}, "$span", None]}},
        "untimed": {"$max": {"$not": ["$timed"]}},
        "of": {"$addToSet": {"T": "$p.T", "U": "$p.U"}},
        "parts": {"$sum": 1},
        "unknown": {"$max": {"$eq": [{"$ifNull": ["$p.z", None]}, None]}},
    }
    # Different values can be counted where there is one cell, and in it the values of each class once.
    told = [{"$eq": [{"$size": "$of"}, 1]}, {"$eq": ["$parts", {"$size": "$ks"}]}, {"$not": ["$unknown"]}]
    return [
        *_cells(entity_ids, wanted, number),
        {"$set": {"i": number.of("$p.T"), "j": number.of("$p.U")}},
        {"$group": group},
        {"$set": {"z": {"$cond": [{"$and": told}, "$z", None]}}},
    ]


def _check_told(kept: Sequence[Document]) -> None:
    """InvalidRequest where sums do not tell what a period comes to; their own, not what is added to them."""
    for one in kept:
        if one["untimed"]:
            raise invalid_request(
                f"of {iri(one['_id']['a'])}, older values are kept as sums by observedAt only: ask for"
                " timeproperty=observedAt"
            )
    latest = max((one for one in kept if one["bad"] is not None), key=lambda one: int(one["bad"]), default=None)
    if latest is not None:
        length = _LENGTHS[int(latest["span"]) // HOUR]
        raise invalid_request(
            f"of {iri(latest['_id']['a'])}, only sums of whole {length} are kept until"
            f" {instants.show(int(latest['bad']))}: ask for an interval and an aggrPeriodDuration of whole {length}, or"
            " for later ones"
        )


def _distinct_unknown(name: str) -> Exception:
    return invalid_request(
        f"of {name}, only sums are kept of a part of the interval, which tell distinctCount of single hours or days at"
        " most: leave it out, or ask for shorter periods or later ones"
    )


def _added(one: Document, other: Document) -> Document:
    """The sums of two parts of one period, of values and of what is kept as sums."""
    low = [part["l"] for part in (one, other) if part["l"] is not None]
    high = [part["h"] for part in (one, other) if part["h"] is not None]
    added = {name: one[name] + other[name] for name in ("n", "s", "q")}
    added |= {"l": min(low, key=_order, default=None), "h": max(high, key=_order, default=None)}
    added["ks"] = {*one["ks"], *other["ks"]}
    return added


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers before texts, as MongoDB has it."""
    return isinstance(value, str), value


def _summary(one: Document, *, distinct: bool) -> Summary:
    different = one["z"] if distinct else None
    return Summary(
        int(one["n"]),
        frozenset(one["ks"]),
        _number(one["s"]),
        _number(one["q"]),
        _number(one["l"]),
        _number(one["h"]),
        len(different) if isinstance(different, list) else different,
    )


def _number(value: Any) -> Any:
    """A number as Python has it: MongoDB sums up whole numbers beyond 64 bits as decimal ones."""
    if not isinstance(value, Decimal128):
        return value
    decimal = value.to_decimal()
    return int(decimal) if decimal == decimal.to_integral_value() else float(decimal)
