"""Stored @contexts in MongoDB: collection `contexts`, of each tenant's database for its own, of the default one for
what was fetched.

    {_id: local id, url: "https://…", kind: "Cached" | "Hosted" | "ImplicitlyCreated", context: Binary (JSON),
     createdAt: 1795453320.5, freshUntil: …?, etag: …?, lastModified: …?, hits: 0, lastUsage: 1795453321.0?,
     expiry: Date? (when MongoDB drops an unused fetched document)}

The context is kept as JSON text: its keys, which are names and IRIs, are no business of the database.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pymongo
from pymongo import ASCENDING, ReturnDocument, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from broker.contexts.documents import Document, Kind
from broker.contexts.settings import ContextSettings
from broker.store.store import StoreUnavailable

COLLECTION = "contexts"

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """How often a document was found and when last, as a Unix time."""

    document: Document
    hits: int
    last: float


@dataclass(frozen=True, slots=True)
class Stored:
    """A document with how it was used so far."""

    document: Document
    hits: int
    last_usage: float | None


class Storage:
    """The stored @contexts of all tenants; `database` gives that of a tenant, `""` being the default one.

    Every method raises StoreUnavailable while the database is away.
    """

    def __init__(self, database: Callable[[str], AsyncDatabase[Record]], settings: ContextSettings) -> None:
        self._database = database
        self._settings = settings

    def _collection(self, tenant: str | None) -> AsyncCollection[Record]:
        return self._database(tenant or "")[COLLECTION]

    def _filter(self, tenant: str | None, local_id: str) -> Record:
        """What was fetched shares the default tenant's collection and is told from its own contexts by its kind."""
        kinds = [Kind.CACHED] if tenant is None else [Kind.HOSTED, Kind.IMPLICIT]
        return {"_id": local_id, "kind": {"$in": [kind.value for kind in kinds]}}

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            with pymongo.timeout(self._settings.database_timeout):
                yield
        except PyMongoError as error:
            raise StoreUnavailable(f"the database does not answer: {error}") from error

    async def prepare(self) -> None:
        """Let MongoDB drop fetched documents that are not used any more."""
        with self._answering():
            await self._collection(None).create_index([("expiry", ASCENDING)], expireAfterSeconds=0)

    async def get(self, tenant: str | None, local_id: str) -> Document | None:
        """A document by its local identifier; `tenant` None for a fetched one."""
        with self._answering():
            record = await self._collection(tenant).find_one(self._filter(tenant, local_id))
            return None if record is None else _document(tenant, record)

    async def use(self, tenant: str | None, local_id: str, now: float) -> Stored | None:
        """The same with its usage so far, and counted as one use more."""
        with self._answering():
            record = await self._collection(tenant).find_one_and_update(
                self._filter(tenant, local_id),
                {"$inc": {"hits": 1}, "$set": {"lastUsage": now}},
                return_document=ReturnDocument.BEFORE,
            )
            return None if record is None else _stored(tenant, record)

    async def list(self, tenant: str | None, kinds: Iterable[Kind]) -> list[Stored]:
        """The documents of these kinds, the oldest first."""
        with self._answering():
            cursor = (
                self._collection(tenant)
                .find({"kind": {"$in": [kind.value for kind in kinds]}})
                .sort("createdAt", ASCENDING)
            )
            return [_stored(tenant, record) async for record in cursor]

    async def save(self, document: Document, now: float) -> None:
        """Store a document, or its newer copy in the older one's place; its usage is kept."""
        with self._answering():
            fields: Record = {
                "url": document.url,
                "kind": document.kind.value,
                "context": orjson.dumps(document.context),
            }
            once: Record = {"hits": 0}
            (once if document.kind is Kind.IMPLICIT else fields)["createdAt"] = document.created_at
            if document.kind is Kind.CACHED:
                fields |= {"freshUntil": document.fresh_until, "expiry": self._expiry(now)}
                fields |= {"etag": document.etag, "lastModified": document.last_modified}
            collection = self._collection(document.tenant)
            written = await collection.update_one(
                {"_id": document.local_id}, {"$set": fields, "$setOnInsert": once}, upsert=True
            )
            if written.did_upsert and document.kind is Kind.CACHED:
                await self._make_room(collection)

    async def delete(self, tenant: str | None, local_id: str) -> bool:
        """Delete a document; whether it was there."""
        with self._answering():
            return (await self._collection(tenant).delete_one(self._filter(tenant, local_id))).deleted_count == 1

    async def record(self, usages: Iterable[Usage]) -> None:
        """Add what was used to what is stored; a document that has gone meanwhile stays gone."""
        with self._answering():
            updates: dict[str | None, list[UpdateOne]] = {}
            for usage in usages:
                changed: Record = {"$inc": {"hits": usage.hits}, "$max": {"lastUsage": usage.last}}
                if usage.document.kind is Kind.CACHED:
                    changed["$max"]["expiry"] = self._expiry(usage.last)
                updates.setdefault(usage.document.tenant, []).append(
                    UpdateOne({"_id": usage.document.local_id}, changed)
                )
            for tenant, operations in updates.items():
                await self._collection(tenant).bulk_write(operations, ordered=False)

    def _expiry(self, used: float) -> datetime:
        return datetime.fromtimestamp(used + self._settings.cache_retention, UTC)

    async def _make_room(self, collection: AsyncCollection[Record]) -> None:
        excess = await collection.count_documents({"kind": Kind.CACHED.value}) - self._settings.max_cached
        if excess > 0:
            longest_unused = (
                collection.find({"kind": Kind.CACHED.value}, {"_id": 1}).sort("expiry", ASCENDING).limit(excess)
            )
            await collection.delete_many({"_id": {"$in": [record["_id"] async for record in longest_unused]}})


def _document(tenant: str | None, record: Record) -> Document:
    kind = Kind(record["kind"])
    return Document(
        url=record["url"],
        local_id=record["_id"],
        kind=kind,
        context=orjson.loads(record["context"]),
        created_at=record["createdAt"],
        tenant=None if kind is Kind.CACHED else tenant or "",
        fresh_until=record.get("freshUntil", math.inf),
        etag=record.get("etag"),
        last_modified=record.get("lastModified"),
    )


def _stored(tenant: str | None, record: Record) -> Stored:
    return Stored(_document(tenant, record), record["hits"], record.get("lastUsage"))
