"""What comes in: the forms of 4.5.2 and 4.5.3 make one internal entity, and every fault names its member."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.expansion import Fill, expand_entity, expand_fragment

NOW = "2026-11-23T10:00:00.000Z"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
TIMES = {"createdAt": NOW, "modifiedAt": NOW}


def expand(**members):
    return expand_entity({"id": "urn:ngsi-ld:Room:1", "type": "Room", **members}, CORE, NOW)


def attribute(value):
    return expand(a=value).attributes[f"{DEFAULT}a"]


def fault(**members):
    with pytest.raises(NgsiLdError) as caught:
        expand(**members)
    return caught.value.detail


def test_entity_members():
    entity = expand(type=["Room", "Office"], scope="Chalons/Centre", expiresAt="2030-01-01T00:00:00.500Z")

    assert entity.id == "urn:ngsi-ld:Room:1"
    assert entity.types == [f"{DEFAULT}Room", f"{DEFAULT}Office"]
    assert entity.scope == ["/Chalons/Centre"]
    assert entity.expires_at == "2030-01-01T00:00:00.5Z"
    assert entity.created_at == entity.modified_at == NOW


def test_synonyms_of_id_and_type():
    entity = expand_entity({"@id": "urn:x:1", "@type": "Room"}, CORE, NOW)

    assert (entity.id, entity.types) == ("urn:x:1", [f"{DEFAULT}Room"])


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (21.5, {"type": "Property", "value": 21.5}),
        ("warm", {"type": "Property", "value": "warm"}),
        ([1, 2], {"type": "Property", "value": [1, 2]}),
        ({"street": "Rue de la Marne"}, {"type": "Property", "value": {"street": "Rue de la Marne"}}),
        ({"value": 3, "unitCode": "CEL"}, {"type": "Property", "value": 3, "unitCode": "CEL"}),
        ({"type": "Property", "value": False}, {"type": "Property", "value": False}),
        (
            {"type": "Point", "coordinates": [4.364, 48.957]},
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.364, 48.957]}},
        ),
        (
            {"value": {"type": "Point", "coordinates": [4.364, 48.957]}},
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.364, 48.957]}},
        ),
        ({"object": "urn:x:1"}, {"type": "Relationship", "object": "urn:x:1"}),
        ({"object": ["urn:x:1", "urn:x:2"]}, {"type": "Relationship", "object": ["urn:x:1", "urn:x:2"]}),
        (
            {"type": "Relationship", "object": "urn:x:1", "objectType": "Building"},
            {"type": "Relationship", "object": "urn:x:1", "objectType": f"{DEFAULT}Building"},
        ),
        ({"languageMap": {"fr": "Mairie"}}, {"type": "LanguageProperty", "languageMap": {"fr": "Mairie"}}),
        ({"json": {"id": None}}, {"type": "JsonProperty", "json": {"id": None}}),
        ({"vocab": "office"}, {"type": "VocabProperty", "vocab": f"{DEFAULT}office"}),
        ({"valueList": [1, "a"]}, {"type": "ListProperty", "valueList": [1, "a"]}),
        (
            {"objectList": ["urn:x:1", {"object": "urn:x:2"}]},
            {"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}, {"object": "urn:x:2"}]},
        ),
        (
            {"value": 1, "observedAt": "2026-11-23T09:00:00,250Z", "createdAt": "ignored"},
            {"type": "Property", "value": 1, "observedAt": "2026-11-23T09:00:00.250Z"},
        ),
    ],
)
def test_forms_of_an_attribute(sent, kept):
    assert attribute(sent) == [{**kept, **TIMES}]


def test_sub_attributes_are_apart_and_expanded():
    (instance,) = attribute({"value": 1, "accuracy": 0.5, "by": {"object": "urn:x:1"}})

    assert instance["subs"] == {
        f"{DEFAULT}accuracy": [{"type": "Property", "value": 0.5, **TIMES}],
        f"{DEFAULT}by": [{"type": "Relationship", "object": "urn:x:1", **TIMES}],
    }


def test_instances_by_dataset_id():
    instances = attribute([{"value": 1, "datasetId": "@none"}, {"value": 2, "datasetId": "urn:d:1"}])

    assert [one.get("datasetId") for one in instances] == [None, "urn:d:1"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"id": "not a uri"}, ["id must be an absolute URI"]),
        ({"type": "no way"}, ["type", "no way"]),
        ({"type": []}, ["type must be"]),
        ({"scope": "/a b"}, ["scope", "/a b"]),
        ({"a": None}, ["a: it must not be null"]),
        ({"a": {"type": "Property", "value": None}}, ["a: value must not be null"]),
        ({"a": {"type": "Property"}}, ["a: a Property needs the member value"]),
        ({"a": {"type": "Property", "object": "urn:x:1"}}, ["a: a Property needs the member value, not object"]),
        ({"a": {"value": 1, "object": "urn:x:1"}}, ["a: it has object and value"]),
        ({"a": {"type": "Propperty", "value": 1}}, ["a: type must be one of Property"]),
        ({"a": {"type": "Relationship", "object": "here"}}, ["a: object must be an absolute URI"]),
        ({"a": {"type": "Relationship", "object": "urn:x:1", "unitCode": "CEL"}}, ["a: unitCode"]),
        ({"a": {"value": 1, "observedAt": "2026-11-23T10:00:00+01:00"}}, ["a: observedAt", "+01:00"]),
        ({"a": {"value": 1, "sub": {"value": None}}}, ["a: sub: value must not be null"]),
        ({"a": "urn:ngsi-ld:null"}, ["a: it is urn:ngsi-ld:null"]),
        ({"a": {"value": {"deep": ["urn:ngsi-ld:null"]}}}, ["a: value holds urn:ngsi-ld:null"]),
        ({"a": [{"value": 1}, {"value": 2}]}, ["a: two of its instances"]),
        ({"a": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [400, 1]}}}, ["a: ", "value", "400"]),
        ({"a": {"languageMap": {"fr": 1}}}, ["a: languageMap", "fr"]),
        ({"a": {"value": 1, "entity": {}}}, ["a: entity is made by the broker"]),
        ({"a-b": 1}, ["a-b"]),
        ({"value": 1}, ["value is a member of attributes"]),
    ],
)
def test_faults_name_their_member(members, words):
    detail = fault(**members)

    for word in words:
        assert word in detail


def test_depth_is_bounded():
    deep = value = {}
    for _ in range(70):
        value["deeper"] = value = {}
    assert "64 levels" in fault(a={"value": deep})

    nested = sub = {"value": 1}
    for _ in range(30):
        sub["sub"] = sub = {"value": 1}
    assert "24 levels" in fault(a=nested)


@pytest.mark.parametrize("body", [[], "text", 3, None])
def test_a_body_that_is_no_object(body):
    with pytest.raises(NgsiLdError, match="one JSON object") as caught:
        expand_entity(body, CORE, NOW)

    assert caught.value.type.value[0] == "InvalidRequest"


def test_nulls_in_fragments_by_operation():
    update = expand_fragment({"a": "urn:ngsi-ld:null", "scope": "urn:ngsi-ld:null"}, CORE, NOW, Fill.WHOLE_OR_NULL)
    assert update.attributes[f"{DEFAULT}a"][0]["value"] == "urn:ngsi-ld:null"
    assert update.scope == []

    merge = expand_fragment({"a": {"unitCode": "urn:ngsi-ld:null"}}, CORE, NOW, Fill.MERGE)
    assert merge.attributes[f"{DEFAULT}a"] == [{"unitCode": "urn:ngsi-ld:null", **TIMES}]

    with pytest.raises(NgsiLdError, match="datasetId cannot be deleted"):
        expand_fragment({"a": {"value": 1, "datasetId": "urn:ngsi-ld:null"}}, CORE, NOW, Fill.MERGE)
