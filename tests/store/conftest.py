"""A store of its own for each test, on a database that no other test uses."""

import uuid

import pytest
from pymongo import AsyncMongoClient

from broker.store.mongo import MongoStore


@pytest.fixture(scope="session")
async def mongo(mongo_uri):
    async with AsyncMongoClient(mongo_uri, w="majority", journal=True, serverSelectionTimeoutMS=5000) as client:
        yield client


@pytest.fixture
def tenant():
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def store(mongo):
    store = MongoStore(mongo)
    yield store
    await store.close()


@pytest.fixture
async def other_store(mongo_uri):
    """Another process, as far as the database can tell."""
    async with AsyncMongoClient(mongo_uri, w="majority", journal=True) as client:
        store = MongoStore(client)
        yield store
        await store.close()
