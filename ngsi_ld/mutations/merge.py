"""Merge patch of an entity to any depth (5.5.12, 5.6.17) and partial update of one attribute (5.5.8, 5.6.4)."""

from collections.abc import Sequence
from dataclasses import replace as with_
from typing import Any, cast

from ngsi_ld.attributes import KINDS, NULL, VALUE_MEMBERS
from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expansion import Fragment
from ngsi_ld.expansion.instance import is_deletion
from ngsi_ld.mutations.attributes import changed, existing, store_instances
from ngsi_ld.mutations.instances import find, succeeding, swapped
from ngsi_ld.names import checked_uri

_OWN_MEMBERS = frozenset({"type", "subs", "createdAt", "modifiedAt"})


def merge(
    before: Entity, fragment: Fragment, now: str, *, observed_at: str | None = None, lang: str | None = None
) -> Entity:
    """The fragment merged into the entity; what is NGSI-LD Null goes, at any depth.

    `observed_at` is given to every merged instance that had an observedAt and gets none from the fragment. A plain
    text for a LanguageProperty is its text in the language `lang`.
    """
    given = fragment.attributes
    if fragment.simplified or lang is not None:
        given = {
            name: [_fitted(one, before.attributes.get(name, ()), fragment.simplified, lang, name) for one in instances]
            for name, instances in given.items()
        }
    attributes = _merged_attributes(before.attributes, given, now, observed_at, "")
    scope = before.scope if fragment.scope is None else fragment.scope
    return changed(before, fragment, attributes, scope, now)


def partial_update(before: Entity, name: str, fragment: Instance, now: str) -> Entity:
    """The members of one instance replaced by those of the fragment; NGSI-LD Null deletes a member.

    Raises ResourceNotFound for an instance that is not there, BadRequestData for a change of its kind.
    """
    old = existing(before, name, fragment.get("datasetId"))
    instances = before.attributes[name]
    attributes = dict(before.attributes)
    if _deletes(fragment, old):
        store_instances(attributes, name, swapped(instances, old, None))
    else:
        new = _patched(old, fragment, now, name)
        subs: Attributes = dict(old.get("subs", {}))
        for sub, sub_instances in fragment.get("subs", {}).items():
            for one in sub_instances:
                there = subs.get(sub, [])
                old_sub = find(there, one.get("datasetId"))
                if is_deletion(one):
                    store_instances(subs, sub, swapped(there, old_sub, None) if old_sub is not None else there)
                else:
                    _checked_complete(one, f"{name}.{sub}")
                    placed = succeeding(old_sub, one)
                    subs[sub] = [*there, placed] if old_sub is None else swapped(there, old_sub, placed)
        _set_subs(new, subs)
        attributes[name] = swapped(instances, old, new)
    return with_(before, attributes=attributes, modified_at=now)


def _fitted(new: Instance, there: Sequence[Instance], simplified: bool, lang: str | None, name: str) -> Instance:
    """A value without a kind made one of the kind that is stored."""
    old = find(there, new.get("datasetId"))
    if old is None or new.get("type") != "Property" or new["value"] == NULL:
        return new
    kind, value = old["type"], new["value"]
    members = cast("dict[str, Any]", {member: one for member, one in new.items() if member != "value"})
    if kind == "LanguageProperty" and lang is not None and isinstance(value, str | list):
        members |= {"type": kind, "languageMap": {lang: value}}
    elif simplified and kind == "Relationship":
        targets = value if isinstance(value, list) else [value]
        members |= {"type": kind, "object": value}
        for target in targets:
            checked_uri(target, name)
    elif simplified and kind == "ListProperty" and isinstance(value, list):
        members |= {"type": kind, "valueList": value}
    elif simplified and kind == "ListRelationship" and isinstance(value, list):
        members |= {"type": kind, "objectList": [{"object": checked_uri(one, name)} for one in value]}
    else:
        return new
    return cast("Instance", members)


def _merged_attributes(
    before: Attributes, fragment: Attributes, now: str, observed_at: str | None, where: str
) -> Attributes:
    attributes = dict(before)
    for name, instances in fragment.items():
        for new in instances:
            there = attributes.get(name, [])
            old = find(there, new.get("datasetId"))
            if old is None:
                if not is_deletion(new):
                    _checked_complete(new, where + name)
                    attributes[name] = [*there, _without_nulls(new)]
            elif _deletes(new, old):
                store_instances(attributes, name, swapped(there, old, None))
            else:
                attributes[name] = swapped(there, old, _merged(old, new, now, observed_at, where + name))
    return attributes


def _merged(old: Instance, fragment: Instance, now: str, observed_at: str | None, where: str) -> Instance:
    merged = _patched(old, fragment, now, where, deep=True)
    if observed_at is not None and "observedAt" in old and "observedAt" not in fragment:
        merged["observedAt"] = observed_at
    if "subs" in fragment:
        subs = _merged_attributes(old.get("subs", {}), fragment["subs"], now, observed_at, f"{where}.")
        _set_subs(merged, subs)
    return merged


def _patched(old: Instance, fragment: Instance, now: str, where: str, *, deep: bool = False) -> Instance:
    """`old` with the fragment's members but for the sub-attributes, which stay those of `old`."""
    members = cast("dict[str, Any]", {**old, "modifiedAt": now})
    kind = fragment.get("type", old["type"])
    if kind != old["type"] and not _agree(kind, old["type"]):
        raise bad_request_data(f"{where} is a {old['type']} and cannot be made a {kind} by this operation")
    for member, value in fragment.items():
        if member in _OWN_MEMBERS:
            continue
        if value == NULL:
            members.pop(member, None)
        elif deep and member in VALUE_MEMBERS:
            members[member] = merged_json(members.get(member), value)
        else:
            members[member] = value
    return cast("Instance", members)


def merged_json(old: Any, patch: Any) -> Any:
    """RFC 7396 with NGSI-LD Null in the place of null: `{"a": 1, "b": 2}` and `{"b": NULL}` make `{"a": 1}`."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value == NULL:
            merged.pop(key, None)
        else:
            merged[key] = merged_json(merged.get(key), value)
    return merged


def _deletes(fragment: Instance, old: Instance) -> bool:
    """Whether the fragment is NGSI-LD Null for `old`, in its full form or in the shorthand for any kind."""
    null = KINDS[old["type"]]
    return is_deletion(fragment) or cast("dict[str, Any]", fragment).get(null.member) == null.null


def _agree(kind: str, old: str) -> bool:
    # {"value": …} in concise form says Property; of a GeoProperty it is the value all the same.
    return kind == "Property" and old == "GeoProperty"


def _checked_complete(instance: Instance, where: str) -> None:
    kind = KINDS.get(instance.get("type", ""))
    if kind is None or kind.member not in instance:
        raise bad_request_data(f"{where} is not there yet, so it needs a value: {{'type': …, 'value': …}}")


def _without_nulls(instance: Instance) -> Instance:
    members = {
        member: merged_json({}, value) if member in VALUE_MEMBERS else value
        for member, value in instance.items()
        if value != NULL
    }
    if "subs" in instance:
        members["subs"] = {
            name: kept
            for name, instances in instance["subs"].items()
            if (kept := [_without_nulls(one) for one in instances if not is_deletion(one)])
        }
    return cast("Instance", members)


def _set_subs(instance: Instance, subs: Attributes) -> None:
    if subs:
        instance["subs"] = subs
    else:
        instance.pop("subs", None)
