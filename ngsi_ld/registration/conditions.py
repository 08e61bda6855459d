"""What is asked of a registration as a whole: its interval, its place, its scope, its properties (5.10.2.4)."""

from typing import Any

import shapely

from ngsi_ld.context import CORE
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.query.conditions import holds
from ngsi_ld.query.geo import GeoQuery
from ngsi_ld.query.q import Condition
from ngsi_ld.query.scope_q import ScopeQuery
from ngsi_ld.registration.registration import Interval, Registration
from ngsi_ld.sphere import Shape, shape_of
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import TemporalQuery

GEOMETRIES = ("location", "observationSpace", "operationSpace")
"""The members of a registration that are places."""

_PLACES = {CORE.iri(name): name for name in GEOMETRIES}
_VALUE = "value"


def is_timely(registration: Registration, temporal: TemporalQuery | None, *, strict: bool) -> bool:
    """Whether it is of a source of the present where `temporal` is None, else of one of that past.

    Not `strict`: a source that tells no interval may know of any time; its operations tell whether of the past at all.
    """
    if registration.observation is None and registration.management_interval is None:
        return temporal is None or not strict
    if temporal is None:
        return False
    of_observation = temporal.timeproperty == "observedAt"
    interval = registration.observation if of_observation else registration.management_interval
    return interval is not None and _meets(interval, temporal)


def _meets(interval: Interval, temporal: TemporalQuery) -> bool:
    """Whether the time that is asked for and that of the source overlap, a common end included (5.2.9)."""
    return (temporal.end is None or instants.read(interval.start) <= temporal.end) and (
        interval.end is None or temporal.start is None or temporal.start <= instants.read(interval.end)
    )


def is_placed(registration: Registration, geo: GeoQuery, *, strict: bool) -> bool:
    """Whether its place satisfies the geo-query, or may have places in it that do."""
    geometry = registration.geometries.get(_PLACES.get(geo.geoproperty, ""))
    if geometry is None:
        return not strict
    return geo.matches(geometry) or _may_have(shape_of(geometry), geo)


def _may_have(area: Shape, geo: GeoQuery) -> bool:
    """Whether there can be a geometry inside the area that satisfies the geo-query."""
    reference = geo.reference
    match geo.relation:
        case "within" | "intersects" | "overlaps":
            return bool(shapely.intersects(area, reference))
        case "contains" | "equals":
            return bool(shapely.covers(area, reference))
        case "disjoint":
            return not shapely.covers(reference, area)
    if geo.min_distance is None:
        return False
    # The farthest place of an area from anything is one of its corners.
    corners = shapely.get_coordinates(area)
    return any(geo.matches({"type": "Point", "coordinates": list(corner)}) for corner in corners.tolist())


def is_scoped(registration: Registration, scope_q: ScopeQuery, *, strict: bool) -> bool:
    """Whether the scope query matches its scopes."""
    return scope_q.matches(registration.scope) if registration.scope else not strict


def has_property(registration: Registration, csf: Condition, now: str) -> bool:
    """Whether a context source filter (csf, 4.9) holds: `q` on the members of the registration."""
    attributes = {CORE.iri(name): _instances(value) for name, value in registration.definition.members.items()}
    attributes |= {name: _instances(value) for name, value in registration.properties.items()}
    return holds(csf, Entity(registration.id, [], attributes), now, _nowhere)


def _instances(value: Any) -> list[Instance]:
    """A member as the instances of an attribute: what is not reified is taken for the value of a Property."""
    if isinstance(value, dict) and isinstance(value.get("type"), str) and _VALUE in value:
        return [{"type": "Property", "value": value[_VALUE]}]
    if isinstance(value, dict) and value.get("type") == "Relationship" and "object" in value:
        return [{"type": "Relationship", "object": value["object"]}]
    return [{"type": "Property", "value": value}]


def _nowhere(_entity_id: str) -> None:
    return None
