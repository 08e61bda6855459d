"""What a notification shows of a changed entity, deletions included (5.8.6)."""

import pytest

from ngsi_ld.changes import attribute_changes
from ngsi_ld.context import CORE
from ngsi_ld.entity import Entity
from ngsi_ld.linked import Node
from ngsi_ld.notification import changed_entity, shown, shown_deleted
from ngsi_ld.subscription import new_subscription

CREATED, MODIFIED, AT = "2026-11-23T16:00:00.000Z", "2026-11-23T16:30:00.000Z", "2026-11-23T17:00:00.000Z"
FRENCH = "urn:ngsi-ld:Dataset:french"


def instance(kind, member, value, **members):
    return {"type": kind, member: value, "createdAt": CREATED, "modifiedAt": MODIFIED, **members}


NAME = instance("Property", "value", "Eiffel Tower")
NOM = instance("Property", "value", "Tour Eiffel", datasetId=FRENCH)
STREET = instance("LanguageProperty", "languageMap", {"fr": "Grand Place", "nl": "Grote Markt"})
CITY = instance("Relationship", "object", "urn:ngsi-ld:City:Paris")
KINDS = [
    (NAME, {"type": "Property", "value": "urn:ngsi-ld:null"}, {"previousValue": "Eiffel Tower"}),
    (
        instance("GeoProperty", "value", {"type": "Point", "coordinates": [4, 48]}),
        {"type": "GeoProperty", "value": "urn:ngsi-ld:null"},
        {"previousValue": {"type": "Point", "coordinates": [4, 48]}},
    ),
    (
        STREET,
        {"type": "LanguageProperty", "languageMap": {"@none": "urn:ngsi-ld:null"}},
        {"previousLanguageMap": {"fr": "Grand Place", "nl": "Grote Markt"}},
    ),
    (CITY, {"type": "Relationship", "object": "urn:ngsi-ld:null"}, {"previousObject": "urn:ngsi-ld:City:Paris"}),
    (
        instance("JsonProperty", "json", {"a": None}),
        {"type": "JsonProperty", "json": "urn:ngsi-ld:null"},
        {"previousJson": {"a": None}},
    ),
    (
        instance("VocabProperty", "vocab", CORE.iri("monument")),
        {"type": "VocabProperty", "vocab": "urn:ngsi-ld:null"},
        {"previousVocab": "monument"},
    ),
    (
        instance("ListProperty", "valueList", [1, 2]),
        {"type": "ListProperty", "valueList": ["urn:ngsi-ld:null"]},
        {"previousValueList": [1, 2]},
    ),
    (
        instance("ListRelationship", "objectList", [{"object": "urn:a"}]),
        {"type": "ListRelationship", "objectList": ["urn:ngsi-ld:null"]},
        {"previousObjectList": [{"object": "urn:a"}]},
    ),
]


def entity(**attributes):
    named = {CORE.iri(name): one if isinstance(one, list) else [one] for name, one in attributes.items()}
    return Entity("urn:ngsi-ld:B:1", [CORE.iri("Building")], named, [], CREATED, MODIFIED)


def told(before, after, endpoint=None, triggers=None, notification=None, **members):
    subscription = new_subscription(
        {
            "type": "Subscription",
            "entities": [{"type": "Building"}],
            "notificationTrigger": triggers or ["attributeCreated", "attributeUpdated", "attributeDeleted"],
            "notification": {
                "endpoint": {"uri": "http://example.org/", **(endpoint or {})},
                **(notification or {}),
            },
            **members,
        },
        CORE,
        "https://example.org/context.jsonld",
        AT,
        "urn:s",
    )
    changes = attribute_changes(before, after)
    if after is None:
        return shown_deleted(subscription, before, changes, CORE, AT)
    entity = changed_entity(subscription, after, changes, CORE, AT)
    return shown(subscription, Node(entity, subscription.view), CORE, AT)


HEAD = {"id": "urn:ngsi-ld:B:1", "type": "Building"}


def test_a_change_shows_the_whole_entity():
    assert told(entity(name=NAME), entity(name=NAME, city=CITY)) == {
        **HEAD,
        "name": {"type": "Property", "value": "Eiffel Tower"},
        "city": {"type": "Relationship", "object": "urn:ngsi-ld:City:Paris"},
    }


@pytest.mark.parametrize(("one", "marker", "previous"), KINDS)
def test_a_deleted_attribute_is_null(one, marker, previous):
    before, after = entity(name=NAME, gone=one), entity(name=NAME)
    name = {"name": {"type": "Property", "value": "Eiffel Tower"}}

    assert told(before, after) == {**HEAD, **name, "gone": marker}
    assert told(before, after, notification={"showChanges": True}) == {**HEAD, **name, "gone": {**marker, **previous}}
    assert told(before, after, notification={"format": "simplified"}) == {
        **HEAD,
        "name": "Eiffel Tower",
        "gone": "urn:ngsi-ld:null",
    }
    concise = {member: value for member, value in marker.items() if member != "type"}
    assert told(before, after, notification={"format": "concise"})["gone"] == concise.get("value", concise)
    assert told(before, after, notification={"sysAttrs": True})["gone"] == {
        **marker,
        "createdAt": CREATED,
        "modifiedAt": MODIFIED,
        "deletedAt": AT,
    }


