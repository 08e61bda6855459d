"""Entities as an earlier version of the standard has them (4.3.6.8): what came later is left out or made older.

conforming(entity, (1, 3), names)     no scope, no LanguageProperty, nothing of 1.8 and 1.9
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from ngsi_ld.attributes import KINDS, NULL
from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.expansion import Fragment
from ngsi_ld.names import Names

Subject = TypeVar("Subject", bound=Entity | Fragment)

Version = tuple[int, int]
"""Major and minor."""

_MULTIPLE: Version = (1, 3)
"""Several types, and several instances of an attribute."""

_SCOPE: Version = (1, 4)
_EXPIRY: Version = (1, 9)

_MEMBERS: Mapping[str, Version] = {
    "datasetId": (1, 3),
    "observedAt": (1, 3),
    "unitCode": (1, 3),
    "objectType": (1, 8),
    "expiresAt": (1, 9),
    "valueType": (1, 9),
}
"""The members that an older version has not."""

_Kinds = Mapping[str, tuple[Version, str]]

_KINDS: _Kinds = {
    "LanguageProperty": ((1, 4), "Property"),
    "JsonProperty": ((1, 8), "Property"),
    "VocabProperty": ((1, 8), "Property"),
    "ListProperty": ((1, 8), "Property"),
    "ListRelationship": ((1, 8), "Relationship"),
}
"""The kinds that an older version has not, since when they are there, and what they become."""

_KINDS_FILTERED: _Kinds = {name: older for name, older in _KINDS.items() if name != "LanguageProperty"}

LATEST: Version = (1, 9)


def conforming(entity: Subject, version: Version, names: Names, *, language_filter: bool = False) -> Subject:
    """The entity, or a fragment that is to be written, by that version; the same object where that is the latest.

    LanguageProperties stay where a `language_filter` (4.15) is to make Properties of them, as it does in any version.
    """
    if version >= LATEST:
        return entity
    kinds = _KINDS_FILTERED if language_filter else _KINDS
    scope: Any = entity.scope if version >= _SCOPE else [] if isinstance(entity, Entity) else None
    return replace(
        entity,
        types=entity.types[:1] if version < _MULTIPLE else entity.types,
        attributes=_attributes(entity.attributes, version, names, kinds),
        scope=scope,
        expires_at=None if version < _EXPIRY else entity.expires_at,
    )


def _attributes(attributes: Attributes, version: Version, names: Names, kinds: _Kinds) -> Attributes:
    made: Attributes = {}
    for name, instances in attributes.items():
        kept = instances
        if version < _MULTIPLE:
            kept = [next((one for one in instances if "datasetId" not in one), instances[0])]
        made[name] = [_instance(one, version, names, kinds) for one in kept]
    return made


def conforming_instance(instance: Instance, version: Version, names: Names) -> Instance:
    """One instance of an attribute, or the members of one that are to be changed, by that version."""
    return instance if version >= LATEST else _instance(instance, version, names, _KINDS)


def _instance(instance: Instance, version: Version, names: Names, kinds: _Kinds) -> Instance:
    members: dict[str, Any] = {
        name: value for name, value in instance.items() if name not in _MEMBERS or version >= _MEMBERS[name]
    }
    name = instance.get("type", "")
    since, older = kinds.get(name, (version, ""))
    if version < since:
        kind = KINDS[name]
        members["type"] = older
        if members.get(kind.member) == kind.null:
            del members[kind.member]
            members[KINDS[older].member] = NULL
        elif kind.member in members:
            members.update(_OLDER[name](members, names))
    if "subs" in members:
        members["subs"] = _attributes(instance["subs"], version, names, kinds)
    return cast("Instance", members)


def _vocabulary(members: dict[str, Any], names: Names) -> dict[str, Any]:
    vocab = members.pop("vocab")
    return {"value": [names.term(one) for one in vocab] if isinstance(vocab, list) else names.term(vocab)}


_OLDER: Mapping[str, Callable[[dict[str, Any], Names], dict[str, Any]]] = {
    "LanguageProperty": lambda members, _names: {"value": members.pop("languageMap")},
    "JsonProperty": lambda members, _names: {"value": members.pop("json")},
    "VocabProperty": _vocabulary,
    "ListProperty": lambda members, _names: {"value": members.pop("valueList")},
    "ListRelationship": lambda members, _names: {"object": [one["object"] for one in members.pop("objectList")]},
}
"""What replaces the value of a kind that an older version has not."""
