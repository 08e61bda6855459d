"""The registrations in the memory of each worker: they agree, whoever wrote, and whatever becomes of the stream."""

import asyncio
import itertools

import aiohttp
import pytest
from pymongo import AsyncMongoClient

from broker.clock import now
from broker.contexts import Contexts, ContextSettings
from broker.federation.registry import Registry, Wanted
from broker.federation.statistics import Statistics
from broker.operations.registrations import Registrations
from broker.store.mongo import MongoStore
from broker.store.tenants import database_name
from ngsi_ld.context import CORE
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.registration.matching import any_of
from tests.conftest import Broker

TENANTS = itertools.count(1)


class Worker:
    """What a worker has of registrations, in one tenant."""

    def __init__(self, client, tenant):
        self.client, self.tenant = client, tenant
        self.registry = Registry(client)
        self.contexts = Contexts(ContextSettings(), lambda tenant: client[database_name(tenant)])
        self.registrations = Registrations(client, MongoStore(client), self.contexts, self.registry, Statistics(client))

    async def register(self, name, entity=None, attributes=None, **members):
        information = {"entities": [entity or {"type": "T"}]} | ({"propertyNames": attributes} if attributes else {})
        body = {
            "id": f"urn:r:{name}",
            "type": "ContextSourceRegistration",
            "endpoint": "http://source.example",
            "information": [information],
        }
        return await self.registrations.create(self.tenant, body | members, CORE, now())

    async def delete(self, name):
        await self.registrations.delete(self.tenant, f"urn:r:{name}", now())

    def known(self, kind="T"):
        wanted = Wanted(types=any_of([CORE.iri(kind)]))
        return [
            one.registration.id.removeprefix("urn:r:") for one in self.registry.matching(self.tenant, wanted, now())
        ]

    async def until_known(self, *names, kind="T"):
        async with asyncio.timeout(5):
            while self.known(kind) != list(names):  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.005)


@pytest.fixture
async def client(mongo_uri):
    async with AsyncMongoClient(mongo_uri) as one:
        yield one


@pytest.fixture
async def worker(client):
    """Starts workers that share a tenant."""
    tenant = f"registry{next(TENANTS)}"
    started = []

    async def start():
        one = Worker(client, tenant)
        await one.contexts.start()
        await one.registry.start()
        started.append(one)
        return one

    yield start
    for one in started:
        await one.registry.close()
        await one.contexts.close()


async def test_what_a_worker_writes_counts_at_once_and_soon_for_all(worker):
    one, other = await worker(), await worker()

    await one.register("1")
    assert one.known() == ["1"]
    await other.until_known("1")
    await other.registrations.update(
        other.tenant, "urn:r:1", {"information": [{"entities": [{"type": "U"}]}]}, CORE, now()
    )
    assert (other.known(), other.known("U")) == ([], ["1"])
    await one.until_known("1", kind="U")
    await one.delete("1")
    assert not one.registry.any(one.tenant)
    await other.until_known(kind="U")
    assert not other.registry.any(other.tenant)


async def test_what_comes_late_takes_nothing_back(worker):
    one, other = await worker(), await worker()

    for _ in range(20):
        await one.register("1")
        await other.until_known("1")
        await other.delete("1")
        assert other.known() == []
        await one.until_known()
        await other.register("1", mode="redirect")
        assert other.known() == ["1"]
        await one.until_known("1")
        await one.delete("1")
        await other.until_known()
    await asyncio.sleep(0.1)

    assert one.known() == other.known() == []


async def test_a_worker_that_starts_knows_all(worker):
    one = await worker()
    for number in range(3):
        await one.register(str(number))

    late = await worker()

    assert late.known() == ["0", "1", "2"]
    assert late.registry.times(late.tenant, "urn:r:0") == one.registry.times(one.tenant, "urn:r:0") != ("", "")


async def test_a_stream_that_breaks_off_is_taken_up_again(worker, client):
    one, other = await worker(), await worker()
    await one.register("1")
    await other.until_known("1")

    await client.admin.command({"killAllSessions": []})
    await one.register("2")
    await one.delete("1")

    await other.until_known("2")


