"""Subscriptions with timeInterval (5.8.6, 5.11.7): every so many seconds all that matches, whatever has changed.

The moments are counted from the creation of the subscription, so that a process that takes over keeps the rhythm, and
a notification that two processes made of one moment is one. Moments at which nobody was there are not made up for.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

from bson import Timestamp
from pymongo.errors import PyMongoError

from broker.notifications.journal import Entry, entry_key
from broker.notifications.registry import Registered
from broker.store.store import StoreUnavailable
from ngsi_ld.datetimes import format_date_time, parse_date_time
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.subscription import Status

logger = logging.getLogger(__name__)

_NOT_IN_THE_LOG = Timestamp(0, 0)


class Periodic:
    """One sleeping task for each subscription with timeInterval.

    `pages` gives all that matches a subscription at a moment, as elements of arrays in JSON; `send` journals and sends
    entries, `order` gives the next order of an entry, `key` what the journal calls a subscription, `reason` its reason.
    """

    def __init__(
        self,
        pages: Callable[[Registered, str], AsyncIterator[bytes]],
        send: Callable[[list[Entry]], Awaitable[None]],
        order: Callable[[], int],
        key: Callable[[Registered], str],
        reason: str = "",
    ) -> None:
        self._pages = pages
        self._send = send
        self._order = order
        self._key = key
        self._reason = reason
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def put(self, one: Registered) -> None:
        """Serves the subscription, in the place of an earlier definition, if it has a timeInterval."""
        self.remove(one.tenant, one.subscription.id)
        if one.subscription.time_interval is not None:
            start = parse_date_time(one.created_at) or datetime.now(UTC)
            task = asyncio.create_task(
                self._serve(one, start.timestamp(), one.subscription.time_interval), name=f"every {one.subscription.id}"
            )
            self._tasks[one.tenant, one.subscription.id] = task

    def remove(self, tenant: str, subscription_id: str) -> None:
        """Serves the subscription no more."""
        if (task := self._tasks.pop((tenant, subscription_id), None)) is not None:
            task.cancel()

    async def end(self) -> None:
        """Serves none any more."""
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _serve(self, one: Registered, start: float, interval: float) -> None:
        count = int(max(0.0, time.time() - start) / interval)
        while True:
            count += 1
            await asyncio.sleep(max(0.0, start + count * interval - time.time()))
            if time.time() - start > (count + 1) * interval:
                count = int((time.time() - start) / interval)
            try:
                await self._notify(one, count)
            except (StoreUnavailable, PyMongoError, NgsiLdError) as error:
                logger.warning("a periodic notification of %s is left out: %s", one.subscription.id, error)
            except Exception:
                logger.exception("a periodic notification of %s is left out", one.subscription.id)

    async def _notify(self, one: Registered, count: int) -> None:
        now = format_date_time(datetime.now(UTC))
        if one.subscription.status(now) is not Status.ACTIVE:
            return
        entries: list[Entry] = []
        async for data in self._pages(one, now):
            entries.append(self._entry(one, count, len(entries), data))
        if entries:
            await self._send(entries)

    def _entry(self, one: Registered, count: int, page: int, data: bytes) -> Entry:
        subscription, key = one.subscription, self._key(one)
        return Entry(
            entry_key(one.tenant, key, f"page {page}", Timestamp(count >> 32, count & 0xFFFFFFFF)),
            self._order(),
            one.tenant,
            key,
            f"page {page}",
            _NOT_IN_THE_LOG,
            datetime.now(UTC),
            subscription.endpoint.accept,
            subscription.context,
            data,
            self._reason,
        )
