"""EntityMaps (5.5.14, 5.14): which entities a query is about, and which sources have them, kept for the pages to come.

    entityMaps        {_id: id, kind: "entities" | "temporal", expiresAt: "…", expiry: Date, asked: Binary,
                       linked: [[registration, map], …]}
    entityMapChunks   {_id: {m: map, n: number}, m: map, n: number, k: number of entries, expiry: Date,
                       s: [[source, …], …], e: [{i: entity id, s: position in `s`}]}

in the database of the tenant. A page of a map of any size costs the chunks that it stands on, and one look at the index
of their sizes. MongoDB deletes what has expired; it is not there from that moment on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from pymongo import ASCENDING, AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection

from broker.operations.collections import asking
from broker.store.tenants import database_name
from ngsi_ld.datetimes import checked_date_time, format_date_time, parse_date_time
from ngsi_ld.errors import not_found
from ngsi_ld.temporal.durations import Duration

Document = dict[str, Any]

MAPS = "entityMaps"
CHUNKS = "entityMapChunks"
ENTITIES, TEMPORAL = "entities", "temporal"
"""The kinds of maps: of entities as they are, and of their temporal evolution."""

_IN_A_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class EntityMap:
    """A map without its entries; `linked` are the maps of sources, by registration id.

    `asked` tells which selection of entities it was made for.
    """

    id: str
    kind: str
    expires_at: str
    linked: Mapping[str, str]
    asked: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An entity of a map: its id, the sources that have it (registration ids, @none), and the chunk it stands in."""

    id: str
    sources: tuple[str, ...]
    chunk: int


@dataclass(frozen=True, slots=True)
class Limits:
    """`number` of maps in a tenant, `entities` in each; lifetimes in seconds."""

    number: int = 1000
    entities: int = 500_000
    lifetime: float = 600.0
    longest: float = 86400.0


