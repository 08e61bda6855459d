"""What each model says of its attributes: kind, unit and IRI."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import data_models

NAMESPACE = "https://smartdatamodels.org/"
"""What the subjects share is `NAMESPACE name`; a subject's own is `NAMESPACE dataModel.<Subject>/name`."""

CORE_IRIS = {
    "description": "http://purl.org/dc/terms/description",
    "location": "https://uri.etsi.org/ngsi-ld/location",
    "status": "https://uri.etsi.org/ngsi-ld/status",
}
"""Attributes that the NGSI-LD core context names, with the IRIs that Smart Data Models gives them too."""


ANY_UNIT = "any"
"""The `x-unitCode` of an attribute such as numValue, whose unit is that of what is measured."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a model.

    `kind` is Property, Relationship or GeoProperty; `unit_code` is a UN/CEFACT code, ANY_UNIT where what is measured
    decides, None for what is no quantity; `iri` is the one of Smart Data Models; `term` is what the territory's
    @context calls it: its name, or `sdmDevice:refDevice` where that name is another subject's.
    """

    name: str
    kind: str
    unit_code: str | None
    iri: str
    term: str


@cache
def attributes(entity_type: str) -> dict[str, Attribute]:
    """The attributes of a type by name: those it shares with other subjects, then its own."""
    schema = data_models.schema(entity_type)
    groups = schema["$defs"]["common"]["$defs"]
    shared_names = {name for group in groups.values() for name in group.get("properties", ())}
    properties: dict[str, Any] = {}
    for reference in schema["allOf"]:
        properties |= groups[reference["$ref"].rpartition("/")[2]]["properties"]
    properties |= schema["properties"]
    subject = data_models.subject(entity_type)
    own = subject_namespace(subject)
    conflicts = data_models.read("composition.json")["conflicts"]

    def attribute(name: str, content: dict[str, Any]) -> Attribute:
        shared = name in CORE_IRIS or name in shared_names
        elsewhere = not shared and conflicts.get(name, {}).get("subject", subject) != subject
        return Attribute(
            name=name,
            kind=content.get("x-kind", "Property"),
            unit_code=content.get("x-unitCode"),
            iri=CORE_IRIS.get(name, (NAMESPACE if shared else own) + name),
            term=f"sdm{subject}:{name}" if elsewhere else name,
        )

    return {name: attribute(name, content) for name, content in properties.items() if name not in ("id", "type")}


def subject_namespace(subject: str) -> str:
    """Where a subject's types and own attributes are named: `https://smartdatamodels.org/dataModel.Device/`."""
    return f"{NAMESPACE}dataModel.{subject}/"
