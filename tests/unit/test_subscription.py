"""Subscriptions: what is accepted, what is refused and why, how they are updated and shown (5.2.12 to 5.2.15, 5.8)."""

import re

import pytest

from ngsi_ld.changes import Trigger
from ngsi_ld.context import CORE, compile_context
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.linked import Join, Linking
from ngsi_ld.subscription import (
    Status,
    new_subscription,
    render_subscription,
    restored_subscription,
    updated_subscription,
)

NOW = "2026-11-23T17:00:00.000Z"
URL = "https://example.org/context.jsonld"
CONTEXT = compile_context({"Light": "https://example.org/Light", "power": "https://example.org/power"}, {})
OTHER = compile_context({"Light": "https://other.org/Light", "power": "https://other.org/power"}, {})
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"


def body(notification=None, endpoint=None, **members):
    given = {
        "id": "urn:ngsi-ld:Subscription:1",
        "type": "Subscription",
        "entities": [{"type": "Light"}],
        "notification": {"endpoint": {"uri": "http://example.org/notify", **(endpoint or {})}, **(notification or {})},
        **members,
    }
    return {name: value for name, value in given.items() if value is not ...}


def new(given, names=CONTEXT):
    return new_subscription(given, names, URL, NOW, "urn:ngsi-ld:Subscription:generated")


def refused(action):
    with pytest.raises(NgsiLdError) as raised:
        action()
    assert raised.value.type is ErrorType.BAD_REQUEST_DATA
    return raised.value.detail


def test_the_least_subscription():
    subscription = new(body())

    assert subscription.id == "urn:ngsi-ld:Subscription:1"
    assert subscription.query.selectors[0].types.alternatives == (frozenset({"https://example.org/Light"}),)
    assert subscription.triggers == {Trigger.ATTRIBUTE_CREATED, Trigger.ATTRIBUTE_UPDATED}
    assert subscription.endpoint.uri == "http://example.org/notify"
    assert subscription.endpoint.accept == "application/json"
    assert subscription.context == URL
    assert subscription.status(NOW) is Status.ACTIVE


def test_an_id_is_generated():
    assert new(body(id=...)).id == "urn:ngsi-ld:Subscription:generated"


def test_all_members():
    subscription = new(
        body(
            subscriptionName="lights",
            description="all of them",
            entities=[
                {"type": "(Light;Pole)|Lamp"},
                {"type": "*", "id": "urn:a"},
                {"type": "Light", "idPattern": "^urn"},
            ],
            watchedAttributes=["power", "https://example.org/voltage"],
            notificationTrigger=["entityUpdated", "entityDeleted"],
            throttling=1.5,
            q="power>3;name==%22x%22",
            geoQ={"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": [4, 48]},
            scopeQ="/Chalons/#",
            csf='endpoint=="http://x"',
            datasetId=["urn:d", "@none"],
            lang="fr",
            expiresAt="2030-01-01T00:00:00Z",
            isActive=True,
            localOnly=True,
            splitEntities=False,
            jsonldContext="https://example.org/other.jsonld",
            ngsildConformance="1.6",
            notification={
                "pick": ["id", "power{voltage}"],
                "omit": ["type"],
                "format": "concise",
                "showChanges": True,
                "sysAttrs": True,
                "join": "inline",
                "joinLevel": 2,
            },
            endpoint={
                "accept": "application/ld+json",
                "timeout": 1500,
                "cooldown": 500,
                "receiverInfo": [{"key": "Authorization", "value": "x"}],
                "notifierInfo": [{"key": "Prefer", "value": "y"}],
            },
        )
    )

    assert subscription.watched == {"https://example.org/power", "https://example.org/voltage"}
    assert subscription.triggers == set(Trigger) - {Trigger.ENTITY_CREATED, Trigger.ENTITY_UPDATED}
    assert subscription.throttling == 1.5
    assert subscription.query.selectors[1].ids == ("urn:a",)
    assert subscription.query.selectors[2].id_pattern.text == "^urn"
    assert subscription.query.q.conditions[1].values == ("x",)
    assert subscription.view.pick == {"id", "https://example.org/power"}
    assert subscription.view.omit == {"type"}
    assert subscription.view.dataset_ids == {"urn:d", "@none"}
    assert subscription.view.sys_attrs
    assert subscription.linking == Linking(Join.INLINE, 2)
    assert subscription.endpoint.timeout == 1.5
    assert subscription.endpoint.cooldown == 0.5
    assert subscription.endpoint.receiver_info == {"Authorization": "x"}
    assert subscription.context == "https://example.org/other.jsonld"
    assert subscription.conformance == (1, 6)
    assert restored_subscription(subscription.definition) == subscription