async def test_after_changes_that_were_missed_all_is_read_again(worker, client):
    one = await worker()
    await one.register("1")
    await one.register("2")
    await one.registry.close()
    stored = client[database_name(one.tenant)]["registrations"]
    await stored.delete_one({"_id": "urn:r:1"})
    await stored.update_one({"_id": "urn:r:2"}, [{"$set": {"v": {"$add": ["$v", 1]}, "modifiedAt": "later"}}])

    await one.registry.start()

    assert one.known() == ["2"]
    assert one.registry.times(one.tenant, "urn:r:2")[1] == "later"


async def test_a_tenant_that_is_dropped_has_none(worker, client):
    one = await worker()
    await one.register("1")

    await client.drop_database(database_name(one.tenant))

    await one.until_known()
    assert not one.registry.any(one.tenant)


async def test_what_the_database_holds_and_cannot_be_read_harms_nobody(worker, client):
    one = await worker()
    await one.register("1")
    stored = client[database_name(one.tenant)]["registrations"]
    document = await stored.find_one()

    await stored.insert_one({**document, "_id": "urn:r:bad", "members": '{"endpoint": 1}'})
    await stored.insert_one({**document, "_id": "urn:r:empty", "members": "{}"})
    await one.register("2")

    await (await worker()).until_known("1", "2")
    assert one.known() == ["1", "2"]


async def test_two_workers_do_not_both_register_what_conflicts(worker):
    one, other = await worker(), await worker()
    lamp = {"id": "urn:lamp:1"}

    for number in range(10):
        outcomes = await asyncio.gather(
            one.register(f"a{number}", lamp, ["x"], mode="exclusive"),
            other.register(f"b{number}", lamp, ["x"], mode="exclusive"),
            return_exceptions=True,
        )
        refused = [each for each in outcomes if isinstance(each, NgsiLdError)]
        assert len(refused) in (1, 2)
        assert all(each.type is ErrorType.CONFLICT for each in refused)
        for outcome in outcomes:
            if isinstance(outcome, str):
                await one.delete(outcome.removeprefix("urn:r:"))
        assert [each async for each in one.client[database_name(one.tenant)]["registrations"].find()] == []


async def test_loops_are_told_apart(worker):
    one = await worker()
    await one.register("1", contextSourceAlias="suippes")
    await one.register("2")
    wanted = Wanted(types=any_of([CORE.iri("T")]))

    assert [each.registration.id for each in one.registry.matching(one.tenant, wanted, now(), ("suippes",))] == [
        "urn:r:2"
    ]
    assert [each.registration.id for each in one.registry.looping(one.tenant, wanted, now(), ("suippes",))] == [
        "urn:r:1"
    ]
    assert one.registry.looping(one.tenant, wanted, now(), ()) == []


async def test_all_workers_of_a_broker_agree_also_after_a_restart(tmp_path):
    broker = Broker(tmp_path, options=("--workers", "2"))
    await broker.start()
    url = f"{broker.url}/ngsi-ld/v1/csourceRegistrations"
    body = {
        "id": "urn:r:1",
        "type": "ContextSourceRegistration",
        "endpoint": "http://source.example",
        "information": [{"entities": [{"type": "T"}]}],
    }

    async def seen(times):
        found = set()
        for _ in range(times):
            # A connection each, so that any worker may answer.
            async with aiohttp.ClientSession() as session, session.get(url, params={"type": "T"}) as answer:
                found.add(tuple(one["id"] for one in await answer.json()))
        return found

    try:
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
            assert answer.status == 201
        await asyncio.sleep(0.5)
        assert await seen(20) == {("urn:r:1",)}

        await broker.stop()
        await broker.start()

        assert await seen(20) == {("urn:r:1",)}
        async with aiohttp.ClientSession() as session, session.delete(f"{url}/urn:r:1") as answer:
            assert answer.status == 204
        await asyncio.sleep(0.5)
        assert await seen(20) == {()}
    finally:
        await broker.stop()
