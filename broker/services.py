"""What the API works with, made once when a worker starts and handed to every request."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pymongo import AsyncMongoClient

import data_models
from broker.contexts import Contexts, ContextSettings
from broker.operations.subscriptions import Subscriptions
from broker.settings import Settings
from broker.store.mongo import MongoStore
from broker.store.store import Store
from broker.store.tenants import database_name

logger = logging.getLogger(__name__)

Client = AsyncMongoClient[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Services:
    """The settings and the parts that operations need."""

    settings: Settings
    mongo: Client
    store: Store
    contexts: Contexts
    subscriptions: Subscriptions


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Services]:
    """The parts at work on the database that the settings name, until the block is left."""
    # Majority-acknowledged and journaled: what got a 2xx survives the death of any process.
    mongo: Client = AsyncMongoClient(
        settings.mongo_uri, w="majority", journal=True, serverSelectionTimeoutMS=5000, appname="beffroi"
    )
    try:
        store = MongoStore(mongo, create_tenants=settings.tenant_creation)
        contexts = Contexts(_context_settings(settings), lambda tenant: mongo[database_name(tenant)])
        await contexts.start()
        try:
            subscriptions = Subscriptions(mongo, store, contexts, create_tenants=settings.tenant_creation)
            yield Services(settings, mongo, store, contexts, subscriptions)
        finally:
            await contexts.close()
            await store.close()
    finally:
        await mongo.close()


def _context_settings(settings: Settings) -> ContextSettings:
    return ContextSettings(
        public_url=settings.base_url,
        default=settings.default_context or None,
        preload=settings.contexts,
        documents={f"{settings.base_url}{data_models.CONTEXT_PATH}": data_models.context()},
        allowed_networks=tuple(network.strip() for network in settings.context_networks.split(",") if network.strip()),
        timeout=settings.context_timeout,
    )
