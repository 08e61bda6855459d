"""Down-sampling: what is past its time goes into sums of its hour or day, and those of hours into those of days.

Each step is one transaction, which takes away what it sums up: after a crash a value is in the one place or in the
other, and a reader counts it once. MongoDB sums up the values by the stages that answer aggregates too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import bson
from bson import Decimal128
from pymongo import InsertOne, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession

from broker.history.collections import Collections
from broker.history.reading import Wanted
from broker.history.retention import Borders
from broker.history.rows import Document, Row
from broker.history.summing import CREATED, MODIFIED, Numbering, bucket_rows, grouped, one_by_one
from broker.history.sums import (
    DAILY,
    HOUR,
    HOURLY,
    MONTH_DAYS,
    Cell,
    Part,
    key_of,
    of_days,
    read,
    spans,
    written,
)
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import TemporalQuery

_AT_ONCE = 200
"""Buckets, or documents of sums, in one transaction."""

_HOURS = Numbering((0, HOUR, 2 * HOUR), HOUR)
_ALL = Wanted(TemporalQuery())

_LONG = 100
"""Bytes beyond which a text is counted and no more: MongoDB stores 16 MB in a document, and this has many cells."""

_IS_LONG = {"$and": [{"$eq": [{"$type": "$V"}, "string"]}, {"$gt": [{"$strLenBytes": "$V"}, _LONG]}]}
_IS_COMPARED = {
    "$or": [
        {"$in": ["$K", ["number", "boolean", "time", "text"]]},
        {"$and": [{"$eq": ["$K", "target"]}, {"$eq": [{"$type": "$V"}, "string"]}, {"$not": [_IS_LONG]}]},
    ]
}
_SHORTENED: list[Document] = [
    {"$set": {"K": {"$cond": [{"$and": [{"$eq": ["$K", "text"]}, _IS_LONG]}, "long", "$K"]}}},
    {"$set": {"D": {"$cond": [_IS_COMPARED, "$V", "$$REMOVE"]}}},
]
"""`D` is the value where it is counted among the different ones."""


async def values_to_sums(
    collections: Collections, tenant: str, entity_id: str, name: str, borders: Borders, session: AsyncClientSession
) -> int:
    """Sums up values of an attribute (KEY) that are past their time; how many buckets, 0 when there are no more."""
    buckets = collections.buckets(tenant)
    past: Document = {"e": entity_id, "a": name, "w": {"$lt": borders.values}}
    days = [one["w"] async for one in buckets.find(past, {"_id": 0, "w": 1}, session=session).sort("w").limit(_AT_ONCE)]
    if not days:
        return 0
    # Whole days, so that the different values of each are counted; the last one may have more buckets than were found.
    until = days[-1] if len(days) == _AT_ONCE and days[-1] > days[0] else days[-1] + 1
    past["w"] = {"$gte": days[0], "$lt": until}
    others: Document = {
        "z": {"$addToSet": "$D"},
        "uncounted": {"$max": {"$eq": [{"$type": "$D"}, "missing"]}},
        "f": {"$min": "$p.C"},
        "g": {"$max": "$p.M"},
        "u": {"$max": "$p.T"},
        "m": {"$max": {"$ne": ["$p.C", "$p.M"]}},
    }
    key = {"a": "$a", "d": "$d", "k": "$k", "o": "$o", "K": "$K"}
    rows = bucket_rows("observedAt", C=CREATED, M=MODIFIED)
    stages = [
        {"$match": past},
        {"$project": {"a": 1, "d": 1, "k": 1, "o": 1, "p": rows}},
        *one_by_one(_ALL),
        *_SHORTENED,
        *grouped(key, _HOURS, **others),
    ]
    found = [one async for one in await buckets.aggregate(stages, session=session, allowDiskUse=True)]
    await _keep(collections, tenant, _longest(_parts(entity_id, found), borders), session)
    result = await buckets.delete_many(past, session=session)
    await _moved(collections, tenant, entity_id, session)
    return result.deleted_count


async def hours_to_days(
    collections: Collections, tenant: str, entity_id: str, name: str, borders: Borders, session: AsyncClientSession
) -> int:
    """Sums up hours that are past their time; how many days, 0 when there are no more."""
    sums = collections.sums(tenant)
    border = borders.values if borders.hourly is None else borders.hourly
    past = {"e": entity_id, "a": name, "p": HOURLY, "w": {"$lt": border}}
    found = await sums.find(past, session=session, limit=_AT_ONCE).to_list()
    if not found:
        return 0
    await _keep(collections, tenant, _longest([read(one) for one in found], borders), session)
    await sums.delete_many({"_id": {"$in": [one["_id"] for one in found]}}, session=session)
    await _moved(collections, tenant, entity_id, session)
    return len(found)


async def uncounted(
    collections: Collections, tenant: str, entity_id: str, rows: Sequence[Row], now: int, session: AsyncClientSession
) -> list[Row]:
    """The rows of an entity that its sums do not have yet, as far as they tell: those later than the last in theirs.

    So what a client sends twice is counted once, even where values are kept no longer.
    """
    old = [row for row in rows if "w" not in row and row["t"] // instants.DAY < now // instants.DAY]
    if not old:
        return list(rows)
    days = [row["t"] // instants.DAY for row in old]
    condition = {
        "e": entity_id,
        "a": {"$in": sorted({row["a"] for row in old})},
        "w": {"$gte": min(days) - MONTH_DAYS, "$lte": max(days)},
        "o": True,
    }
    last: dict[tuple[Any, ...], int] = {}
    shown = {"a": 1, "d": 1, "p": 1, "w": 1, "i": 1, "u": 1}
    async for one in collections.sums(tenant).find(condition, shown, session=session):
        for start, end, _ in spans(one):
            cell = one["a"], one.get("d"), one["p"], start
            last[cell] = max(end, last.get(cell, end))

    def is_counted(row: Row) -> bool:
        starts = ((length, row["t"] - row["t"] % (length * HOUR)) for length in (HOURLY, DAILY))
        return any(row["t"] <= last.get((row["a"], row.get("d"), *cell), row["t"] - 1) for cell in starts)

    return [row for row in rows if "w" in row or not is_counted(row)] if last else list(rows)


def _parts(entity_id: str, found: Iterable[Document]) -> Iterable[Part]:
    """The hourly sums of days, from what the pipeline gives."""
    parts: dict[tuple[Any, ...], Part] = {}
    different: dict[tuple[Any, ...], set[Any]] = {}
    uncounted: set[tuple[Any, ...]] = set()
    for one in found:
        grouped_by = one["_id"]
        start = int(grouped_by.pop("i")) * HOUR
        key = {"e": entity_id, **grouped_by, "p": HOURLY, "w": start // instants.DAY}
        place = key_of(key)
        measured = grouped_by["K"] not in ("object", "target", "long")
        s, q = (_plain(one[name]) if measured and grouped_by["K"] != "text" else None for name in ("s", "q"))
        low, high = (_plain(one[name]) if measured else None for name in ("l", "h"))
        cell = Cell(start, one["n"], s, q, low, high, None if one["uncounted"] else len(one["z"]), one["u"] - start)
        part = Part(key, {start % instants.DAY // HOUR: cell}, (one["f"], one["g"]), one["m"])
        if place in parts:
            parts[place].add(part)
        else:
            parts[place] = part
        different.setdefault(place, set()).update(map(_comparable, one["z"]))
        if one["uncounted"]:
            uncounted.add(place)
    for place, part in parts.items():
        part.distinct = None if place in uncounted else len(different[place])
    return parts.values()


def _longest(parts: Iterable[Part], borders: Borders) -> Iterable[Part]:
    """Of hourly sums those that are kept as such, and the others as daily ones where these are kept."""
    for part in parts:
        day = part.key["w"]
        if borders.hourly is not None and day >= borders.hourly:
            yield part
        elif borders.daily is not None and day >= borders.daily:
            yield from of_days((part,))


async def _keep(collections: Collections, tenant: str, parts: Iterable[Part], session: AsyncClientSession) -> None:
    """Adds parts, of one attribute, to what is kept."""
    new = list(parts)
    if not new:
        return
    sums = collections.sums(tenant)
    entity_id, name = new[0].key["e"], new[0].key["a"]
    condition = {"e": entity_id, "a": name, "w": {"$in": sorted({part.key["w"] for part in new})}}
    ids: dict[tuple[Any, ...], Any] = {}
    kept: dict[tuple[Any, ...], Part] = {}
    async for one in sums.find(condition, session=session):
        ids[key_of(one)], kept[key_of(one)] = one["_id"], read(one)
    changed: dict[tuple[Any, ...], None] = {}
    for part in new:
        place = key_of(part.key)
        changed[place] = None
        if place in kept:
            kept[place].add(part)
        else:
            kept[place] = part
    writes: list[InsertOne[Document] | ReplaceOne[Document]] = [
        ReplaceOne({"_id": ids[place]}, written(kept[place])) if place in ids else InsertOne(written(kept[place]))
        for place in changed
    ]
    await sums.bulk_write(writes, ordered=False, session=session)


async def _moved(collections: Collections, tenant: str, entity_id: str, session: AsyncClientSession) -> None:
    entities = collections.entities(tenant)
    await entities.update_one({"_id": entity_id}, {"$inc": {"moves": 1}}, session=session)


def _plain(value: Any) -> Any:
    return float(value.to_decimal()) if isinstance(value, Decimal128) else value


def _comparable(value: Any) -> Any:
    """What is equal for values that MongoDB takes for equal; those compared are of one class."""
    return value if isinstance(value, int | float) else bson.encode({"v": value})
