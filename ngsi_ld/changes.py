"""What changed between two states of an entity (5.8.6): which attribute instances were created, updated, deleted.

An instance is updated when any member, sub-attributes included, has a different value; writing the same value again
changes nothing, but a new `observedAt` does. System attributes do not count. The attributes of an entity that is
created are created with it, those of one that is deleted are deleted with it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from ngsi_ld.attributes import SYSTEM_MEMBERS
from ngsi_ld.entity import Attributes, Entity, Instance


class Trigger(Enum):
    """The values of `notificationTrigger` (5.2.12)."""

    ENTITY_CREATED = "entityCreated"
    ENTITY_UPDATED = "entityUpdated"
    ENTITY_DELETED = "entityDeleted"
    ATTRIBUTE_CREATED = "attributeCreated"
    ATTRIBUTE_UPDATED = "attributeUpdated"
    ATTRIBUTE_DELETED = "attributeDeleted"


DEFAULT_TRIGGERS = (Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED)
ATTRIBUTE_TRIGGERS = frozenset({Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED, Trigger.ATTRIBUTE_DELETED})
"""What `entityUpdated` stands for."""


@dataclass(frozen=True, slots=True)
class AttributeChange:
    """One instance of an attribute: its IRI, its `datasetId` (None for the default one), before and after."""

    name: str
    dataset_id: str | None
    trigger: Trigger
    before: Instance | None
    after: Instance | None


def attribute_changes(before: Entity | None, after: Entity | None) -> list[AttributeChange]:
    """The instances that differ; every one where the entity was created (`before` is None) or deleted."""
    old: Attributes = before.attributes if before is not None else {}
    new: Attributes = after.attributes if after is not None else {}
    changes: list[AttributeChange] = []
    for name, instances in new.items():
        former = old.get(name)
        if former is None:
            changes.extend(
                AttributeChange(name, one.get("datasetId"), Trigger.ATTRIBUTE_CREATED, None, one) for one in instances
            )
        elif former is not instances and not _identical(former, instances):
            _compare(name, former, instances, changes)
    for name, former in old.items():
        if name not in new:
            changes.extend(
                AttributeChange(name, one.get("datasetId"), Trigger.ATTRIBUTE_DELETED, one, None) for one in former
            )
    return changes


def _identical(former: list[Instance], instances: list[Instance]) -> bool:
    """The quick answer for attributes that were not written: all is equal, times of modification too."""
    return former == instances and all(
        one.get("value").__class__ is other.get("value").__class__ for one, other in zip(former, instances, strict=True)
    )


def _compare(name: str, former: list[Instance], instances: list[Instance], changes: list[AttributeChange]) -> None:
    old = {one.get("datasetId"): one for one in former}
    for one in instances:
        dataset_id = one.get("datasetId")
        previous = old.pop(dataset_id, None)
        if previous is None:
            changes.append(AttributeChange(name, dataset_id, Trigger.ATTRIBUTE_CREATED, None, one))
        elif not _same_instance(previous, one):
            changes.append(AttributeChange(name, dataset_id, Trigger.ATTRIBUTE_UPDATED, previous, one))
    for dataset_id, previous in old.items():
        changes.append(AttributeChange(name, dataset_id, Trigger.ATTRIBUTE_DELETED, previous, None))


def _same_instance(one: Instance, other: Instance) -> bool:
    for member, value in one.items():
        if member in SYSTEM_MEMBERS:
            continue
        if member not in other or not _same(member, value, other[member]):  # type: ignore[literal-required]
            return False
    return all(member in one or member in SYSTEM_MEMBERS for member in other)


def _same(member: str, one: Any, other: Any) -> bool:
    if member != "subs":
        return _same_value(one, other)
    return one.keys() == other.keys() and all(_same_instances(one[name], other[name]) for name in one)


def _same_instances(one: list[Instance], other: list[Instance]) -> bool:
    if len(one) != len(other):
        return False
    others = {instance.get("datasetId"): instance for instance in other}
    return all(
        (counterpart := others.get(instance.get("datasetId"))) is not None and _same_instance(instance, counterpart)
        for instance in one
    )


def _same_value(one: Any, other: Any) -> bool:
    """Equality of JSON: as Python's, but `true` is not 1, at any depth; the order of members does not count."""
    if one is other:
        return True
    if one.__class__ is bool or other.__class__ is bool:
        return one.__class__ is other.__class__ and bool(one == other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(_same_value(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list):
        return (
            isinstance(other, list)
            and len(one) == len(other)
            and all(_same_value(value, counterpart) for value, counterpart in zip(one, other, strict=True))
        )
    return bool(one == other)
