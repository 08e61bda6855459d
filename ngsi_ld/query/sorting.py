"""Entities put in order in memory (GS CIM 009 v1.9.1, 4.23.2), for what a database cannot sort: distances.

Values of different types rank as the standard says: numbers, texts, objects, arrays, booleans, times, dates,
date-times, null; an entity without the attribute comes last, whatever the direction. Of several instances the default
one counts, else the first that has not expired. Texts go by code point: an ICU collation is a database's affair.
"""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from ngsi_ld.entity import Entity, Instance
from ngsi_ld.query.conditions import live_instances
from ngsi_ld.query.ordering import Ordering, OrderTerm
from ngsi_ld.query.paths import Path
from ngsi_ld.query.temporal import parse_instant
from ngsi_ld.query.values import MISSING, target_value, value_inside
from ngsi_ld.sphere import metres_between

NUMBER, TEXT, OBJECT, ARRAY, BOOLEAN, TIME, DATE, DATE_TIME, NULL, ABSENT = range(10)
"""The ranks of the types."""

DISTANCE = -1
"""The rank of a GeoProperty among others when distances order (4.23.2)."""

_INSTANT_RANKS = {"Time": TIME, "Date": DATE, "DateTime": DATE_TIME}

Ranked = tuple[int, Any]


def sort_key(ordering: Ordering, now: str) -> Callable[[Entity], Any]:
    """The key by which `sorted` puts entities in this order; equals are in the order of their ids."""

    def rank(entity: Entity) -> tuple[list[Ranked], str]:
        return [_ranked(term, ordering, entity, now) for term in ordering.terms], entity.id

    def compare(one: tuple[list[Ranked], str], other: tuple[list[Ranked], str]) -> int:
        for term, here, there in zip(ordering.terms, one[0], other[0], strict=True):
            if here != there:
                absent = ABSENT in (here[0], there[0])
                return (-1 if here < there else 1) * (-1 if term.descending and not absent else 1)
        return (one[1] > other[1]) - (one[1] < other[1])

    key = cmp_to_key(compare)
    return lambda entity: key(rank(entity))


def _ranked(term: OrderTerm, ordering: Ordering, entity: Entity, now: str) -> Ranked:
    if not term.path.names:
        return _member(term.path.member or "", entity)
    instance = _instance(term.path, entity, now)
    if instance is None:
        return ABSENT, 0
    if term.path.member is not None:
        return _of_value(instance.get(term.path.member, MISSING))
    if term.by_distance and instance["type"] == "GeoProperty" and ordering.origin is not None:
        return DISTANCE, metres_between(instance["value"], ordering.origin, ordering.reference)
    if term.path.inside:
        return _of_value(value_inside(instance, term.path.inside))
    if instance["type"] in ("JsonProperty", "GeoProperty"):
        return OBJECT, 0
    return _of_value(target_value(instance))


def _member(member: str, entity: Entity) -> Ranked:
    values: dict[str, Any] = {
        "id": entity.id,
        "type": min(entity.types, default=MISSING),
        "scope": min(entity.scope, default=MISSING),
        "createdAt": entity.created_at,
        "modifiedAt": entity.modified_at,
        "expiresAt": entity.expires_at or MISSING,
    }
    return _of_value(values.get(member, MISSING))


def _instance(path: Path, entity: Entity, now: str) -> Instance | None:
    attributes = entity.attributes
    chosen: Instance | None = None
    for name in path.names:
        live = live_instances(attributes, name, now)
        if not live:
            return None
        chosen = next((one for one in live if "datasetId" not in one), live[0])
        attributes = chosen.get("subs", {})
    return chosen


def _of_value(value: Any) -> Ranked:
    if isinstance(value, dict) and isinstance(value.get("@value"), str):
        value = value["@value"]
    if value is MISSING:
        return ABSENT, 0
    if isinstance(value, str):
        instant = parse_instant(value)
        return (TEXT, value) if instant is None else (_INSTANT_RANKS[instant.form], instant.key)
    if isinstance(value, bool):
        return BOOLEAN, value
    if isinstance(value, int | float):
        return NUMBER, value
    return (OBJECT if isinstance(value, dict) else ARRAY if isinstance(value, list) else NULL), 0
