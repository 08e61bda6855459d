"""Create, clone, retrieve, update, delete and purge snapshots (5.16), and their use by other operations (5.5.15)."""

import logging
from dataclasses import dataclass
from dataclasses import replace as with_
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient

from broker.contexts import Contexts
from broker.history.copying import Copying
from broker.history.history import History
from broker.snapshots.directory import Directory, Place
from broker.snapshots.notices import Notices
from broker.snapshots.preparation import Preparation, Reader
from broker.snapshots.records import Records, snapshot_of
from broker.snapshots.upkeep import Upkeep
from broker.store.mongo import MongoStore
from broker.store.store import StoreUnavailable
from broker.store.tenants import nonexistent_tenant
from ngsi_ld import snapshot as members_of
from ngsi_ld.context import Context
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.errors import ErrorType, NgsiLdError, not_found
from ngsi_ld.snapshot import Snapshot, Status

logger = logging.getLogger(__name__)


class NoRoom(Exception):
    """The tenant has as many snapshots as it may have, and none that is less important than the new one."""


class BeingPrepared(Exception):
    """The snapshot has no data yet."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`number` of snapshots in a tenant, `entities` in each; lifetimes in seconds; how many are `prepared` at once."""

    number: int = 20
    entities: int = 100_000
    lifetime: float = 86400.0
    longest: float = 30 * 86400.0
    prepared: int = 2


