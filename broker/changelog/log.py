"""The loop that follows the log: hold the lease, read, hand batches to the consumers, move the position on.

    log = ChangeLog(client, [notifier])
    await log.start()     # from here on every write is seen, whoever follows the log
    ...
    await log.stop()      # gives the lease back: another process goes on at once

Any number of processes start one; one of them follows the log, the others stand by. The position moves on only when
every consumer has returned from the batch, so a crash at any moment means that some changes are handed over again,
never that one is missed: consumers make their effects idempotent by the change's cluster time, tenant and id.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from bson import Timestamp
from pymongo import AsyncMongoClient
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from broker.changelog.changes import Change, Document
from broker.changelog.position import Lease, LeaseLost, Position
from broker.changelog.stream import decode, open_stream, plain, token_time
from broker.store.tenants import ENTITIES

logger = logging.getLogger(__name__)

_STANDBY_SECONDS = 0.5
_SAVE_SECONDS = 0.1
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_QUEUED = 2000
_BATCH = 500
_POLL_SECONDS = 0.05
_GATHER_SECONDS = 0.003
_AT_HAND_SECONDS = 0.0001
_LEAVE_SECONDS = 2.0
_HISTORY_LOST = frozenset({136, 222, 280, 286})
"""CappedPositionLost, CloseChangeStream, ChangeStreamFatalError, ChangeStreamHistoryLost."""


class Consumer(Protocol):
    """Something that follows from changes: notifications, history."""

    async def begin(self, position: Position, lease: Lease) -> None:
        """This process follows the log from `position` on; effects may be had while the lease is held."""
        ...

    async def handle(self, changes: Sequence[Change]) -> None:
        """Takes the next changes, in order; returns when their effects are safe against a crash."""
        ...

    async def end(self) -> None:
        """This process follows the log no more."""
        ...


class ChangeLog:
    """The change log of one deployment, in one process.

    `collections` are watched besides the entities. `lease_seconds` is the time after which a process that died without
    a word is replaced. `stream_client`, one whose `document_class` is RawBSONDocument, leaves the images of changes
    that concern nobody undecoded.
    """

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        consumers: Sequence[Consumer],
        *,
        collections: Sequence[str] = ("subscriptions", "notificationCommands"),
        lease_seconds: float = 3.0,
        stream_client: AsyncMongoClient[Any] | None = None,
    ) -> None:
        self._client = client
        self._stream_client = stream_client or client
        self._consumers = consumers
        self._collections = (ENTITIES, *collections)
        self._lease = Lease(client, seconds=lease_seconds)
        self._task: asyncio.Task[None] | None = None
        self._queue: deque[Change | Document] = deque()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._passed: Timestamp | None = None
        self._moved = asyncio.Event()
        self._token: Document | None = None
        self._token_is_new = False
        self._read_to: Timestamp | None = None
        self._read_at = 0.0
        self.following = False
        """Whether this process is the one that follows the log."""

    async def start(self) -> None:
        """Fixes where the log begins, then follows it in the background as soon as the lease is free."""
        await self._lease.prepare()
        self._task = asyncio.create_task(self._run(), name="change log")

    async def stop(self) -> None:
        """Ends the following; what was handled is noted, so that the next process goes on right there."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    @property
    def lag(self) -> float:
        """Seconds that this process is behind the writes: of the oldest change in hand, else of the last look for one.

        0 where another process follows the log.
        """
        if not self.following:
            return 0.0
        if self._read_to is not None and self._passed is not None and self._passed < self._read_to:
            return max(0.0, time.time() - self._passed.time)
        return time.monotonic() - self._read_at

    @property
    def reached(self) -> Timestamp | None:
        """Up to which change all has been handled, where this process follows the log; None elsewhere."""
        return self._passed if self.following else None

    async def passed(self, cluster_time: Timestamp, timeout: float = 5.0) -> bool:  # noqa: ASYNC109 - a plain limit
        """Waits until every change up to `cluster_time` has been handled, here or elsewhere; False on `timeout`."""
        try:
            async with asyncio.timeout(timeout):
                while not await self._has_passed(cluster_time):
                    pass
        except TimeoutError:
            return False
        return True

    async def _has_passed(self, cluster_time: Timestamp) -> bool:
        if self.following:
            if self._passed is not None and self._passed >= cluster_time:
                return True
            moved = self._moved
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(moved.wait(), 1.0)
            return False
        stored = await self._lease.read()
        if stored is not None and stored.get("clusterTime") is not None and stored["clusterTime"] >= cluster_time:
            return True
        await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                position = await self._lease.acquire()
                if position is None:
                    failures = 0
                    await asyncio.sleep(_STANDBY_SECONDS)
                    continue
                began = time.monotonic()
                try:
                    await self._follow(position)
                finally:
                    if time.monotonic() - began > 2 * _RETRY_SECONDS[-1]:
                        failures = 0
            except LeaseLost as lost:
                logger.warning("another process follows the change log now: %s", lost)
            except (Exception, BaseExceptionGroup) as error:
                if isinstance(error, BaseExceptionGroup) and error.subgroup(asyncio.CancelledError):
                    raise
                pause = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                logger.exception("the change log stopped; it is taken up again in %s s", pause)
                await asyncio.sleep(pause)

    async def _follow(self, position: Position) -> None:
        self._queue.clear()
        self._token, self._token_is_new = position.token, False
        self._passed = self._read_to = position.cluster_time
        self._read_at = time.monotonic()
        begun: list[Consumer] = []
        try:
            stream, position = await self._opened(position)
            async with stream, asyncio.TaskGroup() as group:
                group.create_task(self._keep_lease())
                for consumer in self._consumers:
                    begun.append(consumer)
                    await consumer.begin(position, self._lease)
                logger.info("this process (%s) follows the change log", self._lease.holder)
                self.following = True
                group.create_task(self._read(stream))
                group.create_task(self._apply())
        except BaseExceptionGroup as errors:
            if errors.subgroup(LeaseLost) is not None:
                raise LeaseLost(str(errors.exceptions[0])) from None
            raise
        finally:
            self.following = False
            # Noted first: what a consumer keeps until the position has passed it, it can let go of when it ends.
            await self._note()
            for consumer in begun:
                await consumer.end()
            await self._give_back()

    async def _note(self) -> None:
        """Notes how far it came, if it still has the lease and MongoDB answers."""
        if self._lease.held and self._token is not None:
            with contextlib.suppress(PyMongoError, LeaseLost, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._lease.keep(self._token, self._passed)

    async def _give_back(self) -> None:
        if self._lease.held:
            with contextlib.suppress(PyMongoError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._lease.release()

    async def _opened(self, position: Position) -> tuple[AsyncChangeStream[Document], Position]:
        try:
            return await open_stream(self._stream_client, self._collections, position), position
        except OperationFailure as error:
            if error.code not in _HISTORY_LOST:
                raise
            reason = f"MongoDB has forgotten the changes since then ({error.details or error})"
        position = await self._lease.record_gap(position, reason)
        logger.critical(
            "CHANGES ARE LOST to notifications and history: the log was left for longer than MongoDB's oplog goes back."
            " It goes on from now; the gap is noted in the collection changelog. Enlarge the oplog. %s",
            reason,
        )
        return await open_stream(self._stream_client, self._collections, position), position

    async def _read(self, stream: AsyncChangeStream[Document]) -> None:
        fetched = 0.0
        while stream.alive:
            if len(self._queue) >= _QUEUED:
                self._drained.clear()
                await self._drained.wait()
            asked = time.monotonic()
            event = await stream.try_next()
            self._read_at = time.monotonic()
            if event is not None:
                change = decode(event)
                self._queue.append(plain(event["_id"]) if change is None else change)
                self._read_to = event["clusterTime"]
            elif stream.resume_token is not None:
                self._queue.append(plain(stream.resume_token))
            self._filled.set()
            if self._read_at - asked >= _AT_HAND_SECONDS:
                # MongoDB was asked. Where changes come thick and fast, let some gather: a command costs the same.
                pause, fetched = fetched + _GATHER_SECONDS - self._read_at, self._read_at
                if pause > 0:
                    await asyncio.sleep(pause)
        raise RuntimeError("MongoDB closed the change stream")

    async def _apply(self) -> None:
        while True:
            if not self._queue:
                self._filled.clear()
                await self._filled.wait()
            batch: list[Change] = []
            token: Document | None = None
            cluster_time: Timestamp | None = None
            while self._queue and len(batch) < _BATCH:
                one = self._queue.popleft()
                if isinstance(one, dict):
                    token, cluster_time = one, token_time(one)
                else:
                    batch.append(one)
                    token, cluster_time = one.token, one.cluster_time
            self._drained.set()
            stopped = False
            if batch:
                stopped = await self._hand_over(batch)
                self._token_is_new = True
            self._token = token
            if cluster_time is not None:
                self._passed = cluster_time
                self._moved.set()
                self._moved = asyncio.Event()
            if stopped:
                raise asyncio.CancelledError

    async def _hand_over(self, batch: list[Change]) -> bool:
        """Has all consumers take the batch; whether the following was stopped meanwhile.

        Each waits for the disk; a slow one holds up the next batch, but not the others with this one. A stop gives them
        a moment: what was broken off half-way would be done again by the next process, and sent twice.
        """
        handling = [asyncio.create_task(consumer.handle(batch)) for consumer in self._consumers]
        stopped = False
        if handling:
            try:
                await asyncio.wait(handling)
            except asyncio.CancelledError:
                stopped = True
                _, late = await asyncio.wait(handling, timeout=_LEAVE_SECONDS)
                for task in late:
                    task.cancel()
                if late:
                    await asyncio.wait(late)
                    raise
        for task in handling:
            task.result()
        return stopped

    async def _keep_lease(self) -> None:
        """Renews the lease in time; moves the stored position on soon after changes, seldom without any."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            if self._token_is_new or time.monotonic() - renewed > self._lease.seconds / 3:
                renewed = time.monotonic()
                self._token_is_new = False
                await self._lease.keep(self._token, self._passed)
