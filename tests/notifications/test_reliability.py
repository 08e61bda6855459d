"""Nothing lost, in order, whoever is killed when: the promise."""

import asyncio
import random
import sys
import time
from pathlib import Path

import pytest

from broker.changelog.changes import EntityChange
from broker.changelog.log import ChangeLog
from broker.changelog.position import Lease, LeaseLost
from broker.store.tenants import database_name
from tests.notifications.notifying import Receiver, eventually, running, serving

FOLLOWER = ("-m", "tests.notifications.follower")
ROOT = Path(__file__).parents[2]
SIMPLE = {"format": "simplified"}


async def follower(uri):
    return await asyncio.create_subprocess_exec(
        sys.executable, *FOLLOWER, uri, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )


async def kill_the_follower(client, processes):
    stored = await client[database_name("")]["changelog"].find_one({"_id": "changelog"})
    [holder] = [one for one in processes if str(one.pid) == stored["holder"].split(":")[1]]
    holder.kill()
    await holder.wait()
    processes.remove(holder)


def first_arrivals(receiver):
    """The values by notification id, each at its first arrival."""
    return list({one["id"]: one["data"][0]["speed"] for one in receiver.notifications}.values())


async def test_what_was_written_while_nobody_followed_is_notified_after_the_restart(client, receiver):
    async with running(client) as broker:
        await broker.subscribe(receiver.url, notification=SIMPLE)
        await broker.put("urn:ngsi-ld:T:1", speed=0)
        await receiver.until(1)
        await broker.emptied()
        await broker.log.stop()

        for value in range(1, 20):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        assert await receiver.quiet(0.3)

    async with running(client):
        await receiver.until(20)
        assert await receiver.quiet(0.3)
    assert receiver.values() == list(range(20))


async def test_a_backlog_survives_a_restart(client, receiver):
    receiver.status = 503
    async with running(client) as broker:
        await broker.subscribe(receiver.url, notification=SIMPLE)
        for value in range(20):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await receiver.until(2)

    receiver.requests.clear()
    receiver.status = 200
    async with running(client) as broker:
        await receiver.until(20)
        await broker.emptied()
    assert receiver.values() == list(range(20))


async def test_subscriptions_are_as_they_were_when_the_change_was_made(client, receiver):
    async with running(client) as broker:
        early = await broker.subscribe(receiver.url, notification=SIMPLE)
        gone = await broker.subscribe(receiver.url, notification=SIMPLE)
        await broker.caught_up()
        await broker.log.stop()

        await broker.put("urn:ngsi-ld:T:1", speed=1)
        late = await broker.subscribe(receiver.url, notification=SIMPLE)
        await broker.update(early, {"isActive": False})
        await broker.subscriptions.delete("", gone)
        await broker.put("urn:ngsi-ld:T:1", speed=2)

    async with running(client) as broker:
        await receiver.until(1)
        assert await receiver.quiet(0.3)
        await broker.update(early, {"isActive": True})
        await receiver.until(2)
    told = [(one["subscriptionId"], one["data"][0]["speed"]) for one in receiver.notifications]
    assert sorted(told, key=lambda pair: pair[1]) == [(early, 1), (late, 2)]


async def test_the_follower_is_killed_and_another_takes_over(client, mongo_uri):
    async with serving(Receiver()) as receiver, running(client) as broker:
        await broker.log.stop()
        await broker.subscribe(receiver.url, notification=SIMPLE)
        await asyncio.sleep(0)
        processes = [await follower(mongo_uri) for _ in range(2)]
        written = 0
        pauses = []

        async def write():
            nonlocal written
            while written < 1500:
                await broker.put("urn:ngsi-ld:T:1", speed=written)
                written += 1
                await asyncio.sleep(0.003)

        writing = asyncio.create_task(write())
        try:
            for _ in range(3):
                await receiver.until(len(receiver.requests) + random.randrange(50, 150), seconds=20)
                await kill_the_follower(client, processes)
                killed = time.monotonic()
                processes.append(await follower(mongo_uri))
                await receiver.until(len(receiver.requests) + 10, seconds=20)
                pauses.append(time.monotonic() - killed)
            await writing
            await eventually(lambda: len(first_arrivals(receiver)) == written, 30)
            await broker.emptied()
        finally:
            for process in processes:
                process.kill()
                await process.wait()

    assert first_arrivals(receiver) == list(range(written))
    assert max(pauses) < 8


