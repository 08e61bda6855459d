"""What the API works with, made once when a worker starts and handed to every request."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

import data_models
from broker.changelog.log import ChangeLog, Consumer
from broker.contexts import Contexts, ContextSettings
from broker.federation.copies import Copies
from broker.federation.documents import REGISTRATIONS
from broker.federation.expiry import Expiry
from broker.federation.registry import Registry
from broker.federation.remote import Remotes
from broker.history.collections import Collections
from broker.history.copying import Copying
from broker.history.history import History
from broker.history.marks import MARKS, Marks
from broker.history.packing import Packer
from broker.history.recorder import Recorder
from broker.history.retention import parse_retention
from broker.history.sweeping import Retention
from broker.installation import drawn_alias
from broker.notifications import metrics
from broker.notifications.commands import COMMANDS
from broker.notifications.endpoints import EndpointPolicy
from broker.notifications.events import Keeping
from broker.notifications.forwarded import FORWARDED, Forwarding
from broker.notifications.notifier import Notifier
from broker.notifications.outbox import Policy
from broker.notifications.streams import Streams
from broker.operations.entity_maps import EntityMaps
from broker.operations.entity_maps import Limits as EntityMapLimits
from broker.operations.registrations import Registrations
from broker.operations.snapshots import Limits as SnapshotLimits
from broker.operations.snapshots import Snapshots
from broker.operations.subscriptions import REGISTRATION_SUBSCRIPTIONS, SUBSCRIPTIONS, Subscriptions
from broker.settings import Settings
from broker.snapshots.directory import Directory
from broker.snapshots.notices import Notices
from broker.snapshots.records import Records
from broker.store.mongo import MongoStore, StoreLimits
from broker.store.store import Store
from broker.store.tenants import database_name, nonexistent_tenant

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
    streams: Streams
    snapshots: Snapshots
    entity_maps: EntityMaps
    remotes: Remotes
    registry: Registry
    registrations: Registrations
    registration_subscriptions: Subscriptions
    forwarding: Forwarding
    history: History | None = None
    """The temporal evolution of entities; None where none is recorded."""


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Services]:
    """The parts at work on the database that the settings name, until the block is left."""
    mongo = _client(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(mongo.close)
        settings = settings.model_copy(update={"alias": settings.alias or await drawn_alias(mongo)})
        store = MongoStore(mongo, create_tenants=settings.tenant_creation, limits=_store_limits(settings))
        stack.push_async_callback(store.close)
        records = Records(mongo)
        directory = Directory(records)
        contexts = Contexts(
            _context_settings(settings),
            lambda tenant: mongo[database_name(tenant)],
            home=lambda tenant: directory.place(tenant).tenant,
        )
        stack.push_async_callback(contexts.close)
        await contexts.start()
        endpoints = EndpointPolicy(private=settings.endpoint_private, networks=networks(settings.endpoint_networks))
        remotes = Remotes(settings, mongo, contexts, endpoints)
        stack.push_async_callback(remotes.close)
        keeping = Keeping(settings.events_age, settings.events_size)
        notifier = Notifier(mongo, store, contexts, _notification_policy(settings), endpoints, keeping, directory)
        stack.push_async_callback(notifier.close)
        stream_client = _client(settings, document_class=RawBSONDocument)
        stack.push_async_callback(stream_client.close)
        copies = Copies(mongo, contexts, remotes, settings)
        consumers: list[Consumer] = [notifier, copies, Expiry(mongo)]
        watched = [SUBSCRIPTIONS, REGISTRATIONS, REGISTRATION_SUBSCRIPTIONS, COMMANDS, FORWARDED]
        collections = Collections(mongo)
        retention = Retention(collections, parse_retention(settings.retention))
        packer = Packer(collections, store.tenants, retention)
        recorders: list[Consumer] = []
        if settings.history:
            recorders.append(Recorder(collections, packer))
            watched.append(MARKS)
        changes = ChangeLog(
            mongo,
            consumers,
            unhurried=recorders,
            collections=watched,
            lease_seconds=settings.lease,
            stream_client=stream_client,
        )
        history: History | None = None
        if settings.history:
            marks = Marks(mongo, changes, settings.history_timeout)
            await marks.start()
            history = History(
                collections,
                packer,
                marks,
                make_tenant=_tenant_maker(store, settings),
                tenant_exists=store.tenant_exists,
                timeout=settings.history_timeout,
            )
        stack.push_async_callback(changes.stop)
        metrics.watch(lambda: notifier.backlog, lambda: changes.following, lambda: changes.lag)
        # Before the first write is accepted: from here on the log misses none.
        await changes.start()
        subscriptions, registration_subscriptions = (
            Subscriptions(
                mongo,
                store,
                contexts,
                endpoints,
                create_tenants=settings.tenant_creation,
                to_registrations=to_registrations,
                count_up=notifier.count_up,
            )
            for to_registrations in (False, True)
        )
        streams = Streams(mongo, changes, keeping, settings.events_streams)
        stack.push_async_callback(streams.close)
        registry = Registry(mongo)
        stack.push_async_callback(registry.close)
        await registry.start()
        registrations = Registrations(
            mongo, store, contexts, registry, remotes.statistics, endpoints, create_tenants=settings.tenant_creation
        )
        snapshots = Snapshots(
            mongo,
            store,
            contexts,
            records,
            directory,
            Notices(mongo, _notification_policy(settings), endpoints),
            None if history is None else (history, Copying(collections)),
            _snapshot_limits(settings),
        )
        stack.push_async_callback(snapshots.close)
        yield Services(
            snapshots=snapshots,
            entity_maps=EntityMaps(mongo, _entity_map_limits(settings)),
            settings=settings,
            mongo=mongo,
            store=store,
            contexts=contexts,
            subscriptions=subscriptions,
            streams=streams,
            remotes=remotes,
            registry=registry,
            registrations=registrations,
            registration_subscriptions=registration_subscriptions,
            forwarding=Forwarding(mongo),
            history=history,
        )


def _tenant_maker(store: MongoStore, settings: Settings) -> Callable[[str], Awaitable[None]]:
    """What makes a tenant for the first write to it (5.5.10), as far as the settings let writes make some."""

    async def make(tenant: str) -> None:
        if not await store.tenant_exists(tenant):
            if not settings.tenant_creation:
                raise nonexistent_tenant(tenant)
            await store.create_tenant(tenant)

    return make


def _client(settings: Settings, **options: Any) -> AsyncMongoClient[Any]:
    # Majority-acknowledged and journaled: what got a 2xx survives the death of any process.
    return AsyncMongoClient(
        settings.mongo_uri, w="majority", journal=True, serverSelectionTimeoutMS=5000, appname="beffroi", **options
    )


def _snapshot_limits(settings: Settings) -> SnapshotLimits:
    return SnapshotLimits(
        number=settings.snapshots,
        entities=settings.snapshot_size,
        lifetime=settings.snapshot_lifetime,
        longest=settings.snapshot_longest,
        prepared=settings.snapshot_preparations,
    )


def _entity_map_limits(settings: Settings) -> EntityMapLimits:
    return EntityMapLimits(
        number=settings.entity_maps,
        entities=settings.entity_map_size,
        lifetime=settings.entity_map_lifetime,
        longest=settings.entity_map_longest,
    )


def _store_limits(settings: Settings) -> StoreLimits:
    return StoreLimits(
        recent_bytes=settings.remembered_bytes,
        timeout_seconds=settings.write_timeout,
        query_seconds=settings.query_timeout,
        indexes=settings.indexes,
        index_demand=settings.index_demand,
    )


def _notification_policy(settings: Settings) -> Policy:
    return Policy(
        timeout=settings.endpoint_timeout,
        first_retry=settings.retry_first,
        longest_retry=settings.retry_longest,
        max_age=settings.backlog_age,
        max_backlog=settings.backlog_size,
        in_memory=settings.backlog_memory,
        per_endpoint=settings.endpoint_concurrency,
    )


def _context_settings(settings: Settings) -> ContextSettings:
    # By whatever name this machine is called: a broker does not fetch from itself.
    own_urls = {settings.base_url, *(f"http://{name}:{settings.port}" for name in ("localhost", "127.0.0.1"))}
    return ContextSettings(
        public_url=settings.base_url,
        default=settings.default_context or None,
        preload=settings.contexts,
        documents={f"{url}{data_models.CONTEXT_PATH}": data_models.context() for url in own_urls},
        allowed_networks=networks(settings.context_networks),
        timeout=settings.context_timeout,
    )


def networks(text: str) -> tuple[str, ...]:
    """The networks of a setting, such as `10.0.0.0/8,127.0.0.0/8`."""
    return tuple(network.strip() for network in text.split(",") if network.strip())
