"""The loop that follows the log: hold the lease, read, hand batches to the consumers, move the position on.

    log = ChangeLog(client, [notifier])
    await log.start()     # from here on every write is seen, whoever follows the log
    ...
    await log.stop()      # gives the lease back: another process goes on at once

Any number of processes start one; one of them follows the log, the others stand by. The position moves on only when
every consumer has returned from a batch, so a crash at any moment means that some changes are handed over again, never
that one is missed: consumers make their effects idempotent by the change's cluster time, tenant and id.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from bson import Timestamp
from pymongo import AsyncMongoClient
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from broker.changelog.changes import Change, Document
from broker.changelog.lane import Consumer, Lane
from broker.changelog.position import Lease, LeaseLost, Position
from broker.changelog.stream import decode, open_stream, plain
from broker.ending import ended
from broker.store.tenants import ENTITIES

__all__ = ["ChangeLog", "Consumer"]

logger = logging.getLogger(__name__)

_STANDBY_SECONDS = 0.5
_SAVE_SECONDS = 0.1
_SAVE_SOONEST_SECONDS = 0.02
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_POLL_SECONDS = 0.01
_GATHER_SECONDS = 0.008
_AT_HAND_SECONDS = 0.0001
_UNHURRIED_SECONDS = 0.1
_LEAVE_SECONDS = 2.0
_HISTORY_LOST = frozenset({136, 222, 280, 286})
"""CappedPositionLost, CloseChangeStream, ChangeStreamFatalError, ChangeStreamHistoryLost."""


class ChangeLog:
    """The change log of one deployment, in one process.

    `unhurried` are consumers that changes of entities may reach 0.1 s late, so that more come at a time; changes of
    other documents hurry them. `collections` are watched besides the entities. `lease_seconds` is the time after which
    a process that died without a word is replaced. `stream_client`, one whose `document_class` is RawBSONDocument,
    leaves the images of changes that concern nobody undecoded.
    """

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        consumers: Sequence[Consumer],
        *,
        unhurried: Sequence[Consumer] = (),
        collections: Sequence[str] = ("subscriptions", "notificationCommands"),
        lease_seconds: float = 3.0,
        stream_client: AsyncMongoClient[Any] | None = None,
    ) -> None:
        self._client = client
        self._stream_client = stream_client or client
        self._consumers = consumers
        self._unhurried = unhurried
        self._collections = (ENTITIES, *collections)
        self._lease = Lease(client, seconds=lease_seconds)
        self._task: asyncio.Task[None] | None = None
        self._lanes: list[Lane] = []
        self._passed: Timestamp | None = None
        self._moved = asyncio.Event()
        self._token: Document | None = None
        self._token_is_new = False
        self._awaited = asyncio.Event()
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
            await ended(self._task)
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
        self._token, self._token_is_new = None, False
        begun: list[Consumer] = []
        try:
            stream, position = await self._opened(position)
            self._token = position.token
            self._passed = self._read_to = position.cluster_time
            self._read_at = time.monotonic()
            self._lanes = [Lane(self._consumers, 0.0, position, self._lane_moved)]
            if self._unhurried:
                self._lanes.append(Lane(self._unhurried, _UNHURRIED_SECONDS, position, self._lane_moved))
            async with stream, asyncio.TaskGroup() as group:
                group.create_task(self._keep_lease())
                for consumer in (*self._consumers, *self._unhurried):
                    begun.append(consumer)
                    await consumer.begin(position, self._lease)
                logger.info("this process (%s) follows the change log", self._lease.holder)
                self.following = True
                group.create_task(self._read(stream))
                for lane in self._lanes:
                    group.create_task(lane.run())
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
            for lane in self._lanes:
                await lane.room()
            asked = time.monotonic()
            event = await stream.try_next()
            self._read_at = time.monotonic()
            if event is not None:
                self._add(decode(event) or plain(event["_id"]))
                self._read_to = event["clusterTime"]
            elif stream.resume_token is not None:
                self._add(plain(stream.resume_token))
            if self._read_at - asked >= _AT_HAND_SECONDS:
                # MongoDB was asked. Where changes come thick and fast, let some gather: a command costs the same.
                pause, fetched = fetched + _GATHER_SECONDS - self._read_at, self._read_at
                if pause > 0:
                    await asyncio.sleep(pause)
        raise RuntimeError("MongoDB closed the change stream")

    def _add(self, entry: Change | Document) -> None:
        for lane in self._lanes:
            lane.add(entry)

    def _lane_moved(self, handled: bool, hurried: bool) -> None:
        """The log is as far as its slowest lane; what came in a hurry others may wait to see noted."""
        slowest = min(self._lanes, key=lambda lane: lane.place)
        if slowest.token is self._token:
            return
        self._token = slowest.token
        self._token_is_new = self._token_is_new or handled
        if slowest.passed != self._passed:
            self._passed = slowest.passed
            self._moved.set()
            self._moved = asyncio.Event()
        if hurried:
            self._awaited.set()

    async def _keep_lease(self) -> None:
        """Renews the lease in time; moves the stored position on soon after changes, seldom without any."""
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(_SAVE_SOONEST_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SAVE_SECONDS - _SAVE_SOONEST_SECONDS):
                    await self._awaited.wait()
            self._awaited.clear()
            if self._token_is_new or time.monotonic() - renewed > self._lease.seconds / 3:
                renewed = time.monotonic()
                self._token_is_new = False
                await self._lease.keep(self._token, self._passed)
