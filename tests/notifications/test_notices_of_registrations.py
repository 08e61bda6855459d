"""Notifications of context source registrations (5.11.7, 5.3.2, 5.3.3)."""

import asyncio
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from broker.clock import now
from broker.store.tenants import database_name
from ngsi_ld.context import CORE
from tests.notifications.notifying import Receiver, eventually, running, serving

FOLLOWER = ("-m", "tests.notifications.follower")
ROOT = Path(__file__).parents[2]


def told(receiver):
    """Why and of what the subscriber was told, in order of arrival."""
    return [
        (one["triggerReason"], [registration["id"].rpartition(":")[2] for registration in one["data"]])
        for one in receiver.notifications
    ]


async def change(broker, registration, **fragment):
    await broker.registrations.update("", registration, fragment, CORE, now())


async def delete(broker, registration):
    await broker.registrations.delete("", registration, now())


async def test_a_subscriber_hears_of_sources_that_are_there_come_change_and_go(broker, receiver):
    first = await broker.register("first")
    await broker.register("other", {"entities": [{"type": "U"}]})

    subscription = await broker.subscribe_to_registrations(receiver.url)
    await receiver.until(1)
    second = await broker.register("second")
    await change(broker, first, description="x")
    await change(broker, second, information=[{"entities": [{"type": "U"}]}])
    await change(broker, second, information=[{"entities": [{"type": "T"}]}])
    await delete(broker, first)
    await receiver.until(6)

    assert told(receiver) == [
        ("newlyMatching", ["first"]),
        ("newlyMatching", ["second"]),
        ("updated", ["first"]),
        ("noLongerMatching", ["second"]),
        ("newlyMatching", ["second"]),
        ("noLongerMatching", ["first"]),
    ]
    notification = receiver.notifications[1]
    assert notification["type"] == "ContextSourceNotification"
    assert notification["subscriptionId"] == subscription
    assert notification["data"] == [
        {
            "id": second,
            "type": "ContextSourceRegistration",
            "endpoint": "http://source.example",
            "information": [{"entities": [{"type": "T"}]}],
        }
    ]
    headers, _ = receiver.requests[0]
    assert headers["Content-Type"] == "application/json"
    assert "json-ld#context" in headers["Link"]


async def test_only_what_matches_of_the_information_is_notified(broker, receiver):
    await broker.subscribe_to_registrations(receiver.url, {"sysAttrs": True})

    await broker.register("mixed", {"entities": [{"type": "U"}]}, {"entities": [{"type": "T"}]})
    await receiver.until(1)

    [one] = receiver.notifications[0]["data"]
    assert one["information"] == [{"entities": [{"type": "T"}]}]
    assert one["createdAt"] == one["modifiedAt"] != ""


async def test_a_change_of_the_subscription_brings_all_that_match(broker, receiver):
    await broker.register("first")
    await broker.register("second")
    subscription = await broker.subscribe_to_registrations(receiver.url)
    await receiver.until(1)

    await broker.registration_subscriptions.update("", subscription, {"isActive": False}, CORE, now())
    await broker.register("third")
    await broker.caught_up()
    assert await receiver.quiet(0.3)
    await broker.registration_subscriptions.update("", subscription, {"isActive": True}, CORE, now())
    await receiver.until(2)

    assert told(receiver)[1] == ("newlyMatching", ["first", "second", "third"])
    await broker.registration_subscriptions.delete("", subscription)
    await broker.register("fourth")
    await broker.caught_up()
    assert await receiver.quiet(0.3)


async def test_with_a_time_interval_all_that_match_come_at_once_and_then_every_so_often(broker, receiver):
    first = await broker.register("first")
    await broker.subscribe_to_registrations(receiver.url, timeInterval=2)
    await receiver.until(1, 1.9)

    await broker.register("second")
    await delete(broker, first)
    await receiver.until(2)

    assert told(receiver) == [("newlyMatching", ["first"]), ("newlyMatching", ["second"])]