class Snapshots:
    """The snapshots of all tenants, in one process. `start` has it do what is to be done in the background."""

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        store: MongoStore,
        contexts: Contexts,
        records: Records,
        directory: Directory,
        notices: Notices,
        history: tuple[History, Copying] | None,
        limits: Limits,
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._records = records
        self._directory = directory
        self._notices = notices
        self._limits = limits
        self._upkeep = Upkeep(client, store, records, directory, notices, prepared=limits.prepared)
        self._preparation = partial(Preparation, client, store.indexes, records, history, most=limits.entities)

    async def start(self, reader: Reader) -> None:
        """Prepares snapshots from now on, those that another process left too, and clears away those that are over."""
        await self._records.prepare()
        await self._notices.prepare()
        self._upkeep.start(self._preparation(reader))

    async def close(self) -> None:
        """Ends the background work; another process takes it up."""
        await self._upkeep.close()
        await self._notices.close()

    async def open(self, tenant: str, snapshot_id: str, now: str) -> str:
        """The name by which the data of a snapshot is addressed, as that of a tenant is; it counts as used.

        ResourceNotFound where there is none, `BeingPrepared` where it is not ready.
        """
        document = await self._records.get(tenant, snapshot_id, now)
        if document["status"] == Status.PREPARING.value:
            raise BeingPrepared(f"the snapshot {snapshot_id} is being prepared: ask again in a moment")
        space = f"@{document['_id']}"
        self._directory.note(space, Place(tenant, snapshot_id))
        self._upkeep.used[document["_id"]] = now
        return space

    async def create(self, tenant: str, body: Any, context: Context, now: str) -> str:
        """Create Snapshot (5.16.1): its id; the queries in it have been looked into. AlreadyExists, `NoRoom`."""
        given_id, members = members_of.new_members(body)
        return await self._add(tenant, given_id, members, await self._contexts.host(tenant, context), None, now)

    async def clone(self, tenant: str, source_id: str, body: Any, now: str) -> str:
        """Clone Snapshot (5.16.2): the id of the clone. ResourceNotFound, AlreadyExists, `NoRoom`."""
        given_id, members = members_of.clone_members(body)
        source = await self._records.get(tenant, source_id, now)
        return await self._add(tenant, given_id, members, source["context"], source["_id"], now)

    async def retrieve(self, tenant: str, snapshot_id: str, now: str) -> tuple[Snapshot, str]:
        """Retrieve Snapshot Status (5.16.3): it, and the URL of its @context."""
        document = await self._records.get(tenant, snapshot_id, now)
        used = self._upkeep.used.get(document["_id"], "")
        snapshot = snapshot_of(document)
        return with_(snapshot, last_used_at=max(snapshot.last_used_at, used)), document["context"]

    async def update(self, tenant: str, snapshot_id: str, fragment: Any, now: str) -> tuple[Snapshot, str]:
        """Update Snapshot Status (5.16.4): as it is then, and the URL of its @context."""
        while True:
            document = await self._records.get(tenant, snapshot_id, now)
            before = snapshot_of(document)
            members = members_of.updated_members(before, fragment)
            self._notices.check(members)
            after = with_(before, members=members, modified_at=max(now, before.modified_at))
            if "snapshotLifetime" in fragment:
                after = with_(after, expires_at=self._expiry(members, now))
            if await self._records.replace_members(document, after):
                await self._notices.tell(document["_id"], tenant, after)
                return after, document["context"]

    async def delete(self, tenant: str, snapshot_id: str, now: str) -> None:
        """Delete Snapshot (5.16.5), with its data."""
        document = await self._records.get(tenant, snapshot_id, now)
        if not await self._upkeep.remove(document["_id"]):
            raise not_found(f"there is no snapshot {snapshot_id}")

    async def purge(self, tenant: str, text: str, now: str) -> tuple[list[str], dict[str, NgsiLdError]]:
        """Purge Snapshots (5.16.7): the ids of those deleted, and those that could not be.

        ResourceNotFound where the query selects none.
        """
        condition = members_of.parse_purge_query(text)
        documents = [one for one in await self._records.of_tenant(tenant) if one["expiresAt"] > now]
        chosen = [one for one in documents if members_of.selected(condition, snapshot_of(one), now)]
        if not chosen:
            raise not_found("q selects no snapshot")
        done: list[str] = []
        failed: dict[str, NgsiLdError] = {}
        for one in chosen:
            try:
                await self._upkeep.remove(one["_id"])
                done.append(one["s"])
            except StoreUnavailable as error:
                failed[one["s"]] = NgsiLdError(ErrorType.INTERNAL_ERROR, str(error))
        return done, failed

    async def _add(
        self, tenant: str, given_id: str | None, members: dict[str, Any], context: str, source: str | None, now: str
    ) -> str:
        if self._limits.number == 0:
            raise NgsiLdError(ErrorType.OPERATION_NOT_SUPPORTED, "this broker makes none: BEFFROI_SNAPSHOTS is 0")
        if not await self._store.tenant_exists(tenant):
            raise nonexistent_tenant(tenant)
        self._notices.check(members)
        snapshot = Snapshot(
            given_id or f"urn:ngsi-ld:Snapshot:{uuid4()}",
            members,
            Status.PREPARING,
            now,
            now,
            self._expiry(members, now),
            now,
        )
        token = await self._records.add(tenant, snapshot, context, source)
        await self._make_room(tenant, token, snapshot)
        document = await self._records.with_token(token)
        if document is not None:
            self._upkeep.begin(document)
        return snapshot.id

    async def _make_room(self, tenant: str, token: str, new: Snapshot) -> None:
        """Deletes what is too many (5.5.15): the least important first, of those the one longest unused.

        Nothing goes that is more important than the new one; then that is refused.
        """
        documents = await self._records.of_tenant(tenant)
        excess = len(documents) - self._limits.number
        if excess <= 0:
            return
        others = [one for one in documents if one["_id"] != token and one["priority"] <= new.priority]
        if len(others) < excess:
            await self._records.delete(token)
            raise NoRoom(
                f"there are {self._limits.number} snapshots, as many as may be, and none has a priority of"
                f" {new.priority} or less: delete one, or give this one a higher snapshotPriority"
            )
        for one in others[:excess]:
            logger.info("the snapshot %s of tenant %r makes room for %s", one["s"], tenant, new.id)
            await self._upkeep.remove(one["_id"])

    def _expiry(self, members: dict[str, Any], now: str) -> str:
        asked = members_of.lifetime_of(members)
        seconds = self._limits.lifetime if asked is None else asked.approximate() / 1_000_000
        return format_date_time(datetime.fromisoformat(now) + timedelta(seconds=min(seconds, self._limits.longest)))
