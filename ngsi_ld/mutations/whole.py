"""Changes to an entity as a whole: replace (5.6.18, 5.6.8) and purge of some attributes (5.6.21)."""

from collections.abc import Container
from dataclasses import replace as with_

from ngsi_ld.entity import Attributes, Entity
from ngsi_ld.mutations.instances import find, succeeding


def replace(before: Entity, new: Entity) -> Entity:
    """`new` in the place of `before`: all content is new; when it and its attributes were created stays."""
    attributes: Attributes = {}
    for name, instances in new.attributes.items():
        old = before.attributes.get(name)
        if old is None:
            attributes[name] = instances
        else:
            attributes[name] = [succeeding(find(old, one.get("datasetId")), one) for one in instances]
    return with_(new, attributes=attributes, created_at=before.created_at, version=before.version)


def without_attributes(before: Entity, names: Container[str], now: str) -> Entity:
    """`before` without the named attributes."""
    return _reduced(before, {name: one for name, one in before.attributes.items() if name not in names}, now)


def keep_attributes(before: Entity, names: Container[str], now: str) -> Entity:
    """`before` with the named attributes only."""
    return _reduced(before, {name: one for name, one in before.attributes.items() if name in names}, now)


def _reduced(before: Entity, attributes: Attributes, now: str) -> Entity:
    if len(attributes) == len(before.attributes):
        return before
    return with_(before, attributes=attributes, modified_at=now)