def test_an_id_takes_precedence_over_a_pattern():
    [selector] = new(body(entities=[{"type": "*", "id": "urn:a", "idPattern": "["}])).query.selectors

    assert selector.ids == ("urn:a",)
    assert selector.id_pattern is None


@pytest.mark.parametrize(
    ("given", "detail"),
    [
        ([], "must be a JSON object"),
        ({}, "type must be"),
        (body(type="subscription"), 'type must be "Subscription"'),
        (body(id="no uri"), "id must be an absolute URI"),
        (body(entitys=[]), "cannot have a member 'entitys'"),
        ({"type": "Subscription", "entities": [{"type": "A"}]}, "must have a notification"),
        (body(entities=...), "must have entities or watchedAttributes"),
        (body(entities=[]), "entities must be an array that is not empty"),
        (body(entities=None), "entities must be an array"),
        (body(entities=[{}]), r"entities\[0\] must have a type"),
        (body(entities=[{"type": "a b"}]), r"entities\[0\].type is wrong at character 3"),
        (body(entities=[{"type": "A", "attrs": []}]), "cannot have a member 'attrs'"),
        (body(entities=[{"type": "A", "id": "x"}]), r"entities\[0\].id\[0\] must be an absolute URI"),
        (body(entities=[{"type": "A", "id": []}]), r"entities\[0\].id must be an array that is not empty"),
        (body(entities=[{"type": "A", "idPattern": "["}]), "regular expression of entities"),
        (body(entities=[{"type": "*"}], localOnly=False), "localOnly cannot be false"),
        (body(watchedAttributes=[]), "watchedAttributes must be an array that is not empty"),
        (body(watchedAttributes=["a b"]), r"watchedAttributes\[0\] must be a name"),
        (body(watchedAttributes="power"), "watchedAttributes must be an array"),
        (body(notificationTrigger=["entityChanged"]), r"notificationTrigger\[0\] must be one of entityCreated"),
        (body(notificationTrigger=[]), "notificationTrigger must be an array that is not empty"),
        (body(timeInterval=0), "timeInterval must be a number greater than 0"),
        (body(timeInterval=True), "timeInterval must be a number"),
        (body(timeInterval=5, watchedAttributes=["a"]), "timeInterval and watchedAttributes cannot"),
        (body(timeInterval=5, throttling=5), "timeInterval and throttling cannot"),
        (body(timeInterval=5, entities=...), "must have entities"),
        (body(throttling=-30), "throttling must be a number greater than 0, not -30"),
        (body(throttling="1"), "throttling must be a number"),
        (body(throttling=float("nan")), "throttling must be a number"),
        (body(q=""), "q must be a text that is not empty"),
        (body(q="a=="), "q is wrong at character 4"),
        (body(csf="(("), "csf is wrong"),
        (body(scopeQ="//"), "scopeQ is wrong"),
        (body(geoQ={"georel": "within"}), "geometry is missing"),
        (body(geoQ={"georel": "at", "geometry": "Point", "coordinates": [1, 2]}), "georel must be"),
        (body(temporalQ={}), "temporalQ is for subscriptions to context source registrations"),
        (body(datasetId=["x"]), r"datasetId\[0\] must be an absolute URI"),
        (body(datasetId=[]), "datasetId must be an array"),
        (body(lang="+"), "lang must list languages"),
        (body(expiresAt="tomorrow"), "expiresAt must be a UTC date-time"),
        (body(expiresAt="2020-01-01T00:00:00Z"), "expiresAt must be in the future"),
        (body(isActive="true"), "isActive must be true or false"),
        (body(jsonldContext="unknown"), "jsonldContext must be an absolute URI"),
        (body(ngsildConformance="v1"), "ngsildConformance must be a version"),
        (body(notification={"endpoint": None}), "notification.endpoint must be an object"),
        (body(notification={"form": "x"}), "notification cannot have a member 'form'"),
        (body(notification={"format": "temporalValues"}), "notification.format must be one of normalized"),
        (body(notification={"format": "keyValues", "showChanges": True}), "showChanges cannot be true"),
        (body(notification={"format": "simplified", "showChanges": True}), "showChanges cannot be true"),
        (body(notification={"attributes": []}), "notification.attributes must be an array that is not empty"),
        (body(notification={"attributes": ["id"]}), "id is none; use pick"),
        (body(notification={"pick": []}), "notification.pick must be an array that is not empty"),
        (body(notification={"omit": []}), "notification.omit must be an array that is not empty"),
        (body(notification={"pick": ["id"], "omit": ["id"]}), "cannot both have id"),
        (body(notification={"pick": ["id"], "attributes": ["a"]}), "cannot be given together with pick or omit"),
        (body(notification={"pick": ["a{b}"]}), "notification.pick reaches into linked entities"),
        (body(notification={"join": "all"}), "notification.join must be one of @none, inline, flat"),
        (body(notification={"joinLevel": 2}), "joinLevel is only for"),
        (body(notification={"join": "flat", "joinLevel": 0}), "joinLevel must be a whole number"),
        (body(notification={"sysAttrs": 1}), "sysAttrs must be true or false"),
        (body(endpoint={"uri": "ftp://example.org/"}), "must begin with http, https, mqtt or mqtts, not 'ftp'"),
        (body(endpoint={"uri": "notify"}), "uri must be an absolute URI"),
        (body(endpoint={"uri": "http:///notify"}), "must name a host"),
        (body(endpoint={"uri": "http://example.org:port/"}), "a port from 1 to 65535"),
        (body(endpoint={"uri": "http://user:secret@example.org/"}), "must not hold a user or password"),
        (body(endpoint={"accept": "text/plain"}), "accept must be one of application/json"),
        (body(endpoint={"timeout": 0}), "timeout must be a number greater than 0"),
        (body(endpoint={"cooldown": "1"}), "cooldown must be a number"),
        (body(endpoint={"receiverInfo": [{"key": "K"}]}), r"receiverInfo\[0\].value must be a text"),
        (body(endpoint={"receiverInfo": [{"key": 5, "value": "v"}]}), r"receiverInfo\[0\].key must be a text"),
        (body(endpoint={"receiverInfo": [{"key": "a b", "value": "v"}]}), "'a b' cannot be sent as a header"),
        (body(endpoint={"receiverInfo": [{"key": "Host", "value": "v"}]}), "'Host' cannot be sent as a header"),
        (body(endpoint={"receiverInfo": [{"key": "X", "value": "a\r\nY: b"}]}), "value of X has control characters"),
        (body(endpoint={"notifierInfo": [{"key": "K", "value": {}}]}), r"notifierInfo\[0\].value must be a text"),
        (body(endpoint={"uri": "mqtt://host"}), "must end with the topic"),
        (body(endpoint={"uri": "mqtt://host/a/+/b"}), "without \\+ or #"),
        (body(endpoint={"uri": "mqtt://host/a%23"}), "without \\+ or #"),
        (body(endpoint={"uri": "mqtt://host/a", "accept": "application/geo+json"}), "cannot be application/geo\\+json"),
        (
            body(endpoint={"uri": "mqtt://host/a", "notifierInfo": [{"key": "MQTT-QoS", "value": "3"}]}),
            "MQTT-QoS must be one of 0, 1, 2",
        ),
        (
            body(endpoint={"uri": "mqtt://host/a", "notifierInfo": [{"key": "MQTT-Version", "value": "5"}]}),
            "MQTT-Version must be one of mqtt3.1.1, mqtt5.0",
        ),
    ],
)
def test_what_is_refused_names_the_member(given, detail):
    assert re.search(detail, refused(lambda: new(given)))


