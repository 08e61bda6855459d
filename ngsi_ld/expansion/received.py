"""An entity that another broker has sent: as a client's, but the system times in it are that broker's and stand (4.8).

They tell which of two versions of an attribute is the later one (4.5.5.3). Where it sends none they are empty texts.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from ngsi_ld.attributes import SYSTEM_MEMBERS
from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.expansion.entity import ENTITY_MEMBERS, expand_entity
from ngsi_ld.expansion.instance import attribute_iri
from ngsi_ld.expansion.members import MEMBERS
from ngsi_ld.names import Names

_NO_SUBS = SYSTEM_MEMBERS | {"type", "@type", "instanceId"}


def expand_received(body: Any, names: Names) -> Entity:
    """The entity; raises NgsiLdError where it is not one that the standard allows."""
    entity = expand_entity(body, names, "")
    attributes = entity.attributes
    for name, value in body.items():
        if name not in ENTITY_MEMBERS:
            keep_times(attributes[attribute_iri(name, names)], value, names)
    return Entity(
        entity.id,
        entity.types,
        attributes,
        entity.scope,
        system_time(body, "createdAt"),
        system_time(body, "modifiedAt"),
        entity.expires_at,
    )


def keep_times(instances: Sequence[Instance], sent: Any, names: Names) -> None:
    """Puts the times of what was sent into the instances made of it, which nobody else has yet."""
    if type(sent) is not list or len(sent) != len(instances):
        sent = (sent,)
    for instance, one in zip(instances, sent, strict=False):
        if type(one) is not dict:
            continue
        if "createdAt" in one:
            instance["createdAt"] = system_time(one, "createdAt")
        if "modifiedAt" in one:
            instance["modifiedAt"] = system_time(one, "modifiedAt")
        if "subs" in instance:
            subs = cast("Mapping[str, Sequence[Instance]]", instance["subs"])
            for name, value in one.items():
                if name not in MEMBERS and name not in _NO_SUBS:
                    keep_times(subs.get(attribute_iri(name, names), ()), value, names)


def system_time(body: Mapping[str, Any], name: str) -> str:
    """A time that another broker gives; an empty text where it gives none."""
    value = body.get(name)
    return _checked(value, name) if type(value) is str else "" if value is None else checked_date_time(value, name)


@lru_cache(maxsize=8192)
def _checked(value: str, name: str) -> str:
    # Remembered, since what is written at once has one time.
    return checked_date_time(value, name)
