"""All outboxes of this process, and the senders they share: one limit per endpoint, so that none takes from another."""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from broker.changelog.position import Lease
from broker.notifications.deliveries import Deliveries
from broker.notifications.journal import Entry, Journal
from broker.notifications.message import Message, Outcome, Sender
from broker.notifications.outbox import Outbox, Policy
from broker.snapshots.directory import Place
from ngsi_ld.subscription import Subscription

_GRACE_SECONDS = 1.0
_REPLAYED_TOGETHER = 500
_REPLAY_SECONDS = 0.05

Key = tuple[str, str]
"""Tenant and subscription id."""


class PostOffice:
    """Takes journaled notifications and gets them delivered, each subscription's in order.

    `senders` maps the scheme of an endpoint to what sends there; `subscription` gives the definition of the moment,
    `place` the tenant and snapshot whose data it is about.
    """

    def __init__(
        self,
        journal: Journal,
        deliveries: Deliveries,
        senders: Mapping[str, Sender],
        subscription: Callable[[str, str], Subscription | None],
        policy: Policy,
        place: Callable[[str], Place] = Place,
    ) -> None:
        self._place = place
        self._journal = journal
        self._deliveries = deliveries
        self._senders = senders
        self._subscription = subscription
        self._policy = policy
        self._lease: Lease | None = None
        self._outboxes: dict[Key, Outbox] = {}
        self._limits: dict[str, asyncio.Semaphore] = {}
        self._replays: set[asyncio.Task[None]] = set()

    @property
    def backlog(self) -> int:
        """How many notifications wait, of all subscriptions."""
        return sum(outbox.backlog for outbox in self._outboxes.values())

    def waiting(self, tenant: str, subscription_id: str) -> int:
        """How many notifications of one subscription wait."""
        outbox = self._outboxes.get((tenant, subscription_id))
        return outbox.backlog if outbox is not None else 0

    async def begin(self, lease: Lease) -> None:
        """Takes up what an earlier process left in the journal."""
        self._lease = lease
        async for tenant, subscription_id, count in self._journal.waiting():
            if self._subscription(tenant, subscription_id) is None:
                await self._journal.forget(tenant, subscription_id)
            else:
                self._outbox(tenant, subscription_id).recover(count)

    async def end(self) -> None:
        """Stops sending."""
        for task in self._replays:
            task.cancel()
        outboxes, self._outboxes = self._outboxes, {}
        await asyncio.gather(*[outbox.stop(_GRACE_SECONDS) for outbox in outboxes.values()])
        self._limits.clear()

    def push(self, entry: Entry) -> None:
        """Takes an entry that was just written to the journal."""
        self._outbox(entry.tenant, entry.subscription).push(entry)

    def changed(self, tenant: str, subscription_id: str) -> None:
        """A subscription has a new definition."""
        if (outbox := self._outboxes.get((tenant, subscription_id))) is not None:
            outbox.changed()

    async def forget(self, tenant: str, subscription_id: str) -> None:
        """A subscription was deleted, and with it what waited for it."""
        if (outbox := self._outboxes.pop((tenant, subscription_id), None)) is not None:
            await outbox.stop()
        await asyncio.gather(
            self._journal.forget(tenant, subscription_id), self._deliveries.forget(tenant, subscription_id)
        )

    async def drop(self, tenant: str, subscription_id: str) -> None:
        """Removes what waits for a subscription; what comes later is sent."""
        if (outbox := self._outboxes.pop((tenant, subscription_id), None)) is not None:
            await outbox.stop()
        await self._journal.forget(tenant, subscription_id, dead=False)

    def replay(self, tenant: str, subscription_id: str, order: Callable[[], int]) -> None:
        """Sends the dead letters of a subscription again, after what waits; `order` gives the next order."""
        task = asyncio.create_task(self._replay(tenant, subscription_id, order), name=f"replay {subscription_id}")
        self._replays.add(task)
        task.add_done_callback(self._replays.discard)

    async def _replay(self, tenant: str, subscription_id: str, order: Callable[[], int]) -> None:
        """A few at a time, or those that wait would be too many and be given up."""
        most = max(1, min(_REPLAYED_TOGETHER, self._policy.max_backlog // 2))
        while True:
            while self.waiting(tenant, subscription_id) >= most:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(_REPLAY_SECONDS)
            revived = await self._journal.revive(tenant, subscription_id, order, most)
            if not revived:
                break
            for entry in revived:
                self.push(entry)

    async def deliver(self, notification: Message) -> Outcome:
        """Sends a message as the scheme of its endpoint says, not too many at a time to one host."""
        scheme, place, *_ = urlsplit(notification.endpoint.uri)
        limit = self._limits.get(place)
        if limit is None:
            limit = self._limits[place] = asyncio.Semaphore(self._policy.per_endpoint)
        async with limit:
            return await self._senders[scheme].send(notification)

    def _outbox(self, tenant: str, subscription_id: str) -> Outbox:
        outbox = self._outboxes.get((tenant, subscription_id))
        if outbox is None:
            if self._lease is None:
                raise RuntimeError("the post office is closed: this process does not follow the change log")
            outbox = self._outboxes[tenant, subscription_id] = Outbox(
                tenant,
                subscription_id,
                lambda: self._subscription(tenant, subscription_id),
                journal=self._journal,
                deliveries=self._deliveries,
                post=self,
                lease=self._lease,
                policy=self._policy,
                place=self._place,
            )
        return outbox