def test_local_subscriptions_need_no_entities():
    assert new(body(entities=..., localOnly=True)).query.selectors == ()
    assert new(body(entities=..., localOnly=True, timeInterval=5)).time_interval == 5


def test_read_only_and_private_members_are_ignored():
    given = body(status="expired", createdAt="x", __context="y", notification={"timesSent": 42, "_note": 1})

    rendered = render_subscription(new(given), CONTEXT, NOW)

    assert rendered["status"] == "active"
    assert rendered.keys() == {
        *("id", "type", "entities", "notification", "notificationTrigger", "jsonldContext", "status")
    }
    assert rendered["notification"] == {"endpoint": {"uri": "http://example.org/notify"}}


def test_mqtt_endpoint():
    endpoint = new(
        body(
            endpoint={
                "uri": "mqtts://us%40er:pass@host:8884/a/b%20c",
                "notifierInfo": [{"key": "MQTT-QoS", "value": "2"}, {"key": "MQTT-Version", "value": "mqtt3.1.1"}],
            }
        )
    ).endpoint.mqtt

    assert (endpoint.host, endpoint.port, endpoint.tls, endpoint.topic) == ("host", 8884, True, "a/b c")
    assert (endpoint.username, endpoint.password) == ("us@er", "pass")
    assert (endpoint.quality, endpoint.version) == (2, "mqtt3.1.1")
    plain = new(body(endpoint={"uri": "mqtt://host/a"})).endpoint.mqtt
    assert (plain.port, plain.tls, plain.username, plain.quality, plain.version) == (1883, False, None, 0, "mqtt5.0")
    assert new(body(endpoint={"uri": "mqtts://host/a"})).endpoint.mqtt.port == 8883


