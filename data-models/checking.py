"""Whether an entity as it is sent (normalized NGSI-LD, the territory's terms) is as its model says: names, kinds, units
and values."""

from typing import Any

import data_models
from data_models.attributes import ANY_UNIT, Attribute, attributes
from data_models.validation import problems

_MEMBERS = ("value", "object", "languageMap", "json", "vocab")


def simplified(entity: dict[str, Any]) -> dict[str, Any]:
    """The bare values of a normalized entity (GS CIM 009 v1.9.1, 4.5.4) under the names that its own model gives them:
    `sdmDevice:refDevice` of a DeviceMeasurement is refDevice. Members that are no attributes stay as they are."""
    prefix = f"sdm{data_models.subject(entity['type'])}:" if entity["type"] in data_models.types() else ""
    simple: dict[str, Any] = {}
    for name, attribute in entity.items():
        if name == "@context":
            continue
        if prefix and name.startswith(prefix):
            name = name[len(prefix) :]
        simple[name] = _bare(attribute)
    return simple


def faults(entity: dict[str, Any], *, partial: bool = False) -> list[str]:
    """What is wrong with a normalized entity, one sentence a fault; empty for one that is right.

    Besides `problems`: attributes under another subject's name, of another kind, in another unit. Attributes that the
    model does not know are no fault. Raises `KeyError` for a type that is not modelled.
    """
    found = problems(simplified(entity), partial=partial)
    known = attributes(entity["type"])
    terms = {attribute.term: attribute for attribute in known.values()}
    for name, content in entity.items():
        if not isinstance(content, dict) or name == "@context":
            continue
        if name in known and known[name].term != name:
            found.append(f"{name} is another subject's attribute; write {known[name].term}")
        elif name in terms:
            found += _faults_of(name, content, terms[name])
    return found


def _faults_of(name: str, content: dict[str, Any], attribute: Attribute) -> list[str]:
    kind, unit = content.get("type", "Property"), content.get("unitCode")
    found = []
    if kind != attribute.kind and not (attribute.kind == "Property" and kind == "LanguageProperty"):
        found.append(f"{name} must be a {attribute.kind}, not a {kind}")
    if attribute.unit_code != ANY_UNIT and unit != attribute.unit_code:
        wanted = f"must have the unitCode {attribute.unit_code}" if attribute.unit_code else "has no unit"
        found.append(f"{name} {wanted}, not {unit or 'none'}")
    return found


def _bare(attribute: Any) -> Any:
    if not isinstance(attribute, dict):
        return attribute
    member = next((each for each in _MEMBERS if each in attribute), None)
    if member == "languageMap":
        return {"languageMap": attribute[member]}
    return attribute if member is None else attribute[member]
