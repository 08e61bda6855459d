"""Which changes trigger a notification (5.2.12, 5.8.6)."""

import pytest

SIMPLE = {"format": "simplified"}


async def test_only_watched_attributes_trigger(broker, receiver):
    await broker.put("urn:ngsi-ld:T:1", speed=1, power=1)
    await broker.subscribe(receiver.url, watchedAttributes=["speed"], notification=SIMPLE)

    await broker.put("urn:ngsi-ld:T:1", power=2)
    await broker.put("urn:ngsi-ld:T:1", speed=2)

    await receiver.until(1)
    assert await receiver.quiet()
    assert receiver.notifications[0]["data"] == [{"id": "urn:ngsi-ld:T:1", "type": "T", "speed": 2, "power": 2}]


async def test_the_same_value_again_is_no_change(broker, receiver):
    await broker.put("urn:ngsi-ld:T:1", speed=1)
    await broker.subscribe(receiver.url, notification=SIMPLE)

    await broker.put("urn:ngsi-ld:T:1", speed=1)
    await broker.put("urn:ngsi-ld:T:1", speed=2)

    await receiver.until(1)
    assert receiver.values() == [2]


@pytest.mark.parametrize(
    ("entities", "notified"),
    [
        ([{"type": "T"}], ["a1", "a2"]),
        ([{"type": "*"}], ["a1", "a2", "b1"]),
        ([{"type": "T|U"}], ["a1", "a2", "b1"]),
        ([{"type": "(T;V)"}], []),
        ([{"type": "*", "id": "urn:ngsi-ld:a2"}], ["a2"]),
        ([{"type": "T", "id": ["urn:ngsi-ld:a1", "urn:ngsi-ld:b1"]}], ["a1"]),
        ([{"type": "*", "idPattern": "1$"}], ["a1", "b1"]),
        ([{"type": "U"}, {"type": "T", "idPattern": "2$"}], ["a2", "b1"]),
    ],
)
async def test_entity_selectors(broker, receiver, entities, notified):
    await broker.subscribe(receiver.url, entities=entities)

    for name, type_name in (("a1", "T"), ("a2", "T"), ("b1", "U"), ("last", "Z")):
        await broker.put(f"urn:ngsi-ld:{name}", types=(type_name,), speed=1)
    await broker.caught_up()

    await receiver.until(len(notified))
    ids = [one["data"][0]["id"].removeprefix("urn:ngsi-ld:") for one in receiver.notifications]
    assert [name for name in ids if name != "last"] == notified


async def test_any_entity_with_the_watched_attribute(broker, receiver):
    await broker.subscribe(receiver.url, entities=None, watchedAttributes=["speed"])

    await broker.put("urn:ngsi-ld:U:1", types=("U",), power=1)
    await broker.put("urn:ngsi-ld:V:1", types=("V",), speed=1)

    await receiver.until(1)
    assert await receiver.quiet(0.2)
    assert receiver.notifications[0]["data"][0]["id"] == "urn:ngsi-ld:V:1"


async def test_q_is_asked_of_the_state_after_the_change(broker, receiver):
    await broker.subscribe(receiver.url, q="speed>10", notification=SIMPLE)

    for value in (5, 15, 8, 20):
        await broker.put("urn:ngsi-ld:T:1", speed=value)

    await receiver.until(2)
    assert await receiver.quiet(0.2)
    assert receiver.values() == [15, 20]


async def test_q_follows_links(broker, receiver):
    await broker.put("urn:ngsi-ld:Device:low", types=("Device",), battery=0.3)
    await broker.put("urn:ngsi-ld:Device:full", types=("Device",), battery=0.9)
    await broker.subscribe(receiver.url, q="device{battery}<0.5")

    await broker.link("urn:ngsi-ld:T:full", "device", "urn:ngsi-ld:Device:full")
    await broker.link("urn:ngsi-ld:T:low", "device", "urn:ngsi-ld:Device:low")

    await receiver.until(1)
    assert await receiver.quiet(0.2)
    assert receiver.notifications[0]["data"][0]["id"] == "urn:ngsi-ld:T:low"


@pytest.mark.parametrize(
    ("triggers", "told"),
    [
        (None, ["created", "updated", "attribute created"]),
        (["entityCreated"], ["created"]),
        (["attributeCreated"], ["created", "attribute created"]),
        (["attributeUpdated"], ["updated"]),
        (["attributeDeleted"], ["attribute deleted", "deleted"]),
        (["entityDeleted"], ["deleted"]),
        (["entityUpdated"], ["created", "updated", "attribute created", "attribute deleted", "deleted"]),
    ],
)
async def test_notification_triggers(broker, receiver, triggers, told):
    await broker.subscribe(receiver.url, notificationTrigger=triggers, notification=SIMPLE)

    await broker.put("urn:ngsi-ld:T:1", speed=1)
    await broker.put("urn:ngsi-ld:T:1", speed=2)
    await broker.put("urn:ngsi-ld:T:1", power=3)
    await broker.remove("urn:ngsi-ld:T:1", "power")
    await broker.delete("urn:ngsi-ld:T:1")

    await receiver.until(len(told))
    assert await receiver.quiet(0.2)
    assert [_what(one["data"][0]) for one in receiver.notifications] == told


def _what(entity):
    if "deletedAt" in entity:
        return "deleted"
    match entity.get("speed"), entity.get("power"):
        case 1, None:
            return "created"
        case 2, None:
            return "updated"
        case 2, 3:
            return "attribute created"
        case 2, "urn:ngsi-ld:null":
            return "attribute deleted"
    return str(entity)


async def test_paused_and_expired_subscriptions_are_silent(broker, receiver):
    paused = await broker.subscribe(receiver.url, isActive=False, notification=SIMPLE)
    await broker.put("urn:ngsi-ld:T:1", speed=1)
    await broker.caught_up()

    await broker.update(paused, {"isActive": True})
    await broker.put("urn:ngsi-ld:T:1", speed=2)
    await receiver.until(1)
    await broker.update(paused, {"isActive": False})
    await broker.put("urn:ngsi-ld:T:1", speed=3)

    await broker.caught_up()
    assert await receiver.quiet(0.2)
    assert receiver.values() == [2]


async def test_a_subscription_sees_what_comes_after_it_and_nothing_before(broker, receiver):
    await broker.put("urn:ngsi-ld:T:1", speed=1)
    subscription = await broker.subscribe(receiver.url, notification=SIMPLE)
    await broker.put("urn:ngsi-ld:T:1", speed=2)
    await broker.subscriptions.delete("", subscription)
    await broker.put("urn:ngsi-ld:T:1", speed=3)

    await broker.caught_up()
    assert await receiver.quiet(0.2)
    assert set(receiver.values()) <= {2}


async def test_tenants_are_apart(broker, receiver):
    await broker.subscribe(receiver.url, tenant="a", notification=SIMPLE)

    await broker.put("urn:ngsi-ld:T:1", tenant="b", speed=1)
    await broker.put("urn:ngsi-ld:T:1", speed=2)
    await broker.put("urn:ngsi-ld:T:1", tenant="a", speed=3)

    await receiver.until(1)
    assert await receiver.quiet(0.2)
    assert receiver.values() == [3]