def test_rendering_in_the_names_of_the_reader():
    subscription = new(
        body(
            entities=[{"type": "(Light;Pole)|Light"}],
            watchedAttributes=["power"],
            notification={"pick": ["id", "power", "scope"]},
            q="power>3",
            geoQ={
                "georel": "within",
                "geometry": "Polygon",
                "coordinates": "[[[0,0],[1,0],[1,1],[0,0]]]",
                "geoproperty": "power",
            },
            expandValues="power",
        )
    )

    own = render_subscription(subscription, CONTEXT, NOW)
    plain = render_subscription(subscription, CORE, NOW)

    assert own["entities"] == [{"type": "(Light;Pole)|Light"}]
    assert plain["entities"] == [{"type": "(https://example.org/Light;Pole)|https://example.org/Light"}]
    assert own["watchedAttributes"] == ["power"]
    assert plain["watchedAttributes"] == ["https://example.org/power"]
    assert plain["notification"]["pick"] == ["id", "https://example.org/power", "scope"]
    assert plain["geoQ"]["geoproperty"] == "https://example.org/power"
    assert plain["expandValues"] == "https://example.org/power"
    assert plain["q"] == "power>3"


def test_rendering_defaults_and_what_the_broker_knows():
    subscription = new(body())

    rendered = render_subscription(
        subscription, CONTEXT, NOW, delivery={"timesSent": 3, "status": "ok"}, system={"createdAt": NOW}
    )

    assert rendered["notificationTrigger"] == ["attributeCreated", "attributeUpdated"]
    assert "isActive" not in rendered
    assert rendered["jsonldContext"] == URL
    assert rendered["notification"]["timesSent"] == 3
    assert rendered["createdAt"] == NOW


def test_an_update_replaces_members_by_name():
    before = new(body(q="power>3", throttling=5, description="old"))

    after = updated_subscription(
        before,
        {
            "type": "Subscription",
            "entities": [{"type": "Light"}],
            "throttling": None,
            "description": "urn:ngsi-ld:null",
            "notification": {"endpoint": {"uri": "http://other.org/"}},
        },
        OTHER,
        NOW,
    )

    assert after.query.selectors[0].types.alternatives == (frozenset({"https://other.org/Light"}),)
    assert after.query.q.path.names == ("https://example.org/power",)
    assert after.throttling is None
    assert "description" not in after.definition.members
    assert after.endpoint.uri == "http://other.org/"
    assert after.context == URL
    assert before.endpoint.uri == "http://example.org/notify"
    assert restored_subscription(after.definition) == after


@pytest.mark.parametrize(
    ("fragment", "detail"),
    [
        ({"notification": {"format": "keyValues"}}, "notification must have an endpoint"),
        ({"notification": {"format": "keyValues", "endpoint": None}}, "notification.endpoint must be an object"),
        ({"notification": None}, "notification cannot be removed"),
        ({"id": "urn:other"}, "id cannot be changed"),
        ({"type": "Other"}, "type must be"),
        ({"expiresAt": "2020-08-01T22:07:00Z"}, "expiresAt must be in the future"),
        ({"isActive": True, "expiresAt": "2020-08-01T22:07:00Z"}, "expiresAt must be in the future"),
        ({"timeInterval": 5, "watchedAttributes": ["a"]}, "cannot be given together"),
        ({"entities": "urn:ngsi-ld:null"}, "must have entities or watchedAttributes"),
        ({"colour": 1}, "cannot have a member 'colour'"),
        ([], "must be a JSON object"),
    ],
)
def test_updates_that_are_refused(fragment, detail):
    assert detail in refused(lambda: updated_subscription(new(body()), fragment, CONTEXT, NOW))


LATER = "2031-01-01T00:00:00.000Z"
FUTURE = {"expiresAt": "2040-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("before", "fragment", "status"),
    [
        ({}, {"isActive": False}, Status.PAUSED),
        ({"isActive": False}, {"isActive": True}, Status.ACTIVE),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, {"isActive": True}, Status.EXPIRED),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, {"isActive": False}, Status.EXPIRED),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, {"isActive": True, **FUTURE}, Status.ACTIVE),
        ({"expiresAt": "2030-01-01T00:00:00Z"}, FUTURE, Status.ACTIVE),
        ({"expiresAt": "2030-01-01T00:00:00Z", "isActive": False}, FUTURE, Status.ACTIVE),
        ({"isActive": False}, FUTURE, Status.PAUSED),
    ],
)
def test_the_status_after_an_update(before, fragment, status):
    assert updated_subscription(new(body(**before)), fragment, CONTEXT, LATER).status(LATER) is status


def test_names_keep_the_meaning_they_came_with():
    before = new(body(q="kind==power", watchedAttributes=["power"]))

    after = updated_subscription(before, {"expandValues": "kind"}, OTHER, NOW)

    assert after.watched == {"https://example.org/power"}
    assert after.query.q.values == ("https://other.org/power",)
    assert after.query.q.path.names == (f"{DEFAULT}kind",)
