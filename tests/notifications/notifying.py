"""What tests of notifications work with: a change log with its notifier, and receivers that are real HTTP servers."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from dataclasses import replace as with_
from datetime import UTC, datetime

import orjson
from aiohttp import web
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from broker.changelog.log import ChangeLog
from broker.changelog.position import now
from broker.contexts import Contexts, ContextSettings
from broker.federation.documents import REGISTRATIONS
from broker.federation.expiry import Expiry
from broker.federation.registry import Registry
from broker.federation.statistics import Statistics
from broker.notifications.commands import COMMANDS
from broker.notifications.notifier import Notifier
from broker.notifications.outbox import Policy
from broker.operations.registrations import Registrations
from broker.operations.subscriptions import REGISTRATION_SUBSCRIPTIONS, SUBSCRIPTIONS, Subscriptions
from broker.store.mongo import MongoStore
from broker.store.tenants import database_name
from ngsi_ld.context import CORE
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.entity import Entity

QUICK = Policy(timeout=2.0, first_retry=0.05, longest_retry=0.2)


@dataclass
class Receiver:
    """A subscriber's HTTP server: what arrived, and how it answers."""

    url: str = ""
    requests: list = field(default_factory=list)
    status: int = 204
    delay: float = 0.0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request):
        body = await request.read()
        self.requests.append((dict(request.headers), body))
        self.arrived.set()
        if self.delay:
            await asyncio.sleep(self.delay)
        return web.Response(status=self.status)

    @property
    def notifications(self):
        return [orjson.loads(body) for _, body in self.requests]

    def values(self, attribute="speed"):
        """The simplified or normalized value of one attribute in each notification, in order of arrival."""
        found = []
        for notification in self.notifications:
            for entity in notification["data"]:
                value = entity.get(attribute)
                found.append(value["value"] if isinstance(value, dict) else value)
        return found

    async def until(self, count, seconds=10.0):
        """Waits until so many requests have arrived."""
        async with asyncio.timeout(seconds):
            while len(self.requests) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def quiet(self, seconds=0.5):
        """Whether nothing arrives for a while."""
        before = len(self.requests)
        await asyncio.sleep(seconds)
        return len(self.requests) == before


async def eventually(condition, seconds=5.0):
    """Waits until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def serving(receiver, port=0):
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/notify"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Broker:
    """What the API of a broker does, without the API."""

    client: AsyncMongoClient
    store: MongoStore
    contexts: Contexts
    subscriptions: Subscriptions
    registrations: Registrations
    registration_subscriptions: Subscriptions
    log: ChangeLog
    notifier: Notifier

    async def put(self, entity_id, tenant="", types=("T",), **values):
        """Creates the entity or changes these attributes, to simple values."""
        at = format_date_time(datetime.now(UTC))
        attributes = {
            CORE.iri(name): [{"type": "Property", "value": value, "createdAt": at, "modifiedAt": at}]
            for name, value in values.items()
        }

        def mutation(before):
            if before is None:
                return Entity(entity_id, [CORE.iri(name) for name in types], attributes, [], at, at)
            return with_(before, attributes={**before.attributes, **attributes}, modified_at=at)

        await self.store.mutate(tenant, entity_id, mutation)

    async def link(self, entity_id, name, target, types=("T",)):
        """Creates an entity with a Relationship."""
        at = format_date_time(datetime.now(UTC))
        one = {"type": "Relationship", "object": target, "createdAt": at, "modifiedAt": at}
        entity = Entity(entity_id, [CORE.iri(each) for each in types], {CORE.iri(name): [one]}, [], at, at)
        await self.store.mutate("", entity_id, lambda _: entity)

    async def delete(self, entity_id, tenant=""):
        await self.store.mutate(tenant, entity_id, lambda _: None)

    async def remove(self, entity_id, *names, tenant=""):
        gone = {CORE.iri(name) for name in names}
        await self.store.mutate(
            tenant,
            entity_id,
            lambda before: with_(
                before, attributes={name: one for name, one in before.attributes.items() if name not in gone}
            ),
        )

    async def subscribe(self, url, tenant="", notification=None, endpoint=None, **members):
        body = {
            "type": "Subscription",
            "entities": [{"type": "T"}],
            "notification": {"endpoint": {"uri": url, **(endpoint or {})}, **(notification or {})},
            **members,
        }
        body = {name: member for name, member in body.items() if member is not None}
        return await self.subscriptions.create(tenant, body, CORE, format_date_time(datetime.now(UTC)))

    async def subscribe_to_registrations(self, url, notification=None, **members):
        """Subscribes to registrations of entities of type T; the subscription's id."""
        body = {
            "type": "Subscription",
            "entities": [{"type": "T"}],
            "notification": {"endpoint": {"uri": url}, **(notification or {})},
            **members,
        }
        return await self.registration_subscriptions.create("", body, CORE, format_date_time(datetime.now(UTC)))

    async def register(self, name, *information, **members):
        """Registers a context source, of entities of type T if nothing else is told; the registration's id."""
        body = {
            "id": f"urn:ngsi-ld:ContextSourceRegistration:{name}",
            "type": "ContextSourceRegistration",
            "endpoint": "http://source.example",
            "information": list(information) or [{"entities": [{"type": "T"}]}],
            **members,
        }
        return await self.registrations.create("", body, CORE, format_date_time(datetime.now(UTC)))

    async def update(self, subscription, fragment, tenant=""):
        await self.subscriptions.update(tenant, subscription, fragment, CORE, format_date_time(datetime.now(UTC)))

    async def caught_up(self):
        """Waits until the log has handled all that was written so far."""
        assert await self.log.passed(await now(self.client))

    async def emptied(self, seconds=5.0):
        """Waits until nothing is left in the journal."""
        async with asyncio.timeout(seconds):
            while await self.waiting():  # noqa: ASYNC110 - the journal is in MongoDB
                await asyncio.sleep(0.05)

    async def waiting(self):
        return await self.client["beffroi"]["notifications"].count_documents({})


@contextlib.asynccontextmanager
async def running(client, policy=QUICK, **options):
    """A broker whose change log is followed."""
    contexts = Contexts(ContextSettings(), lambda tenant: client[database_name(tenant)])
    await contexts.start()
    store = MongoStore(client)
    await store.create_tenant("")
    notifier = Notifier(client, store, contexts, policy)
    host, port = await client.address
    raw = AsyncMongoClient(host, port, directConnection=True, document_class=RawBSONDocument)
    watched = (SUBSCRIPTIONS, REGISTRATIONS, REGISTRATION_SUBSCRIPTIONS, COMMANDS)
    log = ChangeLog(client, [notifier, Expiry(client)], collections=watched, stream_client=raw, **options)
    await log.start()
    registry = Registry(client)
    await registry.start()
    statistics = Statistics(client)
    try:
        yield Broker(
            client,
            store,
            contexts,
            Subscriptions(client, store, contexts),
            Registrations(client, store, contexts, registry, statistics),
            Subscriptions(client, store, contexts, to_registrations=True),
            log,
            notifier,
        )
    finally:
        await registry.close()
        await statistics.close()
        await log.stop()
        await raw.close()
        await notifier.close()
        await contexts.close()