def test_a_deleted_attribute_is_not_shown_to_who_did_not_ask():
    assert told(entity(name=NAME, city=CITY), entity(name=NAME), triggers=["attributeUpdated"]) == {
        **HEAD,
        "name": {"type": "Property", "value": "Eiffel Tower"},
    }


def test_one_instance_of_several_is_deleted():
    before, after = entity(name=[NAME, NOM]), entity(name=[NAME])

    assert told(before, after)["name"] == [
        {"type": "Property", "value": "Eiffel Tower"},
        {"type": "Property", "value": "urn:ngsi-ld:null", "datasetId": FRENCH},
    ]
    assert told(before, after, notification={"format": "keyValues"})["name"] == {
        "dataset": {"@none": "Eiffel Tower", FRENCH: "urn:ngsi-ld:null"}
    }


def test_all_instances_are_deleted():
    before, after = entity(name=[NAME, NOM], city=CITY), entity(city=CITY)

    assert told(before, after)["name"] == {"type": "Property", "value": "urn:ngsi-ld:null"}
    assert told(before, after, notification={"showChanges": True})["name"] == [
        {"type": "Property", "value": "urn:ngsi-ld:null", "previousValue": "Eiffel Tower"},
        {"type": "Property", "value": "urn:ngsi-ld:null", "previousValue": "Tour Eiffel", "datasetId": FRENCH},
    ]


@pytest.mark.parametrize(("one", "_marker", "previous"), KINDS)
def test_show_changes_adds_the_previous_value(one, _marker, previous):
    after = {**one, "observedAt": AT}

    shown = told(entity(a=one), entity(a=after), notification={"showChanges": True})["a"]

    assert {name: value for name, value in shown.items() if name.startswith("previous")} == previous
    assert "previous" not in str(told(None, entity(a=one), notification={"showChanges": True}))
    assert "previous" not in str(told(entity(), entity(a=one), notification={"showChanges": True}))


def test_a_deleted_entity_is_id_type_and_when():
    before = entity(name=NAME, city=CITY)

    assert told(before, None, triggers=["entityDeleted"]) == {**HEAD, "deletedAt": AT}
    assert told(before, None, triggers=["entityDeleted"], notification={"sysAttrs": True, "format": "keyValues"}) == {
        **HEAD,
        "createdAt": CREATED,
        "modifiedAt": MODIFIED,
        "deletedAt": AT,
    }
    assert told(before, None, triggers=["entityDeleted"], notification={"showChanges": True}) == {
        **HEAD,
        "deletedAt": AT,
        "name": {"type": "Property", "value": "urn:ngsi-ld:null", "previousValue": "Eiffel Tower"},
        "city": {"type": "Relationship", "object": "urn:ngsi-ld:null", "previousObject": "urn:ngsi-ld:City:Paris"},
    }


def test_a_deleted_entity_for_who_watches_an_attribute():
    before = entity(name=NAME, city=CITY)

    assert told(before, None, triggers=["attributeDeleted"], watchedAttributes=["name"]) == {
        **HEAD,
        "deletedAt": AT,
        "name": {"type": "Property", "value": "urn:ngsi-ld:null"},
    }


def test_what_is_picked_and_omitted():
    after = entity(name=NAME, city=CITY)
    name = {"type": "Property", "value": "Eiffel Tower"}

    assert told(None, after, notification={"pick": ["id", "name"]}) == {"id": "urn:ngsi-ld:B:1", "name": name}
    assert told(None, after, notification={"omit": ["type", "city"]}) == {"id": "urn:ngsi-ld:B:1", "name": name}
    assert told(None, after, notification={"attributes": ["name"]}) == {**HEAD, "name": name}
    assert told(None, after, notification={"pick": ["other"]}) == {}


def test_datasets_and_languages():
    after = entity(name=[NAME, NOM], street=STREET)

    assert told(None, after, datasetId=[FRENCH]) == {
        **HEAD,
        "name": {"type": "Property", "value": "Tour Eiffel", "datasetId": FRENCH},
    }
    assert told(None, after, lang="nl")["street"] == {"type": "Property", "value": "Grote Markt", "lang": "nl"}


def test_media_types():
    json_ld = told(None, entity(name=NAME), endpoint={"accept": "application/ld+json"})
    geo_json = told(None, entity(name=NAME), endpoint={"accept": "application/geo+json"})
    deleted = told(entity(), None, triggers=["entityDeleted"], endpoint={"accept": "application/geo+json"})

    assert json_ld["@context"] == "https://example.org/context.jsonld"
    assert geo_json == {
        "id": "urn:ngsi-ld:B:1",
        "type": "Feature",
        "geometry": None,
        "properties": {"type": "Building", "name": {"type": "Property", "value": "Eiffel Tower"}},
    }
    assert deleted["properties"] == {"type": "Building", "deletedAt": AT}
