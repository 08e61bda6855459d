"""A broker without its API on the session's MongoDB, and a subscriber."""

import pytest
from pymongo import AsyncMongoClient

from broker.store.tenants import tenant_of
from tests.notifications.notifying import Receiver, running, serving


@pytest.fixture
async def receiver():
    async with serving(Receiver()) as one:
        yield one


@pytest.fixture
async def client(mongo_uri):
    """A client of a MongoDB without anything of ours in it."""
    async with AsyncMongoClient(mongo_uri) as one:
        for name in await one.list_database_names():
            if tenant_of(name) is not None:
                await one.drop_database(name)
        yield one


@pytest.fixture
async def broker(client):
    async with running(client) as one:
        yield one