class Recorder:
    """A consumer that keeps what it is given."""

    def __init__(self):
        self.seen = []
        self.fail = False

    async def begin(self, position, lease):
        """Nothing to prepare."""

    async def handle(self, changes):
        if self.fail:
            raise RuntimeError("cannot")
        self.seen += [one.after.id for one in changes if isinstance(one, EntityChange)]

    async def end(self):
        """Nothing to leave."""


async def test_a_consumer_that_fails_gets_the_same_changes_again(client, receiver):
    recorder = Recorder()
    async with running(client) as broker:
        await broker.log.stop()
        log = ChangeLog(client, [recorder])
        await log.start()
        await broker.put("urn:ngsi-ld:T:1", speed=1)
        await eventually(lambda: recorder.seen, 5)

        recorder.fail = True
        await broker.put("urn:ngsi-ld:T:2", speed=1)
        await asyncio.sleep(0.5)
        recorder.fail = False

        await eventually(lambda: len(recorder.seen) == 2, 10)
        await log.stop()
    assert recorder.seen == ["urn:ngsi-ld:T:1", "urn:ngsi-ld:T:2"]


async def test_one_follows_and_the_other_takes_over_at_once_when_it_stops(client):
    first, second = ChangeLog(client, []), ChangeLog(client, [])
    await first.start()
    await eventually(lambda: first.following, 5)
    await second.start()
    await asyncio.sleep(1.0)
    assert not second.following

    await first.stop()

    await eventually(lambda: second.following, 2)
    await second.stop()


async def test_a_former_holder_cannot_move_the_position(client):
    asleep, awake = Lease(client, seconds=0.2), Lease(client, seconds=5)
    await asleep.prepare()
    assert await asleep.acquire() is not None
    assert await awake.acquire() is None
    await asyncio.sleep(0.3)
    assert not asleep.held

    position = await awake.acquire()
    await awake.keep({"_data": "AB"}, position.start)

    with pytest.raises(LeaseLost):
        await asleep.keep({"_data": "00"}, position.start)
    assert (await awake.read())["token"] == {"_data": "AB"}


async def test_changes_that_mongodb_has_forgotten_are_a_recorded_gap(client, receiver, caplog):
    async with running(client) as broker:
        await broker.subscribe(receiver.url, notification=SIMPLE)
        await broker.put("urn:ngsi-ld:T:1", speed=1)
        await receiver.until(1)
        await broker.emptied()
        await asyncio.sleep(0.2)
    collection = client[database_name("")]["changelog"]
    stored = await collection.find_one({"_id": "changelog"})
    # The same token, of a moment long before the oplog begins.
    ancient = stored["token"]["_data"][:2] + "00000001" + stored["token"]["_data"][10:]
    await collection.update_one({"_id": "changelog"}, {"$set": {"token": {"_data": ancient}}})

    async with running(client) as broker:
        await eventually(lambda: broker.log.following, 5)
        await broker.put("urn:ngsi-ld:T:1", speed=2)
        await receiver.until(2)

    stored = await collection.find_one({"_id": "changelog"})
    assert len(stored["gaps"]) == 1
    assert "CHANGES ARE LOST" in caplog.text
    assert receiver.values() == [1, 2]


async def test_a_restart_in_good_order_sends_nothing_twice(client, receiver):
    async with running(client) as broker:
        await broker.subscribe(receiver.url, notification=SIMPLE)
        for value in range(50):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await receiver.until(10)

    async with running(client) as broker:
        await receiver.until(50)
        await broker.emptied()
    assert receiver.values() == list(range(50))
