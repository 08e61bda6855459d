"""Periodic notifications (5.8.6, timeInterval)."""

import asyncio

from tests.notifications.notifying import running

SIMPLE = {"format": "simplified"}


async def test_all_that_match_are_sent_every_so_often(broker, receiver):
    await broker.put("urn:ngsi-ld:T:1", speed=10)
    await broker.put("urn:ngsi-ld:T:2", speed=20)
    await broker.put("urn:ngsi-ld:T:3", speed=3)
    await broker.put("urn:ngsi-ld:U:1", types=("U",), speed=30)

    await broker.subscribe(receiver.url, timeInterval=0.5, q="speed>5", notification=SIMPLE)

    await receiver.until(3)
    ids = [one["id"] for one in receiver.notifications]
    assert len(set(ids)) == 3
    for notification in receiver.notifications:
        assert [(entity["id"], entity["speed"]) for entity in notification["data"]] == [
            ("urn:ngsi-ld:T:1", 10),
            ("urn:ngsi-ld:T:2", 20),
        ]


async def test_changes_do_not_trigger_it_and_nothing_is_not_sent(broker, receiver):
    subscription = await broker.subscribe(receiver.url, timeInterval=0.3)
    assert await receiver.quiet(0.8)

    await broker.put("urn:ngsi-ld:T:1", speed=10)
    await receiver.until(1)
    await broker.subscriptions.delete("", subscription)
    await broker.caught_up()
    receiver.requests.clear()

    assert await receiver.quiet(0.8)


async def test_a_dead_endpoint_gets_the_last_state_only(client, receiver):
    async with running(client) as broker:
        receiver.status = 500
        await broker.put("urn:ngsi-ld:T:1", speed=1)
        await broker.subscribe(receiver.url, timeInterval=0.3, notification=SIMPLE)
        await receiver.until(1)
        await broker.put("urn:ngsi-ld:T:1", speed=2)
        await asyncio.sleep(1.2)

        assert broker.notifier.backlog == 1
        receiver.requests.clear()
        receiver.status = 200

        await receiver.until(1)
        assert receiver.values()[0] == 2
