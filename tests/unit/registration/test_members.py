"""What a registration may say (GS CIM 009 v1.9.1, 5.2.8 to 5.2.11, 5.2.34, 4.3.6.3, 4.3.6.6), and how it is updated."""

import re

import pytest

from ngsi_ld.context import CORE, compile_context
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.registration.changes import new_registration, restored_registration, updated_registration
from ngsi_ld.registration.operations import GROUPS
from ngsi_ld.registration.registration import EntityInfo, Interval, Management, Mode
from ngsi_ld.registration.rendering import render_registration

NOW = "2026-11-23T07:00:00.000Z"
URL = "https://context.example/territory.jsonld"
NAMES = compile_context(
    {"Streetlight": "https://ex.org/Streetlight", "powerState": "https://ex.org/powerState", "ex": "https://ex.org/"},
    {},
)
GIVEN = {
    "id": "urn:ngsi-ld:ContextSourceRegistration:suippes",
    "type": "ContextSourceRegistration",
    "endpoint": "https://broker.suippes.example/ngsi-ld/v1/",
    "information": [{"entities": [{"type": "Streetlight"}], "propertyNames": ["powerState"]}],
}


def new(**members):
    given = {name: value for name, value in (GIVEN | members).items() if value is not ...}
    return new_registration(given, NAMES, URL, NOW, "urn:generated")


def refused(make):
    with pytest.raises(NgsiLdError) as caught:
        make()
    assert caught.value.type is ErrorType.BAD_REQUEST_DATA
    return caught.value.detail


def test_a_registration_is_read():
    one = new(
        mode="redirect",
        operations=["retrieveOps", "createEntity"],
        contextSourceInfo=[
            {"key": "Authorization", "value": "urn:ngsi-ld:request"},
            {"key": "jsonldContext", "value": "https://suippes.example/context.jsonld"},
            {"key": "ngsildConformance", "value": "1.5"},
        ],
        contextSourceAlias="suippes~lighting",
        tenant="lighting",
        datasetId=["@none", "urn:d:1"],
        scope="Suippes",
        observationSpace={"type": "Point", "coordinates": [4.5, 49.1]},
        managementInterval={"startAt": "2025-01-01T00:00:00,50Z", "endAt": "2026-01-01T00:00:00Z"},
        management={"timeout": 500, "cooldown": 2000, "localOnly": True, "cacheDuration": "PT1M"},
        refreshRate="PT15M",
        expiresAt="2027-01-01T00:00:00Z",
        registrationName="Suippes",
    )

    assert one.endpoint == "https://broker.suippes.example"
    assert one.information[0].entities == (EntityInfo(frozenset({"https://ex.org/Streetlight"})),)
    assert one.information[0].attributes == {"https://ex.org/powerState"}
    assert (one.mode, one.mode.proxied) == (Mode.REDIRECT, True)
    assert one.operations == {"retrieveEntity", "queryEntity", "createEntity"}
    assert one.source_info[0] == ("Authorization", "urn:ngsi-ld:request")
    assert (one.jsonld_context, one.conformance) == ("https://suippes.example/context.jsonld", (1, 5))
    assert (one.alias, one.tenant) == ("suippes~lighting", "lighting")
    assert one.scope == ("/Suippes",)
    assert one.geometries == {"observationSpace": {"type": "Point", "coordinates": [4.5, 49.1]}}
    assert one.management_interval == Interval("2025-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z")
    assert one.management == Management(local_only=True, timeout=0.5, cooldown=2.0, cache=60.0)
    assert restored_registration(one.definition) == one


def test_defaults():
    one = new(id=...)

    assert one.id == "urn:generated"
    assert one.mode is Mode.INCLUSIVE
    assert one.operations == GROUPS["federationOps"]
    assert new(mode="auxiliary").operations == GROUPS["retrieveOps"]


