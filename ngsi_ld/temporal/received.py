"""The temporal evolution of an entity as another broker has sent it (4.5.7): its times and instance ids stand."""

from typing import Any, cast

from ngsi_ld.attributes import SYSTEM_MEMBERS
from ngsi_ld.entity import Attributes, Instance
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expansion.entity import checked_object
from ngsi_ld.expansion.instance import attribute_iri
from ngsi_ld.expansion.received import keep_times, system_time
from ngsi_ld.names import Names
from ngsi_ld.scopes import checked_scopes
from ngsi_ld.temporal.expansion import MEMBERS, expand_entity_temporal, expand_temporal_instance
from ngsi_ld.temporal.representation import SCOPE, Evolution


def expand_evolution(body: Any, names: Names) -> Evolution:
    """The evolution that a body in the normalized representation has; NgsiLdError where it is none."""
    checked_object(body)
    members = {name: value for name, value in body.items() if name in MEMBERS and name != SCOPE}
    entity = expand_entity_temporal(members, names, "")
    attributes: Attributes = {}
    for name, value in body.items():
        if name not in MEMBERS:
            several = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
            attributes[attribute_iri(name, names)] = [
                _instance(name, one, names) for one in (value if several else [] if value == [] else [value])
            ]
    return Evolution(
        entity.id,
        entity.types,
        attributes,
        _scope(body[SCOPE]) if SCOPE in body else None,
        system_time(body, "createdAt"),
        system_time(body, "modifiedAt"),
        system_time(body, "deletedAt") or None,
    )


def _instance(name: str, sent: Any, names: Names) -> Instance:
    instance = expand_temporal_instance(name, sent, names, "")
    keep_times([instance], sent, names)
    if isinstance(sent, dict) and isinstance(sent.get("instanceId"), str):
        instance = cast("Instance", {**instance, "instanceId": sent["instanceId"]})
    return instance


def _scope(value: Any) -> list[dict[str, Any]]:
    listed = value if isinstance(value, list) else [value]
    instances = []
    for one in listed:
        if not isinstance(one, dict) or "value" not in one:
            raise bad_request_data("the scopes of an evolution must be instances")
        times = {name: system_time(one, name) for name in ("observedAt", *SYSTEM_MEMBERS) if name in one}
        kept = {"type": "Property", "value": checked_scopes(one["value"]) if one["value"] else [], **times}
        instances.append(kept | ({"instanceId": one["instanceId"]} if "instanceId" in one else {}))
    return instances
