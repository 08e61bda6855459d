"""One temporal evolution made of what several sources have of it (GS CIM 009 v1.9.1, 5.7.3.4, 5.7.4.4, 4.5.5).

Instances of all sources stand side by side in order of time. One that two sources have, the same value at the same
time, is there once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ngsi_ld.attributes import KINDS
from ngsi_ld.entity import Attributes, Instance
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.representation import Evolution


def merged_evolution(versions: Sequence[Evolution], auxiliary: Sequence[Evolution], timeproperty: str) -> Evolution:
    """The evolution that these versions make together, at least one.

    Of `auxiliary` ones those instances are added whose time no other version of the attribute has.
    """
    everyone = [*versions, *auxiliary]
    if len(everyone) == 1:
        return everyone[0]
    attributes: Attributes = {}
    for version in versions:
        for name, instances in version.attributes.items():
            attributes[name] = [*attributes.get(name, ()), *instances]
    for version in auxiliary:
        for name, instances in version.attributes.items():
            known = {_text(one, timeproperty) for one in attributes.get(name, ())}
            added = [one for one in instances if _text(one, timeproperty) not in known]
            attributes[name] = [*attributes.get(name, ()), *added]
    scope = [one for version in everyone for one in version.scope or ()]
    return Evolution(
        everyone[0].id,
        list(dict.fromkeys([name for version in everyone for name in version.types])),
        {name: _in_order(instances, timeproperty) for name, instances in attributes.items()},
        cast("list[dict[str, Any]]", _in_order(cast("list[Instance]", scope), timeproperty)) or None,
        min((one.created_at for one in everyone if one.created_at), default=""),
        max(one.modified_at for one in everyone),
        None if any(one.deleted_at is None for one in everyone) else max(one.deleted_at or "" for one in everyone),
    )


def latest(evolution: Evolution, timeproperty: str, count: int) -> Evolution:
    """Of each attribute and dataset the last `count` instances (lastN)."""
    attributes: Attributes = {}
    for name, instances in evolution.attributes.items():
        left: dict[str | None, int] = {}
        kept = []
        for one in reversed(_in_order(instances, timeproperty)):
            dataset_id = one.get("datasetId")
            left[dataset_id] = left.get(dataset_id, count) - 1
            if left[dataset_id] >= 0:
                kept.append(one)
        attributes[name] = kept[::-1]
    return replace(evolution, attributes=attributes)


def moment(instance: Mapping[str, Any], timeproperty: str) -> int | None:
    """The microseconds of an instance's time; None where it has none at all."""
    text = _text(instance, timeproperty)
    return instants.read(text) if text else None


def _in_order(instances: Iterable[Instance], timeproperty: str) -> list[Instance]:
    """By time; what is said twice, once."""
    found: dict[str, Instance] = {}
    for one in instances:
        members = cast("dict[str, Any]", one)
        value = members.get(KINDS[one["type"]].member)
        said = repr((moment(one, timeproperty), one.get("datasetId"), one["type"], value, "deletedAt" in one))
        found.setdefault(said, one)
    return sorted(found.values(), key=lambda one: moment(one, timeproperty) or 0)


def _text(instance: Mapping[str, Any], timeproperty: str) -> str:
    return str(instance.get(timeproperty) or instance.get("observedAt") or instance.get("createdAt") or "")
