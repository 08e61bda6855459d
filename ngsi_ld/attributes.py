"""The attribute kinds and what may stand in each: data that the rest reads (4.5.2 to 4.5.5, 5.2.5 ff)."""

from dataclasses import dataclass

NULL = "urn:ngsi-ld:null"
"""NGSI-LD Null (4.5.0): stands for deletion in a fragment."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An attribute kind: its name, the member with its value, what that member holds when it is NGSI-LD Null."""

    name: str
    member: str
    null: object
    previous: str
    plural: str
    unit_code: bool = False
    object_type: bool = False


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("Property", "value", NULL, "previousValue", "values", unit_code=True),
        Kind("GeoProperty", "value", NULL, "previousValue", "values", unit_code=True),
        Kind("Relationship", "object", NULL, "previousObject", "objects", object_type=True),
        Kind("LanguageProperty", "languageMap", {"@none": NULL}, "previousLanguageMap", "languageMaps"),
        Kind("JsonProperty", "json", NULL, "previousJson", "jsons"),
        Kind("VocabProperty", "vocab", NULL, "previousVocab", "vocabs"),
        Kind("ListProperty", "valueList", [NULL], "previousValueList", "valueLists", unit_code=True),
        Kind("ListRelationship", "objectList", [NULL], "previousObjectList", "objectLists", object_type=True),
    )
}

VALUE_MEMBERS = frozenset(kind.member for kind in KINDS.values())
"""The members that hold a value, one per kind; an instance has the one of its kind and no other."""

SYSTEM_MEMBERS = frozenset({"createdAt", "modifiedAt", "deletedAt"})
"""Given by the broker, ignored in what clients send, shown with `sysAttrs` (4.8, 6.3.11)."""

PREVIOUS_MEMBERS = frozenset(kind.previous for kind in KINDS.values())
"""In notifications only (5.3.1)."""

OUTPUT_MEMBERS = PREVIOUS_MEMBERS | {"entity", "entityList", "instanceId", "lang"}
"""Made by the broker in its answers; not accepted from clients as sub-attributes."""
