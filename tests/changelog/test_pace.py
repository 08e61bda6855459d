"""A consumer in no hurry holds nobody up, and nothing counts as handled before it has it."""

import asyncio
import uuid

from pymongo import AsyncMongoClient

from broker.changelog.changes import EntityChange
from broker.changelog.log import ChangeLog
from broker.changelog.position import now
from broker.store.mongo import MongoStore
from ngsi_ld.entity import Entity

ENTITY = "urn:ngsi-ld:Pace:1"
TIME = "2026-11-23T10:00:00.000Z"


class Held:
    """A consumer that takes changes when it may."""

    def __init__(self):
        self.may, self.saw = asyncio.Event(), asyncio.Event()

    async def begin(self, position, lease):
        """Nothing to prepare."""

    async def handle(self, changes):
        await self.may.wait()
        if any(isinstance(one, EntityChange) and one.id == ENTITY for one in changes):
            self.saw.set()

    async def end(self):
        """Nothing to leave."""


async def test_the_log_is_as_far_as_the_slowest(mongo_uri):
    tenant = f"t{uuid.uuid4().hex[:12]}"
    prompt, unhurried = Held(), Held()
    prompt.may.set()
    async with AsyncMongoClient(mongo_uri, w="majority", journal=True) as client:
        store = MongoStore(client)
        log = ChangeLog(client, [prompt], unhurried=[unhurried])
        await log.start()
        try:
            await store.mutate(tenant, ENTITY, lambda before: Entity(ENTITY, ["T"], {}, [], TIME, TIME))
            written = await now(client)
            await asyncio.wait_for(prompt.saw.wait(), 5)
            assert not await log.passed(written, timeout=0.5)
            stored = await client["beffroi"]["changelog"].find_one()
            assert stored.get("clusterTime") is None or stored["clusterTime"] < written

            unhurried.may.set()

            assert await log.passed(written, timeout=5)
            assert unhurried.saw.is_set()
        finally:
            unhurried.may.set()
            await log.stop()
            await store.close()
            await client.drop_database(f"beffroi-{tenant}")
