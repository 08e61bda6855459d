"""Throttling (5.2.12): notifications wait and are merged to the latest state, and the last one always comes."""

import asyncio
import time

from tests.notifications.notifying import running

SIMPLE = {"format": "simplified"}


async def test_the_latest_state_comes_when_the_time_has_passed(broker, receiver):
    await broker.subscribe(receiver.url, throttling=1.0, notification=SIMPLE)
    await broker.put("urn:ngsi-ld:T:1", speed=0)
    await receiver.until(1)
    first = time.monotonic()

    for value in range(1, 10):
        await broker.put("urn:ngsi-ld:T:1", speed=value)

    await receiver.until(2)
    assert 0.7 < time.monotonic() - first < 3
    assert receiver.values() == [0, 9]
    assert await receiver.quiet(1.2)
    await broker.emptied()


async def test_the_latest_state_of_each_entity_comes_in_one_notification(broker, receiver):
    await broker.subscribe(receiver.url, throttling=1.0, notification=SIMPLE)
    await broker.put("urn:ngsi-ld:T:1", speed=0)
    await receiver.until(1)

    for value in (1, 2):
        for name in "abc":
            await broker.put(f"urn:ngsi-ld:T:{name}", speed=value)

    await receiver.until(2)
    assert {entity["id"]: entity["speed"] for entity in receiver.notifications[1]["data"]} == {
        "urn:ngsi-ld:T:a": 2,
        "urn:ngsi-ld:T:b": 2,
        "urn:ngsi-ld:T:c": 2,
    }


async def test_what_waits_survives_a_restart(client, receiver):
    async with running(client) as broker:
        await broker.subscribe(receiver.url, throttling=5.0, notification=SIMPLE)
        await broker.put("urn:ngsi-ld:T:1", speed=0)
        await receiver.until(1)
        for value in range(1, 5):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await broker.caught_up()

    async with running(client) as broker:
        await receiver.until(2)
        await broker.emptied()
        assert await receiver.quiet(0.2)
    assert receiver.values() == [0, 4]


async def test_a_cooldown_passes_before_the_next_attempt(broker, receiver):
    receiver.status = 500
    await broker.subscribe(receiver.url, endpoint={"cooldown": 1000}, notification=SIMPLE)

    await broker.put("urn:ngsi-ld:T:1", speed=0)

    await receiver.until(1)
    assert await receiver.quiet(0.6)
    await asyncio.wait_for(receiver.until(2), 2)
