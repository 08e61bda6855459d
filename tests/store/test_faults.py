"""MongoDB is killed, halted or not there while requests are under way: nothing acknowledged is lost, nobody hangs."""

import asyncio
import contextlib
import os
import signal
import time

import pytest
from pymongo import AsyncMongoClient

from broker.embedded import EmbeddedMongo
from broker.store.mongo import MongoStore, StoreLimits
from broker.store.store import StoreUnavailable
from ngsi_ld.errors import NgsiLdError
from tests.store.lights import creating, deleting, entity, putting, value


@pytest.fixture
async def mortal(tmp_path):
    """A MongoDB of one's own, to be killed, and a store on it."""
    mongo = EmbeddedMongo(tmp_path, cache_gb=0.25)
    async with AsyncMongoClient(await mongo.start(), serverSelectionTimeoutMS=5000) as client:
        yield mongo, MongoStore(client, limits=StoreLimits(timeout_seconds=3))
    await mongo.stop()


async def test_what_was_acknowledged_survives_the_death_of_mongod_under_load(mortal):
    mongo, store = mortal
    await store.mutate_many("", [(entity(n).id, creating(entity(n))) for n in range(10)])
    acknowledged: dict[int, list[str]] = {n: [] for n in range(10)}
    unavailable = 0
    end = time.monotonic() + 8

    async def writer(n: int, name: str) -> None:
        nonlocal unavailable
        k = 0
        while time.monotonic() < end:
            k += 1
            try:
                await store.mutate("", entity(n).id, putting(f"{name}{k}", k))
            except StoreUnavailable:
                unavailable += 1
            else:
                acknowledged[n].append(f"https://example.org/{name}{k}")

    async def killer() -> None:
        for _ in range(2):
            await asyncio.sleep(1.5)
            before = sum(map(len, acknowledged.values()))
            for _ in range(200):
                if sum(map(len, acknowledged.values())) >= before + 20:
                    break
                await asyncio.sleep(0.05)
            os.kill(mongo.pid, signal.SIGKILL)

    await asyncio.gather(killer(), *(writer(n, name) for n in range(10) for name in "ab"))

    while True:
        with contextlib.suppress(StoreUnavailable):
            await store.get("", entity(0).id)
            break
    for n, names in acknowledged.items():
        found = await store.get("", entity(n).id)
        assert names
        assert found.attributes.keys() >= set(names)
        # Each write, acknowledged or not, was made once at most: that is what the versions count.
        assert found.version == 1 + len(found.attributes)
    await store.close()


async def test_a_restart_within_the_time_limit_is_not_noticed(mortal):
    mongo, _ = mortal
    async with AsyncMongoClient(mongo.uri) as client:
        store = MongoStore(client, limits=StoreLimits(timeout_seconds=20))
        await store.mutate("", entity(1).id, creating(entity(1, n=0)))
        os.kill(mongo.pid, signal.SIGKILL)

        changed, created, read = await asyncio.gather(
            store.mutate("", entity(1).id, putting("n", 1)),
            store.mutate("", entity(2).id, creating(entity(2))),
            store.get("", entity(1).id),
        )

        assert (changed.after.version, created.after.version) == (2, 1)
        assert read.id == entity(1).id
        await store.close()


async def test_a_halted_mongod_is_given_up_in_time_and_used_again_once_it_goes_on(mortal):
    mongo, store = mortal
    await store.mutate("", entity(1).id, creating(entity(1, n=0)))
    os.kill(mongo.pid, signal.SIGSTOP)

    start = time.monotonic()
    outcomes = await asyncio.gather(
        *(store.mutate("", entity(n).id, putting("n", 1)) for n in range(5)),
        *(store.get("", entity(n).id) for n in range(5)),
        return_exceptions=True,
    )
    took = time.monotonic() - start
    os.kill(mongo.pid, signal.SIGCONT)

    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert took < 12
    await asyncio.sleep(1)
    assert value((await store.mutate("", entity(1).id, putting("n", 2))).after, "n") == 2
    await store.close()


async def test_nobody_there_is_said_in_time():
    async with AsyncMongoClient("mongodb://127.0.0.1:9/?directConnection=true", serverSelectionTimeoutMS=500) as client:
        store = MongoStore(client, limits=StoreLimits(timeout_seconds=1))

        with pytest.raises(StoreUnavailable, match="the database does not answer"):
            await store.get("", entity(1).id)
        with pytest.raises(StoreUnavailable):
            await store.mutate("", entity(1).id, putting("n", 1))
        with pytest.raises(StoreUnavailable):
            await store.mutate_many("", [(entity(1).id, putting("n", 1))])
        with pytest.raises(StoreUnavailable):
            await store.tenants()


class Breaking:
    """Stands between a driver and MongoDB, and can break the connections when an answer to a write comes back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.broken = 0
        self.to_break = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        write_sent = False

        async def forward() -> None:
            nonlocal write_sent
            while data := await reader.read(1 << 20):
                if any(b"\x02%s\x00\x09\x00\x00\x00entities\x00" % kind in data for kind in KINDS):
                    write_sent = True
                upstream.write(data)
            upstream.close()

        async def back() -> None:
            while data := await upstream_reader.read(1 << 20):
                if write_sent and self.to_break:
                    self.to_break -= 1
                    self.broken += 1
                    break  # the write is made, its acknowledgement lost
                writer.write(data)
            writer.close()

        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await asyncio.gather(forward(), back())


KINDS = (b"insert", b"update", b"delete")


async def test_a_write_whose_acknowledgement_is_lost_is_found_made_and_not_made_twice(mongo_uri, tenant):
    port = int(mongo_uri.removeprefix("mongodb://127.0.0.1:").partition("/")[0])
    breaking = Breaking(port)
    server = await asyncio.start_server(breaking.serve, "127.0.0.1", 0)
    uri = f"mongodb://127.0.0.1:{server.sockets[0].getsockname()[1]}/?directConnection=true"
    async with server, AsyncMongoClient(uri) as client:
        store = MongoStore(client)
        await store.create_tenant(tenant)
        one = entity(1).id

        for mutation in (creating(entity(1, n=0)), putting("n", 1)):
            breaking.to_break = 1
            await store.mutate(tenant, one, mutation)
        changed = await store.get(tenant, one)
        breaking.to_break = 1
        await store.mutate(tenant, one, deleting)

        assert breaking.broken == 3
        assert (value(changed, "n"), changed.version) == (1, 2)
        assert await store.get(tenant, one) is None
        with pytest.raises(NgsiLdError):
            await store.mutate(tenant, one, deleting)
        await store.close()
