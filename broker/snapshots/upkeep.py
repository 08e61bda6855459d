"""What has to be done for snapshots besides what is asked: prepare them, end them, clear away what nobody owns.

Every process does it. What is to be prepared is held by one at a time (see `records`), and taken up by another where
that one is not heard of any more; after `_ATTEMPTS` times it has failed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Coroutine
from dataclasses import replace as with_
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from broker.clock import now as clock
from broker.snapshots.directory import Directory
from broker.snapshots.notices import Notices
from broker.snapshots.preparation import Preparation, Result
from broker.snapshots.records import HELD_SECONDS, Document, Records, snapshot_of
from broker.store.mongo import MongoStore
from broker.store.store import StoreUnavailable
from broker.store.tenants import database_name, is_snapshot, tenant_of
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.snapshot import Snapshot, Status

logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_PAUSE_SECONDS = 1.0
_SWEEP_SECONDS = 60.0


class Upkeep:
    """The work of one process on the snapshots of all tenants; `prepared` are so many at a time."""

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        store: MongoStore,
        records: Records,
        directory: Directory,
        notices: Notices,
        *,
        prepared: int,
    ) -> None:
        self._client = client
        self._store = store
        self._records = records
        self._directory = directory
        self._notices = notices
        self._preparation: Preparation | None = None
        self._room = asyncio.Semaphore(prepared)
        self._tasks: set[asyncio.Task[None]] = set()
        self.used: dict[str, str] = {}
        """When snapshots were last used, by token, as far as that is not stored yet."""

    def start(self, preparation: Preparation) -> None:
        """Works from now on in the background."""
        self._preparation = preparation
        self._in_background(self._notices.run())
        self._in_background(self._keep_up())

    async def close(self) -> None:
        """Ends the work; another process takes it up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._note_uses()

    def begin(self, document: Document) -> None:
        """Prepares a snapshot that was just made."""
        self._in_background(self._prepare(document))

    async def remove(self, token: str) -> bool:
        """Deletes a snapshot with its data, and has its endpoint told; whether it was there."""
        document = await self._records.delete(token)
        if document is None:
            return False
        await self._notices.tell(token, document["t"], _gone(snapshot_of(document)), deleted=True)
        await self._drop(f"@{token}")
        return True

    async def _drop(self, space: str) -> None:
        try:
            await self._client.drop_database(database_name(space))
        except PyMongoError as error:
            logger.warning("the data of a deleted snapshot stays for a moment: %s", error)
        await self._forget(space)

    async def _forget(self, space: str) -> None:
        self._directory.forget(space)
        self.used.pop(space[1:], None)
        await self._store.forget(space)

    async def _prepare(self, document: Document) -> None:
        async with self._room:
            try:
                await self._prepare_now(document)
            except (StoreUnavailable, PyMongoError) as error:
                logger.warning("the preparation of a snapshot is begun again: %s", error)

    async def _prepare_now(self, document: Document) -> None:
        token = document["_id"]
        if await self._records.hold(token):  # else another process did not wait for this one to have the time
            if document["work"]["attempts"] > _ATTEMPTS:
                await self._store.create_tenant(f"@{token}")
                error = NgsiLdError(ErrorType.INTERNAL_ERROR, f"it was begun {_ATTEMPTS} times and never ended")
                details = [{"resultStatus": Status.FAILURE.value, "problemDetails": error.problem_details()}]
                await self._finished(document, Result(Status.FAILURE, details))
                return
            result = await self._held(token, self._run(document))
            if result is not None:
                await self._finished(document, result)

    async def _run(self, document: Document) -> Result:
        if self._preparation is None:
            raise RuntimeError("snapshots have not been started")
        return await self._preparation.run(document)

    async def _held(self, token: str, running: Awaitable[Result]) -> Result | None:
        """The result of a preparation, which is held meanwhile; None where it is broken off or for someone else."""
        work = asyncio.ensure_future(running)
        try:
            while True:
                await asyncio.wait([work], timeout=HELD_SECONDS / 3)
                if work.done():
                    return work.result()
                if not await self._records.hold(token):
                    break
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):
                await self._records.release(token)
            raise
        except (StoreUnavailable, PyMongoError):
            raise
        except Exception:
            logger.exception("the preparation of a snapshot is begun again")
        finally:
            work.cancel()
            await asyncio.wait([work])
        if await self._records.with_token(token) is None:
            await self._drop(f"@{token}")
        return None

    async def _finished(self, document: Document, result: Result) -> None:
        """Notes the result, and has the endpoint told; a snapshot that was deleted meanwhile leaves nothing."""
        token = document["_id"]
        done = await self._records.finish(token, result.status, result.details, result.temporal_details, clock())
        if done is None:
            if await self._records.with_token(token) is None:
                await self._drop(f"@{token}")
        else:
            await self._notices.tell(token, done["t"], snapshot_of(done))

    async def _keep_up(self) -> None:
        swept = 0.0
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self._note_uses()
                while not self._room.locked() and (left := await self._records.take()) is not None:
                    self._in_background(self._prepare(left))
                    await asyncio.sleep(0)
                while (over := await self._records.expired(clock())) is not None:
                    await self.remove(over["_id"])
                if loop.time() - swept > _SWEEP_SECONDS or not swept:
                    await self._sweep()
                    swept = loop.time()
            except (StoreUnavailable, PyMongoError) as error:
                logger.warning("snapshots are looked after later: %s", error)
            except Exception:
                logger.exception("snapshots are looked after later")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _sweep(self) -> None:
        """Drops databases that no snapshot owns, and forgets what other processes have deleted."""
        names = await self._client.list_database_names()
        spaces = [space for name in names if (space := tenant_of(name)) is not None and is_snapshot(space)]
        there = await self._records.there([space[1:] for space in {*spaces, *self._directory.known()}])
        for space in spaces:
            if space[1:] not in there:
                await self._drop(space)
        for space in self._directory.known():
            if space[1:] not in there:
                await self._forget(space)

    async def _note_uses(self) -> None:
        if self.used:
            used, self.used = self.used, {}
            try:
                await self._records.used(used)
            except StoreUnavailable:
                self.used = used | self.used

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _gone(snapshot: Snapshot) -> Snapshot:
    """As its deletion is told: one that never was ready has failed (5.3.4 knows no other status for it)."""
    return with_(snapshot, status=Status.FAILURE) if snapshot.status is Status.PREPARING else snapshot
