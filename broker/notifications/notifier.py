"""From changes to notifications: the consumer of the change log that serves the subscriptions.

For each change: who is concerned (the index), whose triggers and query it meets, what each is told; all of that in the
journal, in one write for many; then to the outboxes. It returns from a batch when the journal is safe.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

from bson import Timestamp
from pymongo import AsyncMongoClient

from broker.changelog.changes import Change, Document, DocumentChange, Dropped, EntityChange
from broker.changelog.position import Lease, Position
from broker.clock import now as clock
from broker.contexts import Contexts
from broker.federation.documents import REGISTRATIONS
from broker.notifications.commands import COMMANDS, DROP, FOLLOW, REPLAY
from broker.notifications.data import of_change, pages
from broker.notifications.deliveries import Deliveries
from broker.notifications.endpoints import EVENTS_SCHEME, EndpointPolicy
from broker.notifications.events import Events, Keeping
from broker.notifications.forwarded import FORWARDED
from broker.notifications.journal import Entry, Journal, entry_key
from broker.notifications.loading import documents_at
from broker.notifications.matching import selected, triggered
from broker.notifications.naming import Naming
from broker.notifications.outbox import Policy
from broker.notifications.periodic import Periodic
from broker.notifications.post_office import PostOffice
from broker.notifications.registrations import Notice, RegistrationNotices
from broker.notifications.registry import Registered, Registry, registered
from broker.notifications.senders import senders
from broker.operations.subscriptions import (
    REGISTRATION_SUBSCRIPTIONS,
    SUBSCRIPTIONS,
    delivery_key,
    subscription_of,
)
from broker.snapshots.directory import Directory
from broker.snapshots.records import Records
from broker.store.store import Store
from ngsi_ld.changes import attribute_changes
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.expiry import alive
from ngsi_ld.registration.subscribing import TriggerReason
from ngsi_ld.subscription import Status, Subscription

logger = logging.getLogger(__name__)

_JOURNALED_TOGETHER = 1000
_LARGEST = 15_000_000
"""Bytes of a notification: MongoDB stores documents of up to 16 MB."""

_ORDERS_PER_TERM = 1 << 40


class Notifier:
    """The notifications of all tenants, in the process that follows the change log.

    notifier = Notifier(client, store, contexts)
    log = ChangeLog(client, [notifier])
    await log.start()
    ...
    await log.stop()
    await notifier.close()
    """

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        store: Store,
        contexts: Contexts,
        policy: Policy | None = None,
        endpoints: EndpointPolicy | None = None,
        keeping: Keeping | None = None,
        directory: Directory | None = None,
    ) -> None:
        policy, endpoints = policy or Policy(), endpoints or EndpointPolicy()
        self._client = client
        self._store = store
        self._naming = Naming(contexts)
        self._registry = Registry()
        self._journal = Journal(client)
        self._events = Events(client, keeping or Keeping())
        self._deliveries = Deliveries(client)
        self._senders = senders(policy, endpoints)
        self._directory = directory or Directory(Records(client))
        self._post_office = PostOffice(
            self._journal, self._deliveries, self._senders, self._subscription, policy, self._directory.place
        )
        self._periodic = Periodic(self._pages, self._send, self._next_order, _key)
        self._notices = RegistrationNotices()
        self._notice_period = Periodic(
            self._notice_pages, self._send, self._next_order, _notice_key, TriggerReason.NEWLY_MATCHING.value
        )
        self._lease: Lease | None = None
        self._order = 0

    @property
    def backlog(self) -> int:
        """How many notifications wait to be sent."""
        return self._post_office.backlog

    async def count_up(self) -> None:
        """Writes down what became of notifications until now, where this process sends them."""
        await self._deliveries.flush()

    async def begin(self, position: Position, lease: Lease) -> None:
        """See `Consumer`."""
        self._lease = lease
        self._order = lease.term * _ORDERS_PER_TERM
        self._registry.clear()
        stored = (SUBSCRIPTIONS, REGISTRATIONS, REGISTRATION_SUBSCRIPTIONS)
        loaded = await documents_at(self._client, stored, position)
        for (tenant, _), document in loaded[SUBSCRIPTIONS].items():
            await self._directory.learn(tenant)
            self._register(tenant, document)
        self._notices.begin(loaded[REGISTRATIONS])
        for (tenant, _), document in loaded[REGISTRATION_SUBSCRIPTIONS].items():
            self._register_notices(tenant, document)
        await asyncio.gather(*[self._naming.refresh(one) for one in (*self._registry, *self._notices)])
        await self._journal.begin(lease)
        await self._events.begin()
        self._deliveries.begin()
        await self._post_office.begin(lease)
        for one in self._registry:
            self._periodic.put(one)
        for one in self._notices:
            self._notice_period.put(one)

    async def end(self) -> None:
        """See `Consumer`."""
        await self._periodic.end()
        await self._notice_period.end()
        await self._post_office.end()
        await self._deliveries.end()
        await self._events.end()
        if self._lease is not None:
            await self._journal.end(self._lease)
        self._naming.end()

    async def close(self) -> None:
        """Closes the connections to endpoints, when nothing is to be sent any more."""
        for sender in dict.fromkeys(self._senders.values()):
            await sender.close()

    async def handle(self, changes: Sequence[Change]) -> None:
        """See `Consumer`."""
        entries: list[Entry] = []
        for change in changes:
            told = await self._told(change)
            if told is not None:
                entries += told
                if len(entries) < _JOURNALED_TOGETHER:
                    continue
            # What was matched before a subscription changed must be on its way before that.
            if entries:
                await self._send(entries)
                entries = []
            if isinstance(change, DocumentChange):
                entries += await self._document_changed(change)
            elif isinstance(change, Dropped):
                await self._dropped(change)
        if entries:
            await self._send(entries)

    async def _send(self, entries: list[Entry]) -> None:
        fitting = [entry for entry in entries if len(entry.data) <= _LARGEST]
        if len(fitting) < len(entries):
            for entry in entries:
                if len(entry.data) > _LARGEST:
                    logger.error("LOST: a notification of %s is larger than %d bytes", entry.subscription, _LARGEST)
                    self._deliveries.gave_up(entry.tenant, entry.subscription, 1)
        if fitting:
            await self._events.add(fitting)
            for entry in await self._journal.add(fitting):
                self._post_office.push(entry)

    async def _told(self, change: Change) -> list[Entry] | None:
        """What is to be told to subscribers; None where the change is of what is told, or to whom."""
        if isinstance(change, EntityChange):
            return await self._entries(change)
        if isinstance(change, DocumentChange) and change.collection == FORWARDED:
            return self._forwarded(change)
        if isinstance(change, DocumentChange) and change.collection == REGISTRATIONS:
            notices = self._notices.of_change(change, clock(), self._naming.of)
            return [self._notice(notice, change.cluster_time) for notice in notices]
        return None

    def _forwarded(self, change: DocumentChange) -> list[Entry]:
        """What a context source has told of an entity of its own (5.8.6); nothing where nobody listens any more."""
        if change.before is not None or change.after is None:
            return []
        one = self._registry.get(change.after["t"], change.after["s"])
        now = datetime.now(UTC)
        if one is None or one.subscription.status(format_date_time(now)) is not Status.ACTIVE:
            return []
        return [self._entry(one, change.after["_id"].hex(), change.cluster_time, change.after["d"], now)]

    async def _entries(self, change: EntityChange) -> list[Entry]:
        if not self._registry.listens(change.tenant, change.id, change.types):
            return []
        if not self._registry.interested(change.tenant, change.id, change.types):
            return []
        at = format_date_time(change.at)
        before = change.before if change.after is None else alive(change.before, at)
        changes = attribute_changes(before, change.after)
        if not changes and before is not None and change.after is not None:
            return []
        types = change.types
        names = {one.name for one in changes}
        now = datetime.now(UTC)
        entries: list[Entry] = []
        rendered: dict[bytes, bytes] = {}
        for one in self._registry.concerned(change.tenant, change.id, types, names):
            subscription = one.subscription
            try:
                if not triggered(subscription, before, change.after, changes):
                    continue
                if not await selected(one, change, at, self._store):
                    continue
                data = rendered.get(one.shape)
                if data is None:
                    data = await of_change(one, before, change.after, changes, self._naming.of(one), at, self._store)
                    rendered[one.shape] = data
            except (NgsiLdError, ValueError, TypeError, KeyError):
                # One change that one subscription cannot cope with must not stop the log for all others.
                logger.exception("LOST: a change of %s cannot be told to %s", change.id, subscription.id)
                self._deliveries.gave_up(one.tenant, subscription.id, 1)
                continue
            if data:
                entries.append(self._entry(one, change.id, change.cluster_time, data, now))
        return entries

    def _next_order(self) -> int:
        self._order += 1
        return self._order

    def _entry(self, one: Registered, about: str, cluster_time: Timestamp, data: bytes, now: datetime) -> Entry:
        return self._entry_for(one, _key(one), about, cluster_time, data, now)

    def _notice(self, notice: Notice, cluster_time: Timestamp) -> Entry:
        one, reason = notice.one, notice.reason.value
        return self._entry_for(
            one, _notice_key(one), notice.about, cluster_time, notice.data, datetime.now(UTC), reason
        )

    def _entry_for(
        self,
        one: Registered,
        key: str,
        about: str,
        cluster_time: Timestamp,
        data: bytes,
        now: datetime,
        reason: str = "",
    ) -> Entry:
        return Entry(
            entry_key(one.tenant, key, about, cluster_time),
            self._next_order(),
            one.tenant,
            key,
            about,
            cluster_time,
            now,
            one.subscription.endpoint.accept,
            one.subscription.context,
            data,
            reason,
        )

    async def _obey(self, command: Document) -> None:
        tenant, subscription_id = command["t"], command["s"]
        if self._subscription(tenant, subscription_id) is None:
            return
        if command["command"] == FOLLOW:
            self._events.follow(tenant, subscription_id)
        elif command["command"] == DROP:
            await self._post_office.drop(tenant, subscription_id)
        elif command["command"] == REPLAY:
            self._post_office.replay(tenant, subscription_id, self._next_order)

    async def _document_changed(self, change: DocumentChange) -> list[Entry]:
        """Takes account of it; gives what is to be told because of it."""
        if change.collection == REGISTRATION_SUBSCRIPTIONS:
            return await self._notices_changed(change)
        if change.collection == COMMANDS and change.after is not None:
            await self._obey(change.after)
        elif change.collection == SUBSCRIPTIONS:
            await self._subscription_changed(change)
        return []

    async def _subscription_changed(self, change: DocumentChange) -> None:
        if change.after is None:
            await self._forget(change.tenant, change.id)
        else:
            await self._directory.learn(change.tenant)
            one = self._register(change.tenant, change.after)
            if one is not None:
                await self._naming.ensure(one)
                self._periodic.put(one)
            self._post_office.changed(change.tenant, change.id)

    async def _notices_changed(self, change: DocumentChange) -> list[Entry]:
        """A subscription to registrations begins, and begins anew when it is changed, with all that match (5.11.7)."""
        key = delivery_key(change.id, to_registrations=True)
        if change.after is None:
            await self._forget_notices(change.tenant, change.id)
            return []
        one = self._register_notices(change.tenant, change.after)
        if one is None:
            return []
        await self._naming.ensure(one)
        self._notice_period.put(one)
        self._post_office.changed(change.tenant, key)
        notices = self._notices.of_all(one, clock(), self._naming.of)
        return [self._notice(notice, change.cluster_time) for notice in notices]

    async def _forget_notices(self, tenant: str, subscription_id: str) -> None:
        self._notices.unsubscribe(tenant, subscription_id)
        self._notice_period.remove(tenant, subscription_id)
        await self._post_office.forget(tenant, delivery_key(subscription_id, to_registrations=True))

    async def _dropped(self, change: Dropped) -> None:
        if change.collection in (None, SUBSCRIPTIONS):
            for one in self._registry:
                if one.tenant == change.tenant:
                    await self._forget(one.tenant, one.subscription.id)
        if change.collection in (None, REGISTRATIONS):
            self._notices.drop(change.tenant)
        if change.collection in (None, REGISTRATION_SUBSCRIPTIONS):
            for one in self._notices:
                if one.tenant == change.tenant:
                    await self._forget_notices(one.tenant, one.subscription.id)

    async def _pages(self, one: Registered, at: str) -> AsyncIterator[bytes]:
        async for page in pages(one, self._naming.of(one), at, self._store):
            yield page

    async def _notice_pages(self, one: Registered, at: str) -> AsyncIterator[bytes]:
        for notice in self._notices.of_all(one, at, self._naming.of):
            yield notice.data

    def _register_notices(self, tenant: str, document: Document) -> Registered | None:
        one = self._read(tenant, document)
        if one is None:
            self._notices.unsubscribe(tenant, document["_id"])
            self._notice_period.remove(tenant, document["_id"])
        else:
            self._notices.subscribe(one)
        return one

    async def _forget(self, tenant: str, subscription_id: str) -> None:
        self._registry.remove(tenant, subscription_id)
        self._periodic.remove(tenant, subscription_id)
        await self._post_office.forget(tenant, subscription_id)
        await self._events.forget(tenant, subscription_id)

    def _register(self, tenant: str, document: Document) -> Registered | None:
        one = self._read(tenant, document)
        if one is None:
            self._registry.remove(tenant, document["_id"])
            self._periodic.remove(tenant, document["_id"])
        else:
            self._registry.put(one)
            followed = one.subscription.endpoint.uri.startswith(EVENTS_SCHEME)
            self._events.always(tenant, one.subscription.id, wanted=followed)
        return one

    def _read(self, tenant: str, document: Document) -> Registered | None:
        try:
            subscription = subscription_of(document)
        except (NgsiLdError, KeyError, TypeError, ValueError):
            logger.exception("subscription %s of tenant %r cannot be read and is not served", document["_id"], tenant)
            return None
        names = self._naming.known(tenant, subscription.context)
        return registered(tenant, subscription, document["createdAt"], names)

    def _subscription(self, tenant: str, key: str) -> Subscription | None:
        """The subscription, of either kind, that the journal calls so."""
        prefix = delivery_key("", to_registrations=True)
        if key.startswith(prefix):
            one = self._notices.get(tenant, key.removeprefix(prefix))
        else:
            one = self._registry.get(tenant, key)
        return one.subscription if one is not None else None


def _key(one: Registered) -> str:
    return delivery_key(one.subscription.id, to_registrations=False)


def _notice_key(one: Registered) -> str:
    return delivery_key(one.subscription.id, to_registrations=True)
