"""Entities as MongoDB documents: what goes in comes out, exactly, also through a real MongoDB."""

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.store.documents import changes, document, entity
from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError
from tests.store.lights import TIME, creating, value
from tests.store.lights import entity as light

STAMPS = {"createdAt": TIME, "modifiedAt": TIME}
BOW_TIE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}


def through_bson(given: Entity) -> Entity:
    return entity(bson.decode(bson.encode(document(given))))


def attribute(**instance) -> Entity:
    return light(a=instance | STAMPS)


def test_every_kind_of_attribute_comes_back_as_it_was():
    instances = [
        {"type": "Property", "value": 7, "unitCode": "LUX", "observedAt": TIME, "datasetId": "urn:d:1"},
        {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.36, 48.95]}},
        {"type": "Relationship", "object": ["urn:ngsi-ld:Cabinet:1", "urn:ngsi-ld:Cabinet:2"], "objectType": "urn:t"},
        {"type": "LanguageProperty", "languageMap": {"fr": ["un", "deux"], "@none": "x"}},
        {"type": "VocabProperty", "vocab": ["urn:a", "urn:b"]},
        {"type": "JsonProperty", "json": {"a": [None, {"b.c": {"$d": 1}}]}},
        {"type": "ListProperty", "valueList": [1, [2, {"x": True}]]},
        {"type": "ListRelationship", "objectList": [{"object": "urn:ngsi-ld:Cabinet:1"}]},
    ]
    given = light()
    given.attributes["https://example.org/all"] = [instance | STAMPS for instance in instances]
    given.attributes["https://example.org/deep"] = [
        {
            "type": "Property",
            "value": 1,
            **STAMPS,
            "subs": {"https://a.b/c": [{"type": "Relationship", "object": "urn:x", **STAMPS}]},
        }
    ]

    assert through_bson(given) == given


@pytest.mark.parametrize(
    "number", [0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 10**33, 0.1, 1e300, 5e-324, 48.957123456]
)
def test_numbers_come_back_exactly_and_of_the_same_type(number):
    found = value(through_bson(light(n=number, inside={"x": [number]})), "n")

    assert found == number
    assert type(found) is type(number)


def test_an_integer_that_cannot_be_kept_is_refused():
    with pytest.raises(NgsiLdError, match="34 digits"):
        document(light(n=10**34))


def test_names_that_mongodb_reads_as_paths_and_operators_are_only_names():
    names = ["$set", "a.b.c", "%2E", "%24", "$$ROOT", "nul\0", "", "ghost", "0"]
    given = light(v={name: {name: name} for name in names})
    for name in names:
        given.attributes[f"https://example.org/{name}"] = [{"type": "Property", "value": 1, **STAMPS}]

    assert through_bson(given) == given


def test_a_geometry_stands_apart_for_the_index():
    stored = document(attribute(type="GeoProperty", value={"type": "Point", "coordinates": [4.36, 48.95]}))

    (place,) = next(iter(stored["places"].values()))
    assert place == {"geo": {"type": "Point", "coordinates": [4.36, 48.95]}}


def test_a_geometry_that_stays_costs_no_index():
    before = attribute(type="GeoProperty", value={"type": "Point", "coordinates": [4.36, 48.95]})
    after = attribute(type="GeoProperty", value={"type": "Point", "coordinates": [4.36, 48.95]}, unitCode="X")
    moved = attribute(type="GeoProperty", value={"type": "Point", "coordinates": [4.37, 48.95]})
    gone = attribute(type="Property", value=1)

    assert [name.split(".")[0] for name in changes(before, after)["$set"]] == ["v", "attrs"]
    assert [name.split(".")[0] for name in changes(before, moved)["$set"]] == ["v", "attrs", "places"]
    assert [name.split(".")[0] for name in changes(before, gone)["$unset"]] == ["places"]


def test_a_geometry_that_crosses_itself_is_indexed_repaired_and_comes_back_as_it_was():
    given = attribute(type="GeoProperty", value=BOW_TIE)

    (place,) = next(iter(document(given)["places"].values()))

    assert place["geo"]["type"] == "MultiPolygon"
    assert through_bson(given) == given


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point", "coordinates": [200, 48]},
        {"type": "MultiPolygon", "coordinates": []},
        {"type": "Point", "coordinates": ["a", "b"]},
        {"type": "Polygon", "coordinates": [[["a", 1]]]},
        {"type": "Triangle", "coordinates": [1, 2]},
        {"type": "LineString", "coordinates": [[2**70, 1], [1, 1]]},
        {"type": "GeometryCollection", "geometries": []},
        "POINT(4 48)",
    ],
)
def test_a_geometry_that_cannot_be_indexed_is_kept_all_the_same(geometry):
    given = attribute(type="GeoProperty", value=geometry)

    assert "places" not in document(given)
    assert through_bson(given) == given


def test_too_deep_a_value_is_refused():
    value = 1
    for _ in range(200):
        value = [value]

    with pytest.raises(NgsiLdError, match="nested too deep"):
        document(light(v=value))


def test_a_change_touches_what_differs_only():
    before = light(a=1, b=2)
    name = "https://example.org/a"
    after = Entity(
        before.id,
        before.types,
        before.attributes | {name: [{"type": "Property", "value": 5, **STAMPS}]},
        before.scope,
        before.created_at,
        "2026-11-23T18:00:00.000Z",
        version=1,
    )

    assert changes(before, after) == {
        "$set": {
            "v": 1,
            "modifiedAt": "2026-11-23T18:00:00.000Z",
            "attrs.https://example%2Eorg/a": [{"type": "Property", "value": 5, **STAMPS}],
        }
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON, st.text(min_size=1, max_size=12))
def test_any_json_under_any_name_comes_back(json, name):
    given = light(v={"type": "Property", "value": json})
    given.attributes[name] = [{"type": "JsonProperty", "json": json, **STAMPS}]

    assert through_bson(given) == given


async def test_the_same_through_mongodb(store, tenant):
    given = light(big=2**64 - 1, odd={"$where": {"a.b": 2**63}}, place={"type": "GeoProperty", "value": BOW_TIE})
    await store.mutate(tenant, given.id, creating(given))

    found = await store.get(tenant, given.id)

    assert found is not None
    assert found.attributes == given.attributes
