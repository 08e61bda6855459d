"""What is given up, what an operator can do about it, and that the subscription shows it."""

import asyncio
from dataclasses import replace

import pytest

from broker.notifications.commands import backlog, drop, replay
from tests.notifications.notifying import QUICK, Receiver, running

SIMPLE = {"format": "simplified"}


@pytest.mark.parametrize(
    ("policy", "given_up", "reason"),
    [
        (replace(QUICK, max_backlog=5, in_memory=3), 15, "more than 5 were waiting"),
        (replace(QUICK, max_age=1.0, in_memory=3), 20, "older than 1 s"),
    ],
)
async def test_beyond_the_policy_the_oldest_are_given_up_and_can_be_replayed(
    client, receiver, policy, given_up, reason, caplog
):
    receiver.status = 500
    async with running(client, policy) as broker:
        subscription = await broker.subscribe(receiver.url, notification=SIMPLE)
        for value in range(20):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await broker.caught_up()
        await asyncio.sleep(2.5)

        stored = await broker.subscriptions.retrieve("", subscription)
        assert stored.delivery.counts["gaveUp"] == given_up
        assert reason in caplog.text
        dead = [one async for one in client["beffroi"]["deadLetters"].find().sort("n")]
        assert [one["reason"] for one in dead] == [reason] * given_up
        [one] = await backlog(client)
        assert (one.subscription, one.waiting, one.dead) == (subscription, 20 - given_up, given_up)
        assert one.last_error == "500 Internal Server Error"

        receiver.status = 200
        receiver.requests.clear()
        await replay(client, "", subscription)
        await receiver.until(20)
        await broker.emptied()
        assert sorted(set(receiver.values())) == list(range(20))
        assert receiver.values()[20 - given_up :] == list(range(given_up))
        assert await backlog(client) == []


async def test_drop(broker, receiver):
    subscription = await broker.subscribe("http://127.0.0.1:9/", notification=SIMPLE)
    for value in range(5):
        await broker.put("urn:ngsi-ld:T:1", speed=value)
    await broker.caught_up()

    await drop(broker.client, "", subscription)
    await broker.emptied()
    await broker.update(subscription, {"notification": {"endpoint": {"uri": receiver.url}, "format": "simplified"}})
    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(1)
    assert receiver.values() == [5]


async def test_nothing_is_left_of_a_deleted_subscription(broker):
    subscription = await broker.subscribe("http://127.0.0.1:9/")
    await broker.put("urn:ngsi-ld:T:1", speed=1)
    await asyncio.sleep(0.6)

    await broker.subscriptions.delete("", subscription)

    await broker.emptied()
    assert await backlog(broker.client) == []
    assert await broker.client["beffroi"]["deliveries"].count_documents({}) == 0


async def test_a_dropped_tenant_takes_its_subscriptions_with_it(broker, receiver):
    await broker.subscribe(receiver.url, tenant="gone", notification=SIMPLE)
    await broker.subscribe("http://127.0.0.1:9/", tenant="gone", notification=SIMPLE)
    await broker.put("urn:ngsi-ld:T:1", tenant="gone", speed=1)
    await receiver.until(1)

    await broker.client.drop_database("beffroi-gone")

    await broker.emptied()
    assert isinstance(receiver, Receiver)
