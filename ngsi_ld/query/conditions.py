"""The conditions of `q` tested on an entity in memory (GS CIM 009 v1.9.1, 4.9).

A term holds if it holds for one target: of several instances, of several sub-attribute instances, of several linked
entities, any will do. `!=` too asks for one target that is there and differs.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.expiry import alive, expired
from ngsi_ld.query.paths import AnyPath, LinkedPath, Path
from ngsi_ld.query.q import And, Condition, Equal, Exists, Match, Or, Order, Term, Within
from ngsi_ld.query.values import (
    MISSING,
    RELATIONSHIPS,
    compares,
    equals,
    is_between,
    target_value,
    value_inside,
)

Linked = Callable[[str], Entity | None]
"""Gives the entity with an id, or None: how linked entities are reached (4.5.23)."""

_ENTITY_MEMBERS = {"createdAt": "created_at", "modifiedAt": "modified_at", "expiresAt": "expires_at"}
_MANY_TEXTS = frozenset({"LanguageProperty"})


def holds(condition: Condition, entity: Entity, now: str, linked: Linked) -> bool:
    """Whether the entity satisfies the condition; instances that have expired by `now` are not there."""
    if isinstance(condition, And):
        return all(holds(one, entity, now, linked) for one in condition.conditions)
    if isinstance(condition, Or):
        return any(holds(one, entity, now, linked) for one in condition.conditions)
    return _term_holds(condition, condition.path, entity, now, linked)


def _term_holds(term: Term, path: AnyPath, entity: Entity, now: str, linked: Linked) -> bool:
    if isinstance(path, LinkedPath):
        return any(
            _term_holds(term, path.path, target, now, linked) for target in _linked_entities(path, entity, now, linked)
        )
    if isinstance(term, Exists):
        return any(True for _ in _targets(path, entity, now)) is not term.negated
    return any(_holds_for(term, value, kind) for value, kind in _targets(path, entity, now))


def _linked_entities(path: LinkedPath, entity: Entity, now: str, linked: Linked) -> Iterator[Entity]:
    for instance in live_instances(entity.attributes, path.relationship, now):
        if instance["type"] not in RELATIONSHIPS:
            continue
        targets = target_value(instance)
        for uri in [targets] if isinstance(targets, str) else targets:
            target = alive(linked(uri), now)
            if target is not None and (not path.types or not set(path.types).isdisjoint(target.types)):
                yield target


def live_instances(attributes: Attributes, name: str, now: str) -> list[Instance]:
    """The instances of an attribute that have not expired."""
    return [
        instance
        for instance in attributes.get(name, ())
        if "expiresAt" not in instance or not expired(instance["expiresAt"], now)
    ]


def _targets(path: Path, entity: Entity, now: str) -> Iterator[tuple[Any, str]]:
    """Every target of the path that is there: its value and the kind of its attribute, "" for a member."""
    if not path.names:
        value = getattr(entity, _ENTITY_MEMBERS.get(path.member or "", ""), None)
        if value:
            yield value, ""
        return
    instances = live_instances(entity.attributes, path.names[0], now)
    for name in path.names[1:]:
        instances = [sub for one in instances if "subs" in one for sub in live_instances(one["subs"], name, now)]
    for instance in instances:
        if path.member is not None:
            if path.member in instance:
                yield cast("dict[str, Any]", instance)[path.member], ""
        elif path.inside:
            value = value_inside(instance, path.inside)
            if value is not MISSING:
                yield value, instance["type"] if path.inside == ("*",) else ""
        else:
            yield target_value(instance), instance["type"]


def _holds_for(term: Term, value: Any, kind: str) -> bool:
    """Whether the term holds for one target; the texts of a LanguageProperty are compared each for itself."""
    if isinstance(term, Equal):
        return any(equals(value, literal) for literal in term.values) is not term.negated
    if isinstance(term, Within):
        if kind in _MANY_TEXTS:
            inside = any(is_between(text, term.low, term.high) for text in value)
        else:
            inside = kind not in RELATIONSHIPS and is_between(value, term.low, term.high)
        return inside is not term.negated
    if kind in RELATIONSHIPS:
        return False
    texts = value if kind in _MANY_TEXTS else [value]
    if isinstance(term, Order):
        return any(compares(text, term.operator, term.value) for text in texts)
    if isinstance(term, Match):
        found = [term.pattern.search(text) for text in texts if isinstance(text, str)]
        return bool(found) and any(found) is not term.negated
    return False
