"""Stages of MongoDB pipelines that sum up: rows of buckets and of the log, one by one or as the buckets sum them up.

What they have in common are documents `{e, a, d, k, p}` with rows `p` of time `T`, value `v`, and `x` that tells a
mark of a deletion, or with sums of many rows, which have a number `n`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.history.collections import of_entity
from broker.history.reading import Wanted, bucket_condition
from broker.history.rows import SCOPE, Document

LAST: Document = {"$add": ["$b", {"$multiply": ["$u", {"$arrayElemAt": ["$t", -1]}]}]}
"""The time of the last row of a bucket."""

_TIME_TYPES = ["Time", "https://uri.etsi.org/ngsi-ld/Time"]
_SECONDS = ((0, 2, 3600), (3, 2, 60), (6, 9, 1))
"""The parts of a time of day such as 08:30:15.5Z: where, how long at most, how many seconds one is."""


@dataclass(frozen=True, slots=True)
class Numbering:
    """The expression that numbers the period of a time: by division where all are equally long, else by counting."""

    bounds: Sequence[int]
    length: int | None

    def of(self, time: Any) -> Any:
        """The number of the period that `time`, an expression of microseconds, is in."""
        if len(self.bounds) == 2:
            return 0
        if self.length is not None:
            return {"$floor": {"$divide": [{"$subtract": [time, self.bounds[0]]}, self.length]}}
        passed = {"$filter": {"input": self.bounds[1:-1], "as": "bound", "cond": {"$lte": ["$$bound", time]}}}
        return {"$size": passed}


def attributes_of(wanted: Wanted) -> Any:
    """The condition on the attribute: scopes are not summed up."""
    return {"$ne": SCOPE} if wanted.attributes is None else {"$in": sorted(set(wanted.attributes) - {SCOPE})}


def of_buckets(entity_ids: Sequence[str], wanted: Wanted, number: Numbering, *, whole: bool) -> list[Document]:
    """The rows of buckets; with `whole` the sums of those buckets that lie in one period as a whole."""
    condition: Document = {**bucket_condition(wanted), "e": {"$in": list(entity_ids)}, "a": attributes_of(wanted)}
    rows = bucket_rows(wanted.query.timeproperty)
    stages: list[Document] = [{"$match": condition}]
    if not (whole and wanted.query.timeproperty == "observedAt"):
        return [*stages, {"$project": {"e": 1, "a": 1, "d": 1, "k": 1, "p": rows}}, *one_by_one(wanted)]
    within: list[Any] = [{"$eq": [{"$type": "$y"}, "object"]}, {"$eq": ["$i", "$j"]}]
    if wanted.query.start is not None:
        within.append({"$gte": ["$b", wanted.query.start]})
    if wanted.query.end is not None:
        within.append({"$lt": ["$z", wanted.query.end]})
    sums = {"T": "$b", "n": "$n", "s": "$y.s", "q": "$y.q", "l": "$y.l", "h": "$y.h"}
    return [
        *stages,
        {"$set": {"z": LAST, "i": number.of("$b")}},
        {"$set": {"j": number.of("$z")}},
        {"$project": {"e": 1, "a": 1, "d": 1, "k": 1, "p": {"$cond": [{"$and": within}, [sums], rows]}}},
        *one_by_one(wanted),
    ]


def bucket_rows(timeproperty: str, **others: Any) -> Document:
    """The expression for the rows of a bucket, whose number is `$$n`, with `others` as further members."""
    observed: Any = {"$add": ["$b", {"$multiply": ["$u", {"$arrayElemAt": ["$t", "$$n"]}]}]}
    time = {"observedAt": observed, "modifiedAt": MODIFIED}.get(timeproperty, CREATED)
    value = {"$arrayElemAt": ["$v", "$$n"]}
    # No value is null but that of a row which marks a deletion.
    row = {"T": time, "v": value, "x": {"$eq": [value, None]}, **others}
    return {"$map": {"input": {"$range": [0, "$n"]}, "as": "n", "in": row}}


CREATED: Document = {
    "$add": [
        "$b",
        {"$multiply": ["$u", {"$arrayElemAt": ["$t", "$$n"]}]},
        {"$ifNull": [{"$arrayElemAt": ["$c", "$$n"]}, 0]},
    ]
}
"""When row `$$n` of a bucket came."""

_CORRECTIONS = {
    "$filter": {
        "input": {"$objectToArray": {"$ifNull": ["$m", {}]}},
        "as": "one",
        "cond": {"$eq": ["$$one.k", {"$toString": "$$n"}]},
    }
}
MODIFIED: Document = {
    "$cond": [
        {"$eq": [{"$type": "$m"}, "missing"]},
        CREATED,
        {"$ifNull": [{"$first": {"$map": {"input": _CORRECTIONS, "as": "one", "in": "$$one.v"}}}, CREATED]},
    ]
}
"""When row `$$n` of a bucket was corrected, or else came."""


def of_log(entity_ids: Sequence[str], wanted: Wanted) -> list[Document]:
    """The rows of what waits in the log."""
    condition: Document = {"r.a": attributes_of(wanted)}
    if wanted.datasets is not None:
        condition["r.d"] = {"$in": [None if one == "@none" else one for one in wanted.datasets]}
    if wanted.query.timeproperty == "observedAt" and wanted.query.filtered:
        condition["r.w"] = None
    times: dict[str, Any] = {"observedAt": "$r.t", "modifiedAt": {"$ifNull": ["$r.m", "$r.c"]}}
    row = {"T": times.get(wanted.query.timeproperty, "$r.c"), "v": "$r.v", "x": {"$eq": ["$r.v", None]}}
    return [
        {"$match": {"$or": [{"_id": of_entity(entity_id)} for entity_id in entity_ids]}},
        {"$unwind": "$r"},
        {"$match": condition},
        {"$project": {"e": 1, "a": "$r.a", "d": "$r.d", "k": "$r.k", "p": [row]}},
        *one_by_one(wanted),
    ]


def one_by_one(wanted: Wanted) -> list[Document]:
    """Unwinds `p` into rows of the time that is asked for, and classifies their values."""
    asked: Document = {}
    if wanted.query.filtered and wanted.query.start is not None:
        asked["$gte"] = wanted.query.start
    if wanted.query.filtered and wanted.query.end is not None:
        asked["$lt"] = wanted.query.end
    time = {"p.T": asked} if asked else {}
    return [{"$unwind": "$p"}, {"$match": {"$or": [{"p.n": {"$exists": True}}, {"p.x": False, **time}]}}, *_CLASSIFY]


def _seconds() -> Document:
    text = {"$rtrim": {"input": "$V", "chars": "Z"}}
    parts = [
        {"$multiply": [{"$toDouble": {"$substrBytes": [text, first, length]}}, seconds]}
        for first, length, seconds in _SECONDS
    ]
    return {"$add": parts}


_IS_TARGET = {"$in": ["$k", ["Relationship", "ListRelationship"]]}
_IS_TIME = {
    "$and": [
        {"$in": ["$p.v.@type", _TIME_TYPES]},
        {"$regexMatch": {"input": "$V", "regex": r"^\d\d:\d\d:\d\d(\.\d{1,6})?Z?$"}},
    ]
}
_CLASS = {
    "$switch": {
        "branches": [
            {"case": {"$ne": [{"$type": "$p.n"}, "missing"]}, "then": "number"},
            {"case": _IS_TARGET, "then": "target"},
            {"case": {"$isNumber": "$V"}, "then": "number"},
            {"case": {"$eq": [{"$type": "$V"}, "bool"]}, "then": "boolean"},
            {"case": {"$and": [{"$eq": [{"$type": "$V"}, "string"]}, _IS_TIME]}, "then": "time"},
            {"case": {"$eq": [{"$type": "$V"}, "string"]}, "then": "text"},
            {"case": {"$isArray": ["$V"]}, "then": "array"},
        ],
        "default": "object",
    }
}
_COUNTED = {
    "$switch": {
        "branches": [
            {"case": {"$eq": ["$K", "number"]}, "then": "$V"},
            {"case": {"$eq": ["$K", "boolean"]}, "then": {"$cond": ["$V", 1, 0]}},
            {"case": {"$eq": ["$K", "time"]}, "then": _seconds()},
            {"case": {"$eq": ["$K", "array"]}, "then": {"$size": {"$cond": [{"$isArray": ["$V"]}, "$V", []]}}},
        ],
        "default": None,
    }
}
_CLASSIFY: list[Document] = [
    {"$set": {"V": {"$cond": [{"$eq": [{"$type": "$p.v.@value"}, "string"]}, "$p.v.@value", "$p.v"]}}},
    {"$set": {"K": _CLASS}},
    {"$set": {"X": _COUNTED}},
    {"$set": {"B": {"$cond": [{"$in": ["$K", ["text", "time"]]}, "$V", "$X"]}}},
]
"""`V` is the value, `K` its class (`ngsi_ld.temporal.aggregation`), `X` what it counts as, `B` what is bounded."""

_SUM = {"n": 1, "s": "$X", "q": {"$multiply": ["$X", "$X"]}, "l": "$B", "h": "$B"}


def grouped(key: Document, number: Numbering, **others: Any) -> list[Document]:
    """Sums by `key` and the number of the period; `others` are further accumulators."""
    of_many = {"$ne": [{"$type": "$p.n"}, "missing"]}
    group: Document = {
        "_id": {**key, "i": "$i"},
        "n": {"$sum": "$q.n"},
        "s": {"$sum": "$q.s"},
        "q": {"$sum": "$q.q"},
        "l": {"$min": "$q.l"},
        "h": {"$max": "$q.h"},
        **others,
    }
    return [{"$set": {"q": {"$cond": [of_many, "$p", _SUM]}, "i": number.of("$p.T")}}, {"$group": group}]


CLASSES: Document = {"ks": {"$addToSet": "$K"}}
"""The accumulator of the classes of the values."""

DISTINCT: Document = {"z": {"$addToSet": "$V"}}
"""The accumulator of the different values."""
