"""The collections of a tenant's history, in the tenant's database.

    historyLog       {_id: "ENTITY\\n…", e: entity, r: [row, …]}      one per change, as recorded; packed later
    history          one per bucket of rows, see `buckets`
    historySums      one per day of hourly sums or month of daily ones, see `sums`
    historyEntities  {_id: entity, types: [IRI], series: [KEY], createdAt: "…", modifiedAt: "…", deletedAt: "…"}

The `_id` of what was recorded has the change's cluster time in it, so a change that the log hands over again is found
to be there already; that of what a client provided has a number of its own.
"""

from typing import Any

from bson import Timestamp
from pymongo import ASCENDING, AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import CollectionInvalid, OperationFailure

from broker.store.tenants import database_name

LOG = "historyLog"
BUCKETS = "history"
SUMS = "historySums"
ENTITIES = "historyEntities"

Collection = AsyncCollection[dict[str, Any]]

_COMPRESSED: dict[str, Any] = {"storageEngine": {"wiredTiger": {"configString": "block_compressor=zstd"}}}
_NAMESPACE_EXISTS = 48
PROVIDED = "\np"
"""What follows the entity in the `_id` of what was provided."""
_AFTER_ALL = "\x0b"
"""What follows the newline, so that the range from ENTITY + newline to ENTITY + this has all of an entity."""

LAZY = WriteConcern(w=1)
"""For what the log would hand over again: its position is written after it, journaled, which journals it too."""


class Collections:
    """The collections, by tenant; made when a process first writes to them."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]]) -> None:
        self._client = client
        self._made: set[str] = set()

    @property
    def client(self) -> AsyncMongoClient[dict[str, Any]]:
        """The client, for transactions."""
        return self._client

    def log(self, tenant: str) -> Collection:
        """The changes as recorded."""
        return self._client[database_name(tenant)][LOG]

    def buckets(self, tenant: str) -> Collection:
        """The packed rows."""
        return self._client[database_name(tenant)][BUCKETS]

    def sums(self, tenant: str) -> Collection:
        """The sums of what is not kept value by value any more."""
        return self._client[database_name(tenant)][SUMS]

    def entities(self, tenant: str) -> Collection:
        """The entities that have a history."""
        return self._client[database_name(tenant)][ENTITIES]

    async def make(self, tenant: str) -> None:
        """Creates them if they are not there."""
        if tenant in self._made:
            return
        database = self._client[database_name(tenant)]
        for name in (LOG, BUCKETS, SUMS, ENTITIES):
            try:
                await database.create_collection(name, check_exists=False, **_COMPRESSED)
            except (CollectionInvalid, OperationFailure) as error:
                if isinstance(error, OperationFailure) and error.code != _NAMESPACE_EXISTS:
                    raise
        series = IndexModel([("e", ASCENDING), ("a", ASCENDING), ("w", ASCENDING)], name="series")
        for name in (BUCKETS, SUMS):
            await database[name].create_indexes([series])
        await database[ENTITIES].create_indexes([IndexModel([("types", ASCENDING), ("_id", ASCENDING)], name="types")])
        self._made.add(tenant)

    def forget(self, tenant: str) -> None:
        """The tenant was dropped: what is known of it holds no more."""
        self._made.discard(tenant)


def recorded_id(entity_id: str, cluster_time: Timestamp) -> str:
    """The `_id` of a recorded change of an entity."""
    return f"{entity_id}\n{cluster_time.time:08x}{cluster_time.inc:08x}"


def provided_id(entity_id: str, at: int, number: str) -> str:
    """The `_id` of what a client provided at a time, in microseconds."""
    return f"{entity_id}{PROVIDED}{at:014x}{number}"


def min_ids_at(entity_id: str, since: int) -> tuple[str, str]:
    """What the `_id`s of changes and of what was provided are not less than from a time on, in seconds since 1970."""
    return f"{entity_id}\n{since:08x}", provided_id(entity_id, since * 1_000_000, "")


def of_entity(entity_id: str) -> dict[str, Any]:
    """The condition on `_id` for all of an entity."""
    return {"$gt": f"{entity_id}\n", "$lt": f"{entity_id}{_AFTER_ALL}"}


def cluster_time_of(log_id: str) -> Timestamp | None:
    """The cluster time in an `_id`; None for what was provided."""
    mark = log_id.rpartition("\n")[2]
    if mark.startswith(PROVIDED[1:]):
        return None
    return Timestamp(int(mark[:8], 16), int(mark[8:], 16))
