"""Scope queries as MongoDB filters (GS CIM 009 v1.9.1, 4.19)."""

import re
from typing import Any

from bson.regex import Regex

from broker.store.filters.filter import Mongo
from ngsi_ld.query.scope_q import ScopePattern, ScopeQuery


def scope_filter(query: ScopeQuery) -> Mongo:
    """The filter on `scope`, an array of texts; plain scopes and what begins with one use its index."""
    if all(len(patterns) == 1 for patterns in query.alternatives):
        return _one_of([text for (pattern,) in query.alternatives for text in _texts(pattern)])
    each: list[Mongo] = [
        {"$and": [_one_of(_texts(pattern)) for pattern in patterns]} for patterns in query.alternatives
    ]
    return each[0] if len(each) == 1 else {"$or": each}


def _one_of(texts: list[Any]) -> Mongo:
    return {"scope": texts[0] if len(texts) == 1 and isinstance(texts[0], str) else {"$in": texts}}


def _texts(pattern: ScopePattern) -> list[Any]:
    """The scopes that are meant, as texts and regular expressions; their prefixes before a + bound the index scan."""
    scope = "".join(f"/{level}" for level in pattern.levels)
    if "+" not in pattern.levels:
        below = [Regex(f"^{re.escape(scope)}/")] if pattern.below else []
        return [scope, *below] if scope else below
    levels = "".join("/[^/]+" if level == "+" else f"/{re.escape(level)}" for level in pattern.levels)
    return [Regex(f"^{levels}" + ("(?![^/])" if pattern.below else r"\z"))]
