"""A history on the session's MongoDB, in a tenant of its own for each test."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from bson import Timestamp
from pymongo import AsyncMongoClient

from broker.changelog.changes import EntityChange
from broker.history.collections import Collections
from broker.history.packing import Packer
from broker.history.reading import Wanted, rows_of
from broker.history.recorder import Recorder
from broker.store.documents import document
from ngsi_ld.context import CORE
from ngsi_ld.expansion import expand_entity
from ngsi_ld.temporal.query import TemporalQuery

_TENANTS = itertools.count()
ID = "urn:ngsi-ld:Lamp:1"


@dataclass
class Saved:
    """As much of the log's lease as packing looks at: up to where all is handled for good."""

    saved: Timestamp | None = None


class Written:
    """The changes of one entity, as the log hands them over."""

    def __init__(self, tenant):
        self.tenant, self.last, self.number = tenant, None, 0

    def change(self, **attributes):
        self.number += 1
        now = f"2026-11-23T10:{self.number // 60:02d}:{self.number % 60:02d}.000Z"
        body = {"id": ID, "type": "Lamp", **{name: {"value": value} for name, value in attributes.items()}}
        before, self.last = self.last, document(expand_entity(body, CORE, now)) if attributes else None
        at = datetime(2026, 11, 23, 11, tzinfo=UTC)
        return EntityChange(self.tenant, ID, ["Lamp"], before, self.last, Timestamp(1800000000, self.number), {}, at)


@pytest.fixture
async def mongo(mongo_uri):
    async with AsyncMongoClient(mongo_uri, w="majority", journal=True) as client:
        yield client


@pytest.fixture
def tenant():
    return f"history-{next(_TENANTS)}"


@pytest.fixture
def written(tenant):
    return Written(tenant)


class Kept:
    """A recorder, a packer, and what is to be read of what they keep."""

    def __init__(self, client, tenant):
        self.tenant = tenant
        self.collections = Collections(client)
        self.packer = Packer(self.collections, None)
        self.recorder = Recorder(self.collections, self.packer)
        self.lease = Saved()

    async def values(self, name, query=TemporalQuery(), **wanted):  # noqa: B008 - it is frozen
        entity = await self.collections.entities(self.tenant).find_one({"_id": ID})
        keys = {f"https://uri%2Eetsi%2Eorg/ngsi-ld/default-context/{name}"}
        rows = await rows_of(self.collections, self.tenant, entity, Wanted(query, keys, **wanted))
        return [row["v"] for row in rows]

    async def pack(self):
        await self.packer.pack_waiting(self.tenant, self.lease, everything=True)

    async def waiting(self):
        return await self.collections.log(self.tenant).count_documents({})


@pytest.fixture
def kept(mongo, tenant):
    return Kept(mongo, tenant)