async def test_a_registration_that_expires_is_told_to_be_gone_at_that_moment(broker, receiver):
    at = datetime.now(UTC) + timedelta(seconds=1)
    await broker.register("transient", expiresAt=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    kept = await broker.register("kept", expiresAt=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
    await broker.subscribe_to_registrations(receiver.url)
    await change(broker, kept, expiresAt="2099-01-01T00:00:00Z")
    await receiver.until(2)
    assert datetime.now(UTC) < at

    await receiver.until(3, 3.0)

    assert (datetime.now(UTC) - at).total_seconds() < 1.0
    assert told(receiver)[2] == ("noLongerMatching", ["transient"])
    stored = broker.client[database_name("")]["registrations"]
    assert [one["_id"] async for one in stored.find()] == [kept]


async def test_throttled_notices_are_put_together_by_reason(broker, receiver):
    first = await broker.register("first")
    await broker.subscribe_to_registrations(receiver.url, throttling=1)
    await receiver.until(1)

    await broker.register("second")
    await change(broker, first, description="x")
    await change(broker, first, description="y")
    await broker.register("third")
    await receiver.until(3)

    assert sorted(told(receiver)[1:]) == [("newlyMatching", ["second", "third"]), ("updated", ["first"])]
    assert [
        one["data"][0].get("description") for one in receiver.notifications if one["triggerReason"] == "updated"
    ] == ["y"]


async def test_subscriptions_of_both_kinds_may_have_one_id(broker, receiver):
    await broker.subscribe(receiver.url, id="urn:ngsi-ld:Subscription:both")
    await broker.subscribe_to_registrations(receiver.url, id="urn:ngsi-ld:Subscription:both")

    await broker.register("first")
    await receiver.until(1)
    await broker.put("urn:ngsi-ld:T:1", speed=1)
    await receiver.until(2)
    await broker.emptied()
    await broker.notifier.count_up()

    assert [one["type"] for one in receiver.notifications] == ["ContextSourceNotification", "Notification"]
    for kind in (broker.subscriptions, broker.registration_subscriptions):
        stored = await kind.retrieve("", "urn:ngsi-ld:Subscription:both")
        assert stored.delivery.members()["timesSent"] == 1
    await broker.subscriptions.delete("", "urn:ngsi-ld:Subscription:both")
    await broker.register("second")
    await receiver.until(3)


async def test_an_endpoint_that_fails_is_tried_again(broker, receiver):
    receiver.status = 503
    subscription = await broker.subscribe_to_registrations(receiver.url)
    await broker.register("first")
    await receiver.until(2)
    await broker.notifier.count_up()
    stored = await broker.registration_subscriptions.retrieve("", subscription)
    assert stored.delivery.members()["status"] == "failed"

    receiver.status = 200
    await broker.emptied()

    assert set(map(str, told(receiver))) == {"('newlyMatching', ['first'])"}


async def test_what_changed_while_nobody_followed_is_told_after_the_restart(client, receiver):
    async with running(client) as broker:
        first = await broker.register("first")
        await broker.subscribe_to_registrations(receiver.url)
        await receiver.until(1)
        await broker.emptied()
        await broker.log.stop()
        await change(broker, first, information=[{"entities": [{"type": "U"}]}])
        await broker.register("second")
        await delete(broker, first)
        await broker.subscribe_to_registrations(receiver.url, id="urn:ngsi-ld:Subscription:late")

    async with running(client) as broker:
        await receiver.until(4)
        await broker.emptied()
        assert await receiver.quiet(0.3)
    early = [one for one in receiver.notifications if one["subscriptionId"] != "urn:ngsi-ld:Subscription:late"]
    assert [one["triggerReason"] for one in early] == ["newlyMatching", "noLongerMatching", "newlyMatching"]
    assert len(receiver.notifications) == 4


async def test_nothing_is_lost_when_the_follower_is_killed(client, mongo_uri):
    async with serving(Receiver()) as receiver, running(client) as broker:
        await broker.log.stop()
        await broker.subscribe_to_registrations(receiver.url)
        processes = [await _follower(mongo_uri) for _ in range(2)]
        made = 0

        async def write():
            nonlocal made
            while made < 120:
                await broker.register(str(made))
                made += 1
                await asyncio.sleep(0.05)

        writing = asyncio.create_task(write())
        try:
            for _ in range(2):
                await receiver.until(len(receiver.requests) + random.randrange(5, 15), seconds=20)
                await _kill_the_follower(client, processes)
                processes.append(await _follower(mongo_uri))
                await receiver.until(len(receiver.requests) + 5, seconds=20)
            await writing
            await eventually(lambda: len(_first(receiver)) == made, 30)
        finally:
            for process in processes:
                process.kill()
                await process.wait()

    assert _first(receiver) == [str(number) for number in range(made)]


def _first(receiver):
    """The registrations by notification id, each at its first arrival."""
    return list({one["id"]: one["data"][0]["id"].rpartition(":")[2] for one in receiver.notifications}.values())


async def _follower(uri):
    return await asyncio.create_subprocess_exec(
        sys.executable, *FOLLOWER, uri, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )


async def _kill_the_follower(client, processes):
    stored = await client[database_name("")]["changelog"].find_one({"_id": "changelog"})
    [holder] = [one for one in processes if str(one.pid) == stored["holder"].split(":")[1]]
    holder.kill()
    await holder.wait()
    processes.remove(holder)
