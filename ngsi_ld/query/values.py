"""What `q` compares of an attribute instance, and how one value compares with another (GS CIM 009 v1.9.1, 4.9)."""

from collections.abc import Callable
from itertools import chain
from operator import ge, gt, le, lt
from typing import Any

from ngsi_ld.entity import Instance
from ngsi_ld.query.q import Literal
from ngsi_ld.query.temporal import Instant, instant_key


class _Missing:
    """Stands for no value, where None would be JSON's null."""


MISSING = _Missing()

RELATIONSHIPS = frozenset({"Relationship", "ListRelationship"})
"""The kinds that are only equal or unequal to something, never before, after or like it."""

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}


def texts_of(language_map: dict[str, str | list[str]]) -> list[str]:
    """All texts of all languages."""
    return list(chain.from_iterable([text] if isinstance(text, str) else text for text in language_map.values()))


_TARGETS: dict[str, Callable[[Instance], Any]] = {
    "Property": lambda instance: instance["value"],
    "Relationship": lambda instance: instance["object"],
    "VocabProperty": lambda instance: instance["vocab"],
    "ListProperty": lambda instance: instance["valueList"],
    "ListRelationship": lambda instance: [item["object"] for item in instance["objectList"]],
    "LanguageProperty": lambda instance: texts_of(instance["languageMap"]),
}


def target_value(instance: Instance) -> Any:
    """The target value of the instance; MISSING for a JsonProperty, which has only members, and a GeoProperty."""
    target = _TARGETS.get(instance["type"])
    return MISSING if target is None else target(instance)


_INSIDES: dict[str, Callable[[Instance], Any]] = {
    "Property": lambda instance: instance["value"],
    "JsonProperty": lambda instance: instance["json"],
    "LanguageProperty": lambda instance: instance["languageMap"],
}


def value_inside(instance: Instance, keys: tuple[str, ...]) -> Any:
    """What the path in [] leads to: a member of the value, a language; MISSING where it leads to nothing."""
    kind = instance["type"]
    if keys == ("*",):
        return texts_of(instance["languageMap"]) if kind == "LanguageProperty" else MISSING
    inside = _INSIDES.get(kind)
    if inside is None:
        return MISSING
    value = inside(instance)
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def equals(value: Any, literal: Literal) -> bool:
    """Whether a target value is the literal, or an array that has it; of two types nothing is equal."""
    if isinstance(value, list):
        return any(_same(item, literal) for item in value)
    return _same(value, literal)


def _same(value: Any, literal: Literal) -> bool:
    if isinstance(literal, Instant):
        return instant_key(value, literal.form) == literal.key
    if isinstance(literal, bool) or isinstance(value, bool):
        return value is literal
    return value == literal and isinstance(value, str | int | float)


def compares(value: Any, operator: str, literal: Literal) -> bool:
    """Whether a single target value of the same type stands in this order to the literal."""
    compare = OPERATORS[operator]
    if isinstance(literal, Instant):
        key = instant_key(value, literal.form)
        return key is not None and compare(key, literal.key)
    if isinstance(literal, str):
        return isinstance(value, str) and compare(value, literal)
    return isinstance(value, int | float) and not isinstance(value, bool) and compare(value, literal)


def is_between(value: Any, low: Literal, high: Literal) -> bool:
    """Whether a single target value is in the range, both ends included."""
    return compares(value, ">=", low) and compares(value, "<=", high)
