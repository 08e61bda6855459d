"""Changes attribute by attribute: append (5.6.3), update (5.6.2), replace (5.6.19) and delete (5.6.5) them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from dataclasses import replace as with_
from typing import Any

from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.errors import not_found
from ngsi_ld.expansion import Fragment
from ngsi_ld.expansion.instance import is_deletion
from ngsi_ld.mutations.instances import find, succeeding, swapped

SCOPE = "https://uri.etsi.org/ngsi-ld/scope"


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What an update did (5.2.17): the IRIs of what changed, and of what did not with the reason."""

    updated: list[str] = field(default_factory=list)
    not_updated: list[tuple[str, str]] = field(default_factory=list)

    def body(self) -> dict[str, Any]:
        """The JSON of a 207 answer: `{"updated": […], "notUpdated": [{"attributeName": …, "reason": …}]}`."""
        return {
            "updated": self.updated,
            "notUpdated": [{"attributeName": name, "reason": reason} for name, reason in self.not_updated],
        }


def append(before: Entity, fragment: Fragment, now: str, *, no_overwrite: bool = False) -> tuple[Entity, UpdateResult]:
    """Adds instances; those that exist are replaced, or left as they are with `no_overwrite`."""
    attributes = dict(before.attributes)
    result = UpdateResult()
    for name, instances in fragment.attributes.items():
        for new in instances:
            there = attributes.get(name, [])
            old = find(there, new.get("datasetId"))
            if old is not None and no_overwrite:
                result.not_updated.append((name, "the attribute exists and noOverwrite is set"))
                continue
            attributes[name] = [*there, new] if old is None else swapped(there, old, succeeding(old, new))
            _add_once(result.updated, name)
    scope = before.scope
    if fragment.scope is not None:
        scope = list(dict.fromkeys([*scope, *fragment.scope])) if no_overwrite else fragment.scope
        _add_once(result.updated, SCOPE)
    return changed(before, fragment, attributes, scope, now), result


def update(before: Entity, fragment: Fragment, now: str) -> tuple[Entity, UpdateResult]:
    """Replaces whole instances, adds those that are not there, deletes those that are NGSI-LD Null (5.5.8)."""
    attributes = dict(before.attributes)
    result = UpdateResult()
    for name, instances in fragment.attributes.items():
        for new in instances:
            there = attributes.get(name, [])
            old = find(there, new.get("datasetId"))
            if is_deletion(new):
                if old is None:
                    result.not_updated.append((name, "there is no such attribute instance to delete"))
                    continue
                store_instances(attributes, name, swapped(there, old, None))
            else:
                attributes[name] = [*there, new] if old is None else swapped(there, old, succeeding(old, new))
            _add_once(result.updated, name)
    scope = before.scope
    if fragment.scope is not None:
        if before.scope:
            scope = fragment.scope
            _add_once(result.updated, SCOPE)
        else:
            result.not_updated.append((SCOPE, "the entity has no scope to update; append one (5.6.2)"))
    return changed(before, fragment, attributes, scope, now), result


def replace_attribute(before: Entity, name: str, new: Instance, now: str) -> Entity:
    """`new` in the place of the instance with its datasetId; ResourceNotFound if there is none."""
    old = existing(before, name, new.get("datasetId"))
    attributes = {**before.attributes, name: swapped(before.attributes[name], old, succeeding(old, new))}
    return with_(before, attributes=attributes, modified_at=now)


def delete_attribute(before: Entity, name: str, dataset_id: str | None, now: str, *, all_instances: bool) -> Entity:
    """`before` without one instance of an attribute, or without any; `scope` can be deleted too."""
    if name == SCOPE and before.scope:
        return with_(before, scope=[], modified_at=now)
    attributes = dict(before.attributes)
    if all_instances:
        if name not in attributes:
            raise not_found(f"{before.id} has no attribute {name}")
        del attributes[name]
    else:
        old = existing(before, name, dataset_id)
        store_instances(attributes, name, swapped(attributes[name], old, None))
    return with_(before, attributes=attributes, modified_at=now)


def existing(entity: Entity, name: str, dataset_id: str | None) -> Instance:
    """The instance that an operation targets; ResourceNotFound that says which one is missing."""
    instance = find(entity.attributes.get(name, ()), dataset_id)
    if instance is None:
        which = f"instance {dataset_id}" if dataset_id else "default instance"
        raise not_found(
            f"{entity.id} has no {which} of {name}" if name in entity.attributes else f"{entity.id} has no {name}"
        )
    return instance


def store_instances(attributes: Attributes, name: str, instances: list[Instance]) -> None:
    """Sets the instances of an attribute, which is no more once it has none."""
    if instances:
        attributes[name] = instances
    else:
        attributes.pop(name, None)


def changed(before: Entity, fragment: Fragment, attributes: Attributes, scope: list[str], now: str) -> Entity:
    """The entity with what the fragment brought; its types only ever grow (4.16)."""
    types = united(before.types, fragment.types)
    expires_at = before.expires_at if fragment.expires_at is None else fragment.expires_at or None
    same_attributes = attributes.keys() == before.attributes.keys() and all(
        attributes[name] is before.attributes[name] for name in attributes
    )
    if same_attributes and types is before.types and scope == before.scope and expires_at == before.expires_at:
        return before
    return with_(before, types=types, attributes=attributes, scope=scope, expires_at=expires_at, modified_at=now)


def united(types: list[str], more: Iterable[str]) -> list[str]:
    """`types` and then those of `more` that are not among them."""
    new = [one for one in more if one not in types]
    return [*types, *new] if new else types


def _add_once(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)
