"""A MongoDB filter that knows where it is not sure, and how filters are joined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Mongo = dict[str, Any]
"""A filter document of MongoDB."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a query MongoDB can decide.

    `mongo` matches every answer and, where `doubt` is not None, perhaps more: of the documents that match `mongo`,
    those that match `doubt` too must be tested by `ngsi_ld.query.matches`, the others are answers for certain. So an
    exact count is `count(certain)` and the tested ones of `find(doubtful)`, and a page tests what it passes over.
    """

    mongo: Mongo
    doubt: Mongo | None = None

    @property
    def certain(self) -> Mongo:
        """The documents that need no test."""
        return self.mongo if self.doubt is None else {"$and": [self.mongo, {"$nor": [self.doubt]}]}

    @property
    def doubtful(self) -> Mongo:
        """The documents that need one; only where there is doubt."""
        return {"$and": [self.mongo, self.doubt or {}]}


NOTHING_ASKED = Filter({})


def all_of(filters: Sequence[Filter]) -> Filter:
    """What all of them let through."""
    asked = [one for one in filters if one.mongo]
    if len(asked) == 1:
        return asked[0]
    return Filter(joined([one.mongo for one in asked]), _any_doubt(asked))


def any_of(filters: Sequence[Filter]) -> Filter:
    """What one of them lets through."""
    if len(filters) == 1:
        return filters[0]
    return Filter({"$or": [one.mongo for one in filters]}, _any_doubt(filters))


def joined(conditions: Sequence[Mongo]) -> Mongo:
    """One document of several; `$and` only where two speak of the same field."""
    merged: Mongo = {}
    clashing: list[Mongo] = []
    for condition in conditions:
        if merged.keys().isdisjoint(condition):
            merged.update(condition)
        else:
            clashing.append(condition)
    return {"$and": [merged, *clashing]} if clashing else merged


def _any_doubt(filters: Sequence[Filter]) -> Mongo | None:
    doubts = [one.doubt for one in filters if one.doubt is not None]
    if len(doubts) < 2:
        return doubts[0] if doubts else None
    return {"$or": doubts}
