"""Packing: what was recorded or provided row by row goes into buckets, in the background.

An entity is packed when enough of it waits, or when what waits is old. Rows move from the log into their buckets in
one transaction, so that a reader or a crash sees them in the one place or in the other. A change that the log could
still hand over again is not packed yet: its document is what tells that it has been recorded.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

from broker.changelog.position import Lease
from broker.history.buckets import MOST, group, pack, unpack
from broker.history.collections import PROVIDED, Collections, cluster_time_of, min_ids_at, of_entity
from broker.history.rows import Document, Row
from broker.history.sweeping import Retention
from broker.history.turns import Turns

logger = logging.getLogger(__name__)

_PAUSE_SECONDS = 20.0
_SWEEP_SECONDS = 3600.0
_ENOUGH = 100
_OLD_SECONDS = 6 * 3600
_AT_ONCE = 2000


class Packer:
    """Packs what waits in all tenants while `start` holds; `merge` packs what its caller has at hand."""

    def __init__(
        self,
        collections: Collections,
        tenants: Callable[[], Awaitable[Sequence[str]]],
        retention: Retention | None = None,
    ) -> None:
        self._collections = collections
        self._tenants = tenants
        self._retention = retention
        self._swept = -math.inf
        self.turns = Turns()
        """Whose turn it is to rewrite the rows of an entity."""
        self._task: asyncio.Task[None] | None = None

    def start(self, lease: Lease) -> None:
        """Packs from now on in the background."""
        self._task = asyncio.create_task(self._run(lease), name="packing of history")

    async def stop(self) -> None:
        """Packs no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def pack_waiting(self, tenant: str, lease: Lease, *, everything: bool = False) -> int:
        """Packs the entities of a tenant of which enough waits, or all; the number of entities."""
        log = self._collections.log(tenant)
        number = 0
        since = int(time.time()) - _OLD_SECONDS
        is_provided = {"$gte": ["$_id", {"$concat": ["$e", PROVIDED]}]}
        first = {
            "recorded": {"$min": {"$cond": [is_provided, None, "$_id"]}},
            "provided": {"$min": {"$cond": [is_provided, "$_id", None]}},
        }
        stages: list[Document] = [{"$group": {"_id": "$e", "n": {"$sum": 1}, **first}}]
        async for waiting in await log.aggregate(stages, allowDiskUse=True):
            old = min_ids_at(waiting["_id"], since)
            is_old = any((waiting[name] or last) < last for name, last in zip(first, old, strict=True))
            if everything or waiting["n"] >= _ENOUGH or is_old:
                await self.pack_entity(tenant, waiting["_id"], lease)
                number += 1
        return number

    async def pack_entity(self, tenant: str, entity_id: str, lease: Lease) -> None:
        """Moves what waits of an entity into buckets, as far as it is certain not to be recorded again."""
        log = self._collections.log(tenant)
        saved = lease.saved

        async def move(session: AsyncClientSession) -> None:
            waiting = await log.find({"_id": of_entity(entity_id)}, session=session, limit=_AT_ONCE).to_list()
            ready = [
                one
                for one in waiting
                if (recorded := cluster_time_of(one["_id"])) is None or (saved is not None and recorded <= saved)
            ]
            if not ready:
                return
            await self.merge(tenant, entity_id, [row for one in ready for row in one["r"]], session)
            await log.delete_many({"_id": {"$in": [one["_id"] for one in ready]}}, session=session)

        async with self.turns.of(tenant, entity_id), self._collections.client.start_session() as session:
            await session.with_transaction(move)

    async def merge(self, tenant: str, entity_id: str, rows: Sequence[Row], session: AsyncClientSession) -> None:
        """Puts rows into the buckets of an entity, in the transaction of the session."""
        buckets = self._collections.buckets(tenant)
        if not rows:
            return
        groups = {group(row) for row in rows}
        open_ones: Document = {
            "e": entity_id,
            "a": {"$in": sorted({one[0] for one in groups})},
            "w": {"$gte": min(one[3] for one in groups), "$lte": max(one[3] for one in groups)},
            "n": {"$lt": MOST},
        }
        merged = list(rows)
        replaced: list[Any] = []
        async for bucket in buckets.find(open_ones, session=session):
            if (bucket["a"], bucket.get("d"), bucket["k"], bucket["w"], bucket["o"]) in groups:
                merged += unpack(bucket)
                replaced.append(bucket["_id"])
        if replaced:
            await buckets.delete_many({"_id": {"$in": replaced}}, session=session)
        await buckets.insert_many(list(pack(entity_id, merged)), session=session)
        # Readers that look at the log and at the buckets tell by it whether rows moved in between.
        entities = self._collections.entities(tenant)
        await entities.update_one({"_id": entity_id}, {"$inc": {"moves": 1}}, session=session)

    async def _run(self, lease: Lease) -> None:
        took = 0.0
        while True:
            # The more there is to look through, the seldomer: at most a twentieth of the time.
            await asyncio.sleep(max(_PAUSE_SECONDS, 20 * took))
            began = time.monotonic()
            try:
                sweeps = self._retention is not None and time.monotonic() - self._swept > _SWEEP_SECONDS
                for tenant in await self._tenants():
                    await self.pack_waiting(tenant, lease)
                    if self._retention is not None and sweeps:
                        self._swept = time.monotonic()
                        await self._retention.sweep(tenant, time.time_ns() // 1000, self.turns)
            except PyMongoError as error:
                logger.warning("the history is packed later: %s", error)
            except Exception:
                logger.exception("the history is packed later")
            took = time.monotonic() - began
