"""Copies of our subscriptions at context sources (5.8.1.4, 5.8.2.4, 5.8.5.4): which should be, and when they change.

What should be is told by the subscriptions and the registrations, what is by the copier. A copy that is not as it
should be gets settled, however often that takes: a source that is away is asked again, and a process that takes over
begins by comparing all.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from broker.changelog.changes import Change, Document, DocumentChange, Dropped
from broker.changelog.position import Lease, Position
from broker.clock import now
from broker.contexts import Contexts
from broker.federation.copying import Copier, Copy, Distributed, Key
from broker.federation.documents import REGISTRATIONS, registration_of
from broker.federation.remote import Remotes, Unanswered
from broker.federation.via import own_alias
from broker.operations.subscriptions import SUBSCRIPTIONS, subscription_of
from broker.settings import Settings
from broker.store.tenants import tenant_of
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.registration.index import RegistrationIndex
from ngsi_ld.registration.reduction import concerned, wanted

logger = logging.getLogger(__name__)

_AT_A_TIME = 16
_FIRST_RETRY, _LONGEST_RETRY = 0.5, 60.0
_LOOKED_AFTER_SECONDS = 600.0


@dataclass(slots=True)
class _Settling:
    """A copy being settled: `again` tells that what should be has changed meanwhile."""

    again: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class Copies:
    """The copies of all tenants, in the process that follows the change log: a consumer of it."""

    def __init__(self, client: AsyncMongoClient[Any], contexts: Contexts, remotes: Remotes, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._copier = Copier(client, contexts, remotes, settings)
        self._subscriptions: dict[tuple[str, str], Distributed] = {}
        self._registrations: dict[str, RegistrationIndex] = {}
        self._copies: dict[Key, Copy] = {}
        self._settling: dict[Key, _Settling] = {}
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._upkeep: asyncio.Task[None] | None = None

    async def begin(self, position: Position, lease: Lease) -> None:
        """See `Consumer`: compares all that should be with all that is."""
        self._subscriptions.clear()
        self._registrations.clear()
        self._copies = await self._copier.stored()
        for name in await self._client.list_database_names():
            tenant = tenant_of(name)
            if tenant is not None:
                async for document in self._client[name][REGISTRATIONS].find():
                    self._registered(tenant, document)
                async for document in self._client[name][SUBSCRIPTIONS].find():
                    self._subscribed(tenant, document)
        for key in {*self._copies, *(key for one in self._subscriptions for key in self._keys_of(*one))}:
            self._settle(key)
        self._upkeep = asyncio.create_task(self._look_after(), name="copies of subscriptions")

    async def end(self) -> None:
        """See `Consumer`."""
        tasks = [one.task for one in self._settling.values() if one.task is not None]
        if self._upkeep is not None:
            tasks.append(self._upkeep)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._settling.clear()

    async def handle(self, changes: Sequence[Change]) -> None:
        """See `Consumer`: notes what should be; what that takes is done beside the log."""
        for change in changes:
            if isinstance(change, DocumentChange) and change.collection == SUBSCRIPTIONS:
                self._subscription_changed(change)
            elif isinstance(change, DocumentChange) and change.collection == REGISTRATIONS:
                self._registration_changed(change)
            elif isinstance(change, Dropped):
                self._dropped(change)

    def _subscription_changed(self, change: DocumentChange) -> None:
        key = (change.tenant, change.id)
        if change.after is None:
            self._subscriptions.pop(key, None)
        else:
            self._subscribed(change.tenant, change.after)
        there = [one for one in self._copies if one[:2] == key]
        for one in {*there, *self._keys_of(*key)}:
            self._settle(one)

    def _registration_changed(self, change: DocumentChange) -> None:
        if change.after is None:
            self._unregistered(change.tenant, change.id)
        else:
            self._registered(change.tenant, change.after)
        for tenant, subscription_id in self._subscriptions:
            if tenant == change.tenant:
                self._settle((tenant, subscription_id, change.id))
        for key in [one for one in self._copies if one[0] == change.tenant and one[2] == change.id]:
            self._settle(key)

    def _dropped(self, change: Dropped) -> None:
        if change.collection in (None, SUBSCRIPTIONS):
            self._subscriptions = {key: one for key, one in self._subscriptions.items() if key[0] != change.tenant}
        if change.collection in (None, REGISTRATIONS):
            self._registrations.pop(change.tenant, None)
        for key in [one for one in self._copies if one[0] == change.tenant]:
            self._settle(key)

    def _subscribed(self, tenant: str, document: Document) -> None:
        key = (tenant, document["_id"])
        self._subscriptions.pop(key, None)
        try:
            subscription = subscription_of(document)
        except (NgsiLdError, KeyError, TypeError, ValueError):
            return  # the notifier tells of it
        via = tuple(document.get("via", ()))
        if not subscription.local_only and own_alias(self._settings.alias, tenant) not in via:
            split = subscription.definition.members.get("splitEntities", self._settings.split_entities)
            self._subscriptions[key] = Distributed(subscription, via, split)

    def _registered(self, tenant: str, document: Document) -> None:
        try:
            registration = registration_of(document)
        except NgsiLdError:
            return  # the registry tells of it
        self._registrations.setdefault(tenant, RegistrationIndex()).put(registration, document["createdAt"])

    def _unregistered(self, tenant: str, registration_id: str) -> None:
        index = self._registrations.get(tenant)
        if index is not None:
            index.remove(registration_id)

    def _keys_of(self, tenant: str, subscription_id: str) -> Iterator[Key]:
        """Of the copies that a subscription should have now."""
        one, index = self._subscriptions.get((tenant, subscription_id)), self._registrations.get(tenant)
        if one is not None and index is not None:
            for registration in {
                match.registration.id for each in wanted(one.subscription) for match in index.find(each, now())
            }:
                yield tenant, subscription_id, registration

    def _settle(self, key: Key) -> None:
        settling = self._settling.setdefault(key, _Settling())
        settling.again.set()
        if settling.task is None:
            settling.task = asyncio.create_task(self._until_settled(key, settling), name=f"copy of {key[1]}")

    async def _until_settled(self, key: Key, settling: _Settling) -> None:
        """Does what is to be done for one copy, again while its source does not, or while what should be changes."""
        pause = _FIRST_RETRY
        while True:
            settling.again.clear()
            try:
                async with self._turns:
                    await self._attempt(key)
                if not settling.again.is_set():
                    break
                pause = _FIRST_RETRY
            except asyncio.CancelledError:
                raise
            except Exception as error:
                known = isinstance(error, Unanswered | NgsiLdError)
                logger.warning("the copy of %s at %s: %s", key[1], key[2], error, exc_info=not known)
                try:
                    async with asyncio.timeout(pause):
                        await settling.again.wait()
                except TimeoutError:
                    pause = min(2 * pause, _LONGEST_RETRY)
        del self._settling[key]

    async def _attempt(self, key: Key) -> None:
        """One attempt; raises Unanswered where the source does not do its part."""
        tenant, subscription_id, registration_id = key
        copy = self._copies.get(key)
        one = self._subscriptions.get((tenant, subscription_id))
        source = self._registrations.get(tenant, RegistrationIndex()).get(registration_id)
        information = None
        if (
            one is not None
            and source is not None
            and "createSubscription" in source.operations
            and source.alias not in one.via
        ):
            information = concerned(one.subscription, source, now())
        if one is not None and source is not None and information is not None:
            if copy is None:
                copy = self._copies[key] = Copy(source)
            if await self._copier.bring_up_to_date(key, copy, one, source, information):
                return
        elif copy is not None:
            await self._copier.take_away(key, copy)
        if copy is not None:
            del self._copies[key]
            await self._copier.forget(copy)

    async def _look_after(self) -> None:
        """Now and then sees whether the sources still have the copies: they may have been restored, or emptied."""
        while True:
            await asyncio.sleep(_LOOKED_AFTER_SECONDS)
            for key, copy in list(self._copies.items()):
                with contextlib.suppress(Unanswered, NgsiLdError, PyMongoError):
                    if copy.made and not await self._copier.is_there(key, copy) and self._copies.get(key) is copy:
                        copy.made = False
                        self._settle(key)
