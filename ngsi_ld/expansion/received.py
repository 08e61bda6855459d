"""An entity that another broker has sent: as a client's, but the system times in it are that broker's and stand (4.8).

They tell which of two versions of an attribute is the later one (4.5.5.3). Where it sends none they are empty texts.
"""

from dataclasses import replace
from typing import Any

from ngsi_ld.attributes import SYSTEM_MEMBERS
from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.entity import Entity
from ngsi_ld.expansion.entity import ENTITY_MEMBERS, expand_entity
from ngsi_ld.expansion.instance import attribute_iri
from ngsi_ld.expansion.members import MEMBERS
from ngsi_ld.names import Names

_TIMES = ("createdAt", "modifiedAt")
_NO_SUBS = SYSTEM_MEMBERS | {"type", "@type", "instanceId"}


def expand_received(body: Any, names: Names) -> Entity:
    """The entity; raises NgsiLdError where it is not one that the standard allows."""
    entity = expand_entity(body, names, "")
    for name, value in body.items():
        if name not in ENTITY_MEMBERS:
            keep_times(entity.attributes[attribute_iri(name, names)], value, names)
    created_at, modified_at = (_time(body, name) for name in _TIMES)
    return replace(entity, created_at=created_at, modified_at=modified_at)


def keep_times(instances: Any, sent: Any, names: Names) -> None:
    """Puts the times of what was sent into the instances made of it, which nobody else has yet."""
    if type(sent) is not list or len(sent) != len(instances):
        sent = [sent]
    for instance, one in zip(instances, sent, strict=False):
        if type(one) is not dict:
            continue
        for name in _TIMES:
            if name in one:
                instance[name] = _time(one, name)
        if "subs" in instance:
            for name, value in one.items():
                if name not in MEMBERS and name not in _NO_SUBS:
                    keep_times(instance["subs"].get(attribute_iri(name, names), ()), value, names)


def _time(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    return "" if value is None else checked_date_time(value, name)