class EntityMaps:
    """The maps of all tenants."""

    def __init__(self, client: AsyncMongoClient[Any], limits: Limits) -> None:
        self._client = client
        self.limits = limits
        self._ready: set[str] = set()

    async def create(
        self,
        tenant: str,
        kind: str,
        entries: Mapping[str, Sequence[str]],
        linked: Mapping[str, str],
        lifetime: Duration | None,
        asked: bytes,
        now: str,
    ) -> EntityMap:
        """A map of the entities, in this order, each with its sources; the tenant exists."""
        seconds = self.limits.lifetime if lifetime is None else lifetime.approximate() / 1_000_000
        made = EntityMap(f"urn:ngsi-ld:EntityMap:{uuid4()}", kind, self._bounded(seconds, now), dict(linked), asked)
        expiry = parse_date_time(made.expires_at)
        document = {
            "_id": made.id,
            "kind": kind,
            "expiresAt": made.expires_at,
            "expiry": expiry,
            "linked": [list(pair) for pair in linked.items()],
            "asked": asked,
        }
        with asking():
            await self._prepare(tenant)
            chunks = list(_chunks(made.id, list(entries.items()), expiry))
            for start in range(0, len(chunks), 20):
                await self._chunks(tenant).insert_many(chunks[start : start + 20], ordered=False)
            # The map last: what is found is whole.
            await self._maps(tenant).insert_one(document)
            await self._make_room(tenant, made.id)
        return made

    async def find(self, tenant: str, map_id: str, now: str) -> EntityMap | None:
        """The map, None where there is none or it has expired."""
        with asking():
            found = await self._maps(tenant).find_one({"_id": map_id, "expiresAt": {"$gt": now}})
        if found is None:
            return None
        return EntityMap(found["_id"], found["kind"], found["expiresAt"], dict(found["linked"]), found["asked"])

    async def get(self, tenant: str, map_id: str, now: str) -> EntityMap:
        """Retrieve EntityMap (5.14.1), without its entries; ResourceNotFound."""
        found = await self.find(tenant, map_id, now)
        if found is None:
            raise not_found(f"there is no EntityMap {map_id}, or it has expired")
        return found

    async def entries(self, tenant: str, map_id: str, *, offset: int = 0, limit: int | None = None) -> list[Entry]:
        """The entries from a place on, in order; all of them without `limit`."""
        with asking():
            numbers: list[int] = []
            first, skipped, wanted = offset, None, limit
            index = {"_id": 0, "n": 1, "k": 1}
            sizes = self._chunks(tenant).find({"m": map_id}, index, sort=[("n", ASCENDING)])
            async for size in sizes:
                if first >= size["k"]:
                    first -= size["k"]
                    continue
                if skipped is None:
                    skipped = first
                    wanted = None if limit is None else limit + first
                first = 0
                numbers.append(size["n"])
                if wanted is not None:
                    wanted -= size["k"]
                    if wanted <= 0:
                        break
            if not numbers:
                return []
            chunks = self._chunks(tenant).find({"m": map_id, "n": {"$in": numbers}}, sort=[("n", ASCENDING)])
            found = [entry async for chunk in chunks for entry in _entries(chunk)]
        start = skipped or 0
        return found[start:] if limit is None else found[start : start + limit]

    async def entries_of(self, tenant: str, map_id: str, ids: Sequence[str]) -> list[Entry]:
        """The entries of these entities, as far as the map has them, in its order."""
        wanted = frozenset(ids)
        with asking():
            chunks = self._chunks(tenant).find({"m": map_id, "e.i": {"$in": list(wanted)}}, sort=[("n", ASCENDING)])
            return [entry async for chunk in chunks for entry in _entries(chunk) if entry.id in wanted]

    async def sources(self, tenant: str, map_id: str, entity_id: str) -> tuple[str, ...] | None:
        """The sources of one entity, None where the map does not have it."""
        found = await self.entries_of(tenant, map_id, [entity_id])
        return found[0].sources if found else None

    async def remove(self, tenant: str, map_id: str, entries: Sequence[Entry]) -> None:
        """Takes entries out: entities that the query does not select any more (5.5.9.3)."""
        by_chunk: dict[int, list[str]] = {}
        for entry in entries:
            by_chunk.setdefault(entry.chunk, []).append(entry.id)
        with asking():
            for number, ids in by_chunk.items():
                kept = {"$filter": {"input": "$e", "cond": {"$not": {"$in": ["$$this.i", {"$literal": ids}]}}}}
                await self._chunks(tenant).update_one(
                    {"m": map_id, "n": number}, [{"$set": {"e": kept}}, {"$set": {"k": {"$size": "$e"}}}]
                )

    async def link(self, tenant: str, one: EntityMap, linked: Mapping[str, str]) -> EntityMap:
        """The map, with the maps that sources have made for it since (5.7.1.4)."""
        if dict(linked) == dict(one.linked):
            return one
        with asking():
            pairs = [list(pair) for pair in linked.items()]
            await self._maps(tenant).update_one({"_id": one.id}, {"$set": {"linked": pairs}})
        return with_(one, linked=dict(linked))

    async def update(self, tenant: str, map_id: str, expires_at: Any, now: str) -> None:
        """Update EntityMap (5.14.2): its expiry, which is all that others than its maker may change (5.5.14)."""
        found = await self.get(tenant, map_id, now)
        asked = datetime.fromisoformat(checked_date_time(expires_at, "expiresAt"))
        bounded = self._bounded((asked - datetime.fromisoformat(now)).total_seconds(), now)
        change = {"$set": {"expiry": parse_date_time(bounded)}}
        with asking():
            await self._chunks(tenant).update_many({"m": found.id}, change)
            await self._maps(tenant).update_one({"_id": found.id}, {"$set": {**change["$set"], "expiresAt": bounded}})

    async def delete(self, tenant: str, map_id: str, now: str) -> None:
        """Delete EntityMap (5.14.3); ResourceNotFound."""
        await self.get(tenant, map_id, now)
        with asking():
            await self._delete(tenant, [map_id])

    def _bounded(self, seconds: float, now: str) -> str:
        longest = timedelta(seconds=min(seconds, self.limits.longest))
        return format_date_time(datetime.fromisoformat(now) + longest)

    async def _make_room(self, tenant: str, map_id: str) -> None:
        """Deletes the maps that are too many, those first that expire first."""
        excess = await self._maps(tenant).count_documents({}) - self.limits.number
        if excess > 0:
            oldest = self._maps(tenant).find({"_id": {"$ne": map_id}}, {"_id": 1}, sort=[("expiry", 1)], limit=excess)
            await self._delete(tenant, [one["_id"] async for one in oldest])

    async def _delete(self, tenant: str, map_ids: Sequence[str]) -> None:
        await self._maps(tenant).delete_many({"_id": {"$in": list(map_ids)}})
        await self._chunks(tenant).delete_many({"m": {"$in": list(map_ids)}})

    def _maps(self, tenant: str) -> AsyncCollection[Document]:
        return self._client[database_name(tenant)].get_collection(MAPS, write_concern=WriteConcern(w="majority"))

    def _chunks(self, tenant: str) -> AsyncCollection[Document]:
        return self._client[database_name(tenant)].get_collection(CHUNKS, write_concern=WriteConcern(w="majority"))

    async def _prepare(self, tenant: str) -> None:
        if tenant not in self._ready:
            expiry = IndexModel([("expiry", ASCENDING)], expireAfterSeconds=0)
            await self._maps(tenant).create_indexes([expiry])
            sizes = IndexModel([("m", ASCENDING), ("n", ASCENDING), ("k", ASCENDING)])
            await self._chunks(tenant).create_indexes([expiry, sizes])
            self._ready.add(tenant)


def _chunks(map_id: str, entries: Sequence[tuple[str, Sequence[str]]], expiry: Any) -> Iterator[Document]:
    for number, start in enumerate(range(0, len(entries), _IN_A_CHUNK)):
        some = entries[start : start + _IN_A_CHUNK]
        sources = list(dict.fromkeys([tuple(one) for _, one in some]))
        positions = {one: position for position, one in enumerate(sources)}
        listed = [{"i": entity_id, "s": positions[tuple(one)]} for entity_id, one in some]
        chunk = {"_id": {"m": map_id, "n": number}, "m": map_id, "n": number, "k": len(some), "expiry": expiry}
        yield chunk | {"s": [list(one) for one in sources], "e": listed}


def _entries(chunk: Document) -> Iterator[Entry]:
    sources = [tuple(one) for one in chunk["s"]]
    for entry in chunk["e"]:
        yield Entry(entry["i"], sources[entry["s"]], chunk["n"])