def test_it_is_shown_in_the_readers_names():
    given = {"ex:sourceType": {"type": "Property", "value": "sensor"}, "mode": "inclusive"}
    one = new(**given, timesSent=4, createdAt="2020-01-01T00:00:00Z", _private="mine")

    assert render_registration(one, NAMES) == GIVEN | given
    plain = render_registration(one, CORE)
    assert plain["information"][0]["entities"] == [{"type": "https://ex.org/Streetlight"}]
    assert plain["https://ex.org/sourceType"] == {"type": "Property", "value": "sensor"}
    shown = render_registration(one, NAMES, positions=(), status={"timesSent": 1}, system={"createdAt": NOW})
    assert (shown["information"], shown["timesSent"], shown["createdAt"]) == ([], 1, NOW)


LAMP = {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight"}


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"id": "mine"}, "id must be an absolute URI"),
        ({"type": "Subscription"}, 'type must be "ContextSourceRegistration"'),
        ({"type": ...}, 'type must be "ContextSourceRegistration"'),
        ({"endpoint": ...}, "must have endpoint"),
        ({"endpoint": "broker.example"}, "endpoint must be an absolute URI"),
        ({"endpoint": "ftp://broker.example"}, "endpoint must begin with http:// or https://"),
        ({"endpoint": "http:///path"}, "endpoint must name a host"),
        ({"endpoint": "http://broker.example:99999"}, "endpoint must name a host, and a port"),
        ({"endpoint": "http://a:b@broker.example"}, "endpoint must not hold a user"),
        ({"endpoint": "http://broker.example?x=1"}, "endpoint must be a URL without"),
        ({"information": ...}, "must have information"),
        ({"information": []}, "information must be an array that is not empty"),
        ({"information": [{}]}, r"information\[0\] must have entities, propertyNames or relationshipNames"),
        ({"information": [{"entities": []}]}, r"information\[0\].entities must be an array that is not empty"),
        ({"information": [{"propertyNames": []}]}, r"information\[0\].propertyNames must be an array"),
        ({"information": [{"relationshipNames": ["a b"]}]}, r"relationshipNames\[0\] must be a name"),
        ({"information": [{"attributes": ["a"]}]}, "cannot have a member 'attributes'"),
        ({"information": [{"entities": [{}]}]}, r"entities\[0\] must have a type, an id or an idPattern"),
        ({"information": [{"entities": [{"type": []}]}]}, "type must be an array that is not empty"),
        ({"information": [{"entities": [{"type": "A", "id": "x"}]}]}, "id must be an absolute URI"),
        ({"information": [{"entities": [{"type": "A", "idPattern": "(("}]}]}, "regular expression"),
        ({"mode": "proxy"}, "mode must be one of inclusive, exclusive, redirect, auxiliary"),
        ({"operations": []}, "operations must be an array that is not empty"),
        ({"operations": ["retrieveOps", "fly"]}, "'fly' is none"),
        ({"mode": "auxiliary", "operations": ["updateOps"]}, "auxiliary registration are only to retrieve"),
        ({"mode": "auxiliary", "operations": ["queryBatch"]}, "not queryBatch"),
        ({"mode": "exclusive"}, "must have entities by id"),
        ({"mode": "exclusive", "information": [{"entities": [LAMP]}]}, "must have propertyNames or relationshipNames"),
        (
            {"mode": "exclusive", "information": [{"entities": [{"idPattern": ".*"}], "propertyNames": ["a"]}]},
            "must have entities by id",
        ),
        ({"contextSourceInfo": [{"key": "a"}]}, "value must be a text"),
        ({"contextSourceInfo": [{"key": "a b", "value": "c"}]}, "cannot be sent as a header"),
        ({"contextSourceInfo": [{"key": "a", "value": "b\r\nHost: c"}]}, "has control characters"),
        ({"contextSourceInfo": [{"key": "accept", "value": "text/html"}]}, "accept must be one of application/json"),
        ({"contextSourceInfo": [{"key": "contentType", "value": "application/geo+json"}]}, "contentType must be one"),
        ({"contextSourceInfo": [{"key": "jsonldContext", "value": "context"}]}, "jsonldContext must be an absolute"),
        ({"contextSourceInfo": [{"key": "jsonldContext", "value": "urn:a:b"}]}, "must be the URL of an @context"),
        ({"contextSourceInfo": [{"key": "ngsildConformance", "value": "1"}]}, "a version of NGSI-LD such as 1.5"),
        ({"contextSourceAlias": ""}, "contextSourceAlias must be a pseudonym"),
        ({"contextSourceAlias": "a b"}, "contextSourceAlias must be a pseudonym"),
        ({"tenant": "a\r\nb"}, "tenant must be the name"),
        ({"datasetId": ["none"]}, r"datasetId\[0\] must be an absolute URI"),
        ({"scope": []}, "scope must not be an empty array"),
        ({"scope": "a b"}, "scope must be a path"),
        ({"location": {"type": "Circle", "coordinates": [0, 0]}}, "location: the type of a geometry"),
        ({"location": {"type": "GeoProperty", "value": {}}}, "location: the type of a geometry"),
        ({"operationSpace": "here"}, "operationSpace must be a GeoJSON geometry"),
        ({"observationInterval": {}}, "observationInterval must have a startAt"),
        ({"observationInterval": {"startAt": "2025-01-01"}}, "observationInterval.startAt must be a UTC date-time"),
        (
            {"managementInterval": {"startAt": "2025-01-01T00:00:00Z", "endAt": "2024-01-01T00:00:00Z"}},
            "managementInterval.endAt must not be before startAt",
        ),
        ({"management": {"timeout": 0}}, "management.timeout must be a number greater than 0"),
        ({"management": {"cooldown": "1"}}, "management.cooldown must be a number"),
        ({"management": {"localOnly": 1}}, "management.localOnly must be true or false"),
        ({"management": {"cacheDuration": "1h"}}, "management.cacheDuration must be an ISO 8601 duration"),
        ({"management": {"retries": 1}}, "management cannot have a member 'retries'"),
        ({"refreshRate": "soon"}, "refreshRate must be an ISO 8601 duration"),
        ({"expiresAt": "2026-11-23T06:59:59Z"}, "expiresAt must be in the future"),
        ({"expiresAt": "tomorrow"}, "expiresAt must be a UTC date-time"),
        ({"registrationName": ""}, "registrationName must be a text that is not empty"),
        ({"description": 1}, "description must be a text"),
        ({"a b": 1}, "a property of a context source must be a name"),
        ({"owner": None}, "owner must have a value"),
    ],
)
def test_what_is_refused_names_the_member(members, detail):
    assert re.search(detail, refused(lambda: new(**members)))


def test_a_fragment_replaces_and_removes_members():
    before = new(description="old", scope="/A", owner="x")
    fragment = {"description": "new", "scope": None, "owner": "urn:ngsi-ld:null", "mode": "redirect", "id": before.id}

    after = updated_registration(before, fragment, CORE, NOW)

    assert render_registration(after, NAMES) == GIVEN | {"description": "new", "mode": "redirect"}
    assert after.mode is Mode.REDIRECT
    assert updated_registration(before, {}, CORE, NOW) == before


@pytest.mark.parametrize(
    ("fragment", "detail"),
    [
        ({"endpoint": None}, "endpoint cannot be removed"),
        ({"information": "urn:ngsi-ld:null"}, "information cannot be removed"),
        ({"id": "urn:other"}, "id cannot be changed"),
        ({"type": "Other"}, "type must be"),
        ({"mode": "exclusive"}, "must have entities by id"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt must be in the future"),
        ({"information": [{"entities": [{"id": "x"}]}]}, "id must be an absolute URI"),
    ],
)
def test_a_fragment_is_checked_with_what_stays(fragment, detail):
    assert detail in refused(lambda: updated_registration(new(), fragment, NAMES, NOW))
