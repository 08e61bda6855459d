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


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of a model.

    `kind` is Property, Relationship or GeoProperty; `unit_code` is a UN/CEFACT code, None for what is no quantity;
    `iri` is the one of Smart Data Models.
    """

    name: str
    kind: str
    unit_code: str | None
    iri: str


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
    own = subject_namespace(data_models.subject(entity_type))
    return {
        name: Attribute(
            name=name,
            kind=content.get("x-kind", "Property"),
            unit_code=content.get("x-unitCode"),
            iri=CORE_IRIS.get(name, (NAMESPACE if name in shared_names else own) + name),
        )
        for name, content in properties.items()
        if name not in ("id", "type")
    }


def subject_namespace(subject: str) -> str:
    """Where a subject's types and own attributes are named: `https://smartdatamodels.org/dataModel.Device/`."""
    return f"{NAMESPACE}dataModel.{subject}/"
