"""The internal entity: names expanded to IRIs, a list of instances per attribute, system attributes apart.

It is what every other module of the library reads and makes: expansion builds it from JSON, mutations go from one
to the next, representation renders it, the query interpreters test it, a store keeps it.

    Entity(
        id="urn:ngsi-ld:Streetlight:1",
        types=["https://smartdatamodels.org/dataModel.Streetlighting/Streetlight"],
        attributes={
            "https://smartdatamodels.org/dataModel.Streetlighting/powerState": [
                {"type": "Property", "value": "on", "observedAt": "2026-11-23T17:02:00Z",
                 "createdAt": "2026-11-23T17:02:01.250Z", "modifiedAt": "2026-11-23T17:02:01.250Z"},
            ],
        },
        scope=["/Chalons/Centre"],
        created_at="2026-11-23T17:02:01.250Z",
        modified_at="2026-11-23T17:02:01.250Z",
    )

An entity and all that hangs from it is never changed in place: a change makes new lists and dictionaries along its
path and shares the rest, so that `after.attributes[name] is before.attributes[name]` tells that nothing changed.
"""

from dataclasses import dataclass, field
from typing import Any, TypedDict


class Instance(TypedDict, total=False):
    """One instance of an attribute (4.5.2 to 4.5.5), in its normalized members, with two differences.

    Sub-attributes are in `subs`, by IRI, each a list of instances; `vocab`, `objectType` and `valueType` hold IRIs.
    `createdAt` and `modifiedAt` are always there, as `YYYY-MM-DDThh:mm:ss.mmmZ`; the default instance has no
    `datasetId`.
    """

    type: str
    value: Any
    object: str | list[str]
    languageMap: dict[str, str | list[str]]
    json: Any
    vocab: str | list[str]
    valueList: list[Any]
    objectList: list[dict[str, str]]
    unitCode: str
    valueType: str
    objectType: str | list[str]
    datasetId: str
    observedAt: str
    expiresAt: str
    createdAt: str
    modifiedAt: str
    subs: "Attributes"


Attributes = dict[str, list[Instance]]
"""Attribute IRI to its instances, at most one default instance and one per `datasetId`."""


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity (4.5.1) at one moment; `version` counts its writes, 0 for one that was never stored."""

    id: str
    types: list[str]
    attributes: Attributes = field(default_factory=dict)
    scope: list[str] = field(default_factory=list)
    created_at: str = ""
    modified_at: str = ""
    expires_at: str | None = None
    version: int = 0
