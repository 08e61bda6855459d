"""The notifications of one subscription on their way: in order, one at a time, until each is delivered or given up.

Everything here is in the journal already. In memory are only the next few; what does not fit is read from the journal
when its turn comes, so a dead subscriber costs disk and not memory.

While an attempt fails the same notification is tried again, first after `first_retry` seconds, then twice as long each
time up to `longest_retry`, each time a random part less. It is given up, and goes to the dead letters, when it is older
than `max_age` or when more than `max_backlog` wait behind it: the oldest go first.

With throttling, notifications that wait are merged: the last state of each entity goes, in one notification, when the
time has come. With timeInterval they are merged too: of what a dead endpoint did not take, the last remains.
"""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from pymongo.errors import PyMongoError

from broker.changelog.position import Lease
from broker.notifications import message
from broker.notifications.deliveries import Deliveries
from broker.notifications.journal import Entry, Journal
from broker.notifications.message import Message, Outcome
from broker.snapshots.directory import Place
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.subscription import Endpoint, Status, Subscription

logger = logging.getLogger(__name__)

_HELD_SECONDS = 30.0
_LEASE_SECONDS = 0.1
_MERGED = 10
"""Times more entries are kept in memory with throttling, as they are merged by entity."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long and how much is tried. Times are in seconds; `in_memory` and `max_backlog` count per subscription."""

    timeout: float = 10.0
    first_retry: float = 0.5
    longest_retry: float = 60.0
    max_age: float = 86400.0
    max_backlog: int = 100_000
    in_memory: int = 200
    per_endpoint: int = 32


class Post(Protocol):
    """What carries a message to an endpoint."""

    async def deliver(self, notification: Message) -> Outcome:
        """Sends it as the endpoint's scheme says, within the endpoint's limits."""
        ...


