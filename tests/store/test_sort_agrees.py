"""One ordering, one order: the stages that MongoDB runs and the sort in memory agree (GS CIM 009 v1.9.1, 4.23)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from broker.store.documents import document
from broker.store.filters import mongo_sort
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query import parse_order_by
from ngsi_ld.query.sorting import sort_key
from tests.store.generated_entities import NAMES, NOW, entities

terms = st.tuples(
    st.sampled_from(
        [
            *("a", "b", "c", "a.b", "a.observedAt", "a.createdAt", "b.b.unitCode", "location"),
            *("a[x]", "a[x.z]", "a[en]", "a[$in]", "a[*]"),
            *("id", "type", "scope", "createdAt", "expiresAt"),
        ]
    ),
    st.sampled_from(["", ";asc", ";desc"]),
).map("".join)


@pytest.fixture(scope="module")
def collection(mongo_uri):
    with MongoClient(mongo_uri) as client:
        yield client["sort_agrees"]["entities"]
        client.drop_database("sort_agrees")


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    stored=st.lists(entities(), min_size=4, max_size=14),
    asked=st.lists(st.lists(terms, min_size=1, max_size=3).map(",".join), min_size=3, max_size=6),
)
def test_memory_and_mongodb_give_the_same_order(collection, stored, asked):
    stored = [
        Entity(f"urn:e:{number}", e.types, e.attributes, e.scope, e.created_at, e.modified_at, e.expires_at)
        for number, e in enumerate(stored)
    ]
    collection.delete_many({})
    collection.insert_many([document(entity) for entity in stored])

    for text in asked:
        ordering = parse_order_by(text, NAMES)

        found = list(collection.aggregate([*mongo_sort(ordering, NOW).stages, {"$project": {"_id": 1}}]))

        assert [one["_id"] for one in found] == [one.id for one in sorted(stored, key=sort_key(ordering, NOW))], text


def named(collection, names, **options):
    collection.delete_many({})
    collection.insert_many(
        [
            document(Entity(f"urn:e:{number}", ["T"], {"name": [{"type": "Property", "value": name}]}))
            for number, name in enumerate(names)
        ]
    )
    sort = mongo_sort(parse_order_by("name", NAMES, **options), NOW)
    found = collection.aggregate(sort.stages, collation=sort.collation)
    return [one["attrs"]["name"][0]["value"] for one in found]


def test_texts_go_by_code_point_or_by_the_collation_asked_for(collection):
    assert named(collection, ["b", "á", "A"]) == ["A", "b", "á"]
    assert named(collection, ["b", "á", "A"], collation="und-x-icu") == ["A", "á", "b"]
    assert named(collection, ["Ärger", "Af", "Az"], collation="de") == ["Af", "Ärger", "Az"]
    assert named(collection, ["Ärger", "Af", "Az"], collation="de-u-co-phonebk") == ["Ärger", "Af", "Az"]
    assert named(collection, ["room 10", "room 9"], collation="en-u-kn-true") == ["room 9", "room 10"]


@pytest.mark.parametrize("collation", ["xx", "en-u-zz-foo", "de-u-ks-level9"])
def test_a_collation_that_is_not_known_is_refused(collation):
    with pytest.raises(NgsiLdError) as refused:
        mongo_sort(parse_order_by("name", NAMES, collation=collation), NOW)

    assert refused.value.type is ErrorType.BAD_REQUEST_DATA
    assert collation in refused.value.detail


def test_distances_are_for_memory():
    ordering = parse_order_by("location;dist-desc,name", NAMES, order_from="[8,40]")
    near, far, road, none = (
        Entity(
            "urn:near",
            ["T"],
            {"location": [{"type": "GeoProperty", "value": {"type": "Point", "coordinates": [8, 40.1]}}]},
        ),
        Entity(
            "urn:far",
            ["T"],
            {"location": [{"type": "GeoProperty", "value": {"type": "Point", "coordinates": [8, 41]}}]},
        ),
        Entity(
            "urn:road",
            ["T"],
            {
                "location": [
                    {"type": "GeoProperty", "value": {"type": "LineString", "coordinates": [[8, 42], [8.01, 40.05]]}}
                ]
            },
        ),
        Entity("urn:none", ["T"]),
    )

    assert mongo_sort(ordering, NOW) is None
    assert [one.id for one in sorted([none, near, far, road], key=sort_key(ordering, NOW))] == [
        "urn:far",
        "urn:near",
        "urn:road",
        "urn:none",
    ]
