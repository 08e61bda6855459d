"""EntityTemporal (5.2.20) from JSON: each attribute a list of instances, each of them with its time."""

from dataclasses import dataclass, field
from typing import Any, cast

from ngsi_ld.attributes import NULL
from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.errors import NgsiLdError, bad_request_data
from ngsi_ld.expansion import Fill, expand_entity, expand_fragment, expand_instance
from ngsi_ld.expansion.entity import checked_object
from ngsi_ld.expansion.instance import attribute_iri, is_deletion
from ngsi_ld.names import Names
from ngsi_ld.scopes import checked_scopes

MEMBERS = frozenset(
    {"id", "@id", "type", "@type", "expiresAt", "@context", "createdAt", "modifiedAt", "deletedAt", "scope"}
)
"""What an evolution has that is no attribute."""


@dataclass(frozen=True, slots=True)
class ScopeInstance:
    """The scopes that an entity had from `observed_at` on, or from when it was told if that is None (4.18)."""

    scopes: list[str]
    observed_at: str | None = None


@dataclass(frozen=True, slots=True)
class EntityTemporal:
    """Instances to add to the history of an entity; deletions have their kind's null and a `deletedAt`."""

    id: str
    types: list[str]
    attributes: Attributes
    scope: list[ScopeInstance] = field(default_factory=list)


def expand_entity_temporal(body: Any, names: Names, now: str) -> EntityTemporal:
    """The body of Create or Update Temporal Evolution (5.6.11); raises as `expand_entity` does."""
    checked_object(body)
    entity: Entity = expand_entity(
        {name: value for name, value in body.items() if name in MEMBERS - {"scope"}}, names, now
    )
    return EntityTemporal(entity.id, entity.types, _attributes(body, names, now), _scope(body))


def expand_temporal_fragment(body: Any, entity_id: str, names: Names, now: str) -> EntityTemporal:
    """The body of Add Attributes to Temporal Evolution (5.6.12), whose id and type may be left out."""
    checked_object(body)
    members = {name: value for name, value in body.items() if name in MEMBERS - {"scope"}}
    fragment = expand_fragment(members, names, now, Fill.WHOLE)
    return EntityTemporal(entity_id, fragment.types, _attributes(body, names, now), _scope(body))


def expand_temporal_instance(name: str, value: Any, names: Names, now: str) -> Instance:
    """One instance of the attribute `name`, in any form that an attribute of an entity has; it may be a deletion."""
    try:
        instance = expand_instance(value, names, now, Fill.WHOLE_OR_NULL)
        if is_deletion(instance):
            given = value.get("deletedAt") if isinstance(value, dict) else None
            deleted_at = now if given is None else checked_date_time(given, "deletedAt")
            return cast("Instance", {**instance, "deletedAt": deleted_at})
        return instance
    except NgsiLdError as error:
        raise NgsiLdError(error.type, f"{name}: {error.detail}") from None


def _attributes(body: dict[str, Any], names: Names, now: str) -> Attributes:
    attributes: Attributes = {}
    for name, value in body.items():
        if name in MEMBERS:
            continue
        iri = attribute_iri(name, names)
        if iri in attributes:
            raise bad_request_data(f"{name} stands for {iri}, which another member stands for too")
        several = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
        attributes[iri] = [expand_temporal_instance(name, one, names, now) for one in (value if several else [value])]
    return attributes


def _scope(body: dict[str, Any]) -> list[ScopeInstance]:
    value = body.get("scope")
    if value is None:
        return []
    listed = value if isinstance(value, list) else [value]
    if not any(isinstance(one, dict) for one in listed):
        return [ScopeInstance(checked_scopes(value))]
    instances = []
    for one in listed:
        if not isinstance(one, dict) or one.get("type", "Property") != "Property" or "value" not in one:
            raise bad_request_data(
                'scope must be a path, a list of paths, or instances such as {"type": "Property", "value": "/Chalons"}'
            )
        scopes = [] if one["value"] in (NULL, []) else checked_scopes(one["value"])
        observed_at = one.get("observedAt")
        instances.append(
            ScopeInstance(scopes, None if observed_at is None else checked_date_time(observed_at, "scope.observedAt"))
        )
    return instances