class Outbox:
    """The way out of one subscription. `subscription` gives its definition of the moment, None once it is deleted."""

    def __init__(
        self,
        tenant: str,
        subscription_id: str,
        subscription: Callable[[], Subscription | None],
        *,
        journal: Journal,
        deliveries: Deliveries,
        post: Post,
        lease: Lease,
        policy: Policy,
        place: Callable[[str], Place] = Place,
    ) -> None:
        self._tenant = tenant
        self._place = place
        self._id = subscription_id
        self._subscription = subscription
        self._journal = journal
        self._deliveries = deliveries
        self._post = post
        self._lease = lease
        self._policy = policy
        self._next: OrderedDict[int | str, Entry] = OrderedDict()
        self._backlog = 0
        self._last = 0
        self._in_journal = False
        self._added_meanwhile = False
        self._failures = 0
        self._not_before = 0.0
        self._poked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def backlog(self) -> int:
        """How many notifications wait, in memory and in the journal."""
        return self._backlog

    def recover(self, count: int) -> None:
        """Takes over so many entries that an earlier process left in the journal."""
        self._backlog += count
        self._in_journal = self._added_meanwhile = True
        self._work()

    def push(self, entry: Entry) -> None:
        """Takes an entry that was just written to the journal."""
        self._backlog += 1
        if self._in_journal or len(self._next) >= self._room(self._merges()):
            self._in_journal = self._added_meanwhile = True
        else:
            self._keep(entry, self._merges())
        self._work()

    def changed(self) -> None:
        """The subscription was changed: what failed or was held is looked at anew."""
        self._failures = 0
        self._poked.set()

    async def stop(self, grace: float = 0.0) -> None:
        """Ends the sending; what was not delivered stays in the journal.

        An attempt under way has `grace` seconds to end: broken off, it would be made again by the next process.
        """
        task = self._task
        if task is not None:
            self._stopping = True
            self._poked.set()
            done, _ = await asyncio.wait([task], timeout=grace)
            if not done:
                task.cancel()
                await asyncio.wait([task])
            self._task = None

    def _work(self) -> None:
        if self._task is None and not self._stopping:
            self._task = asyncio.create_task(self._drain(), name=f"outbox {self._id}")

    def _merges(self) -> bool:
        subscription = self._subscription()
        return subscription is not None and _merges(subscription)

    def _room(self, merges: bool) -> int:
        return self._policy.in_memory * (_MERGED if merges else 1)

    def _keep(self, entry: Entry, merges: bool) -> None:
        self._last = entry.order
        if not merges:
            self._next[entry.order] = entry
            return
        superseded = self._next.pop(entry.entity, None)
        self._next[entry.entity] = entry
        if superseded is not None:
            self._backlog -= 1
            self._journal.delivered([superseded])

    async def _drain(self) -> None:
        while not self._stopping:
            try:
                if not await self._fill():
                    break
                subscription = self._subscription()
                if subscription is None:
                    break
                await self._step(subscription)
            except PyMongoError as error:
                logger.warning("the notifications of %s wait for MongoDB: %s", self._id, error)
                await self._wait(1.0)
            except Exception:
                logger.exception("the notifications of %s stopped; they are taken up again", self._id)
                await self._wait(self._policy.longest_retry)
        self._task = None

    async def _fill(self) -> bool:
        """Sees to it that what is next is in memory; False when nothing waits."""
        merges = self._merges()
        while self._in_journal and len(self._next) < (self._room(merges) if merges else 1):
            wanted = self._room(merges) - len(self._next)
            self._added_meanwhile = False
            entries = await self._journal.read(self._tenant, self._id, self._last, wanted)
            for entry in entries:
                self._keep(entry, merges)
            if len(entries) < wanted and not self._added_meanwhile:
                self._in_journal = False
        if not self._next:
            self._backlog = 0
        return bool(self._next)

    async def _step(self, subscription: Subscription) -> None:
        if await self._gave_up():
            return
        if not self._active(subscription):
            await self._wait(_HELD_SECONDS)
            return
        if (pause := self._not_before - time.monotonic()) > 0:
            await self._wait(pause)
            return
        if not self._lease.held:
            await asyncio.sleep(_LEASE_SECONDS)
            return
        head = next(iter(self._next.values()))
        entries = [head]
        if _merges(subscription):
            entries = [one for one in self._next.values() if _alike(one, head)]
        outcome = await self._post.deliver(self._message(subscription, entries))
        if outcome.delivered:
            self._failures = 0
            self._deliveries.succeeded(self._tenant, self._id)
            self._done(entries)
            if subscription.throttling is not None:
                self._not_before = time.monotonic() + subscription.throttling
        else:
            self._failed(subscription.endpoint, outcome.reason)

    @staticmethod
    def _active(subscription: Subscription) -> bool:
        if subscription.expires_at is None:
            return subscription.is_active
        return subscription.status(format_date_time(datetime.now(UTC))) is Status.ACTIVE

    def _message(self, subscription: Subscription, entries: list[Entry]) -> Message:
        endpoint, last = subscription.endpoint, entries[-1]
        return Message(
            endpoint,
            message.headers(endpoint, self._place(self._tenant), last.accept, last.context),
            message.body(
                endpoint,
                last.id,
                subscription.id,
                format_date_time(last.at),
                last.accept,
                last.context,
                b",".join(entry.data for entry in entries),
                last.reason,
            ),
            self._policy.timeout if endpoint.timeout is None else endpoint.timeout,
        )

    def _done(self, entries: list[Entry]) -> None:
        for entry in entries:
            for key in (entry.order, entry.entity):
                if self._next.get(key) is entry:
                    del self._next[key]
                    self._backlog -= 1
        self._journal.delivered(entries)

    def _failed(self, endpoint: Endpoint, reason: str) -> None:
        self._failures += 1
        self._deliveries.failed(self._tenant, self._id, reason)
        pause = min(self._policy.longest_retry, self._policy.first_retry * 2 ** min(self._failures - 1, 30))
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing
        if endpoint.cooldown is not None:
            pause = max(pause, endpoint.cooldown)
        self._not_before = time.monotonic() + pause
        if self._failures == 1:
            logger.warning("a notification of %s failed and is tried again: %s", self._id, reason)

    async def _gave_up(self) -> bool:
        """Whether some were too old or too many, and have been given up."""
        waiting = self._next.values()
        if self._too_old(next(iter(waiting))):
            oldest = [entry for entry in waiting if self._too_old(entry)]
            reason = f"older than {self._policy.max_age:g} s"
        elif (excess := self._backlog - self._policy.max_backlog) > 0:
            oldest = list(islice(waiting, excess))
            reason = f"more than {self._policy.max_backlog} were waiting"
        else:
            return False
        await self._journal.give_up(oldest, reason)
        self._done(oldest)
        self._deliveries.gave_up(self._tenant, self._id, len(oldest))
        logger.error("%d notifications of %s are given up: %s", len(oldest), self._id, reason)
        return True

    def _too_old(self, entry: Entry) -> bool:
        return (datetime.now(UTC) - entry.at).total_seconds() > self._policy.max_age

    async def _wait(self, seconds: float) -> None:
        """Until then, or until the subscription changes."""
        if self._stopping:
            return
        self._poked.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._poked.wait()
            self._not_before = 0.0
        except TimeoutError:
            pass


def _alike(one: Entry, other: Entry) -> bool:
    """Whether two can go in one notification."""
    return (one.accept, one.context, one.reason) == (other.accept, other.context, other.reason)


def _merges(subscription: Subscription) -> bool:
    return subscription.throttling is not None or subscription.time_interval is not None
