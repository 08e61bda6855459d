"""Queries tested on entities in memory: for subscriptions, federation, and what a database cannot decide.

The other interpreter, `broker.store.filters`, makes a MongoDB filter of the same query; tests hold both to one answer.
"""

from collections.abc import Mapping

from ngsi_ld.entity import Entity
from ngsi_ld.expiry import alive
from ngsi_ld.query.conditions import Linked, holds, live_instances
from ngsi_ld.query.geo import GeoQuery
from ngsi_ld.query.query import EntitySelector, Query


def matches(query: Query, entity: Entity, now: str, linked: Linked | None = None) -> bool:
    """Whether the query selects the entity as it is at `now` (`2026-11-23T17:02:01.250Z`); the order plays no part.

    `linked` gives the entities that paths such as `sensor{humidity}` lead to; without it they lead nowhere.
    """
    return (
        alive(entity, now) is not None
        and (not query.selectors or any(selects(selector, entity) for selector in query.selectors))
        and (not query.attributes or any(live_instances(entity.attributes, name, now) for name in query.attributes))
        and (query.scope_q is None or query.scope_q.matches(entity.scope))
        and (query.q is None or holds(query.q, entity, now, linked or _nowhere))
        and (query.geo is None or _is_placed(query.geo, entity, now))
    )


def selects(selector: EntitySelector, entity: Entity) -> bool:
    """Whether the entity is of the selector's types, ids and id pattern (5.2.33)."""
    return (
        (selector.types is None or selector.types.selects(entity.types))
        and (not selector.ids or entity.id in selector.ids)
        and (selector.id_pattern is None or selector.id_pattern.search(entity.id))
    )


def unresolved(query: Query, entity: Entity, now: str, linked: Mapping[str, Entity | None]) -> set[str]:
    """The ids of linked entities that have to be had before `matches` can tell; `linked` are those at hand.

    Ask again once they are added, until none is left: each round goes one link further. Empty when it can be told.
    """
    missing: set[str] = set()

    def at_hand(entity_id: str) -> Entity | None:
        if entity_id not in linked:
            missing.add(entity_id)
        return linked.get(entity_id)

    # No term that follows a link can become false by one more entity, so what holds already needs nothing else.
    return set() if query.q is None or holds(query.q, entity, now, at_hand) else missing


def _nowhere(_entity_id: str) -> None:
    return None


def _is_placed(geo: GeoQuery, entity: Entity, now: str) -> bool:
    return any(
        instance["type"] == "GeoProperty" and geo.matches(instance["value"])
        for instance in live_instances(entity.attributes, geo.geoproperty, now)
    )
