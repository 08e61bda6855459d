"""Entities as an earlier version of the standard has them (4.3.6.8)."""

import pytest

from ngsi_ld.conformance import conforming
from ngsi_ld.context import CORE
from ngsi_ld.entity import Entity
from ngsi_ld.representation import NORMALIZED, render

AT = "2026-11-23T17:00:00.000Z"


def instance(kind, member, value, **members):
    return {"type": kind, member: value, "createdAt": AT, "modifiedAt": AT, **members}


ENTITY = Entity(
    "urn:ngsi-ld:T:1",
    [CORE.iri("T"), CORE.iri("U")],
    {
        CORE.iri("a"): [
            instance("Property", "value", 2, datasetId="urn:d"),
            instance(
                "Property",
                "value",
                1,
                observedAt=AT,
                unitCode="CEL",
                valueType=CORE.iri("x"),
                subs={CORE.iri("s"): [instance("JsonProperty", "json", {"b": None})]},
            ),
        ],
        CORE.iri("l"): [instance("LanguageProperty", "languageMap", {"fr": "oui"})],
        CORE.iri("v"): [instance("VocabProperty", "vocab", CORE.iri("office"))],
        CORE.iri("m"): [instance("ListProperty", "valueList", [1, 2])],
        CORE.iri("r"): [instance("Relationship", "object", "urn:o", objectType=CORE.iri("O"))],
        CORE.iri("n"): [instance("ListRelationship", "objectList", [{"object": "urn:o"}, {"object": "urn:p"}])],
    },
    ["/a"],
    AT,
    AT,
)


def shown(version):
    return render(conforming(ENTITY, version, CORE), CORE, NORMALIZED, AT)


def test_the_present_version_changes_nothing():
    assert conforming(ENTITY, (1, 9), CORE) is ENTITY


def test_a_language_filter_comes_before():
    assert conforming(ENTITY, (1, 3), CORE, language_filter=True).attributes[CORE.iri("l")] == [
        instance("LanguageProperty", "languageMap", {"fr": "oui"})
    ]


def test_before_1_3():
    assert shown((1, 2)) == {
        "id": "urn:ngsi-ld:T:1",
        "type": "T",
        "a": {"type": "Property", "value": 1, "s": {"type": "Property", "value": {"b": None}}},
        "l": {"type": "Property", "value": {"fr": "oui"}},
        "v": {"type": "Property", "value": "office"},
        "m": {"type": "Property", "value": [1, 2]},
        "r": {"type": "Relationship", "object": "urn:o"},
        "n": {"type": "Relationship", "object": ["urn:o", "urn:p"]},
    }


@pytest.mark.parametrize(
    ("version", "language", "vocabulary", "object_type", "value_type", "scope"),
    [
        ((1, 3), "Property", "Property", False, False, None),
        ((1, 4), "LanguageProperty", "Property", False, False, "/a"),
        ((1, 8), "LanguageProperty", "VocabProperty", True, False, "/a"),
        ((1, 9), "LanguageProperty", "VocabProperty", True, True, "/a"),
    ],
)
def test_what_each_version_has(version, language, vocabulary, object_type, value_type, scope):
    made = shown(version)

    assert made["type"] == ["T", "U"]
    assert len(made["a"]) == 2
    assert made["l"]["type"] == language
    assert made["v"]["type"] == vocabulary
    assert ("objectType" in made["r"]) is object_type
    assert ("valueType" in made["a"][1]) is value_type
    assert made.get("scope") == scope
