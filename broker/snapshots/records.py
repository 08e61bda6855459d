"""The collection of snapshots: which there are, where their data is, and the work that is still to be done for them.

    snapshots   {_id: token, t: tenant, s: id, members: Binary (JSON), context: URL, status: "preparing", priority: 5,
                 details: […], temporalDetails: […], createdAt, modifiedAt, expiresAt, lastUsedAt: "…", expiry: Date,
                 work: {source: token?, attempts: 1, holder: "…", until: Date}}

The data of a snapshot is in the database of the tenant `@TOKEN`. Tokens are never used again, so what a process
remembers of one stays true. `work` is there while the snapshot is being prepared; it is for whoever holds it until
then, by MongoDB's clock, and for anyone afterwards.
"""

import os
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import pymongo
from pymongo import ASCENDING, AsyncMongoClient, IndexModel, ReturnDocument, UpdateOne, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError, PyMongoError

from broker.store.store import unavailable
from broker.store.tenants import DEFAULT_DATABASE
from ngsi_ld.datetimes import parse_date_time
from ngsi_ld.errors import already_exists, not_found
from ngsi_ld.snapshot import Details, Snapshot, Status, priority_of

Document = dict[str, Any]

SNAPSHOTS = "snapshots"

HELD_SECONDS = 6
"""How long a preparation is held without being heard of."""

_SECONDS = 10.0
_HOLD: Document = {
    "$set": {"work.until": {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": HELD_SECONDS * 1000}}}
}


class Records:
    """The snapshots of all tenants."""

    def __init__(self, client: AsyncMongoClient[Document]) -> None:
        self._collection: AsyncCollection[Document] = client[DEFAULT_DATABASE].get_collection(
            SNAPSHOTS, write_concern=WriteConcern(w="majority", j=True)
        )
        self._used = client[DEFAULT_DATABASE].get_collection(SNAPSHOTS, write_concern=WriteConcern(w=1))
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def prepare(self) -> None:
        """Makes the indexes."""
        with asking():
            await self._collection.create_indexes(
                [
                    IndexModel([("t", ASCENDING), ("s", ASCENDING)], name="id", unique=True),
                    IndexModel([("expiry", ASCENDING)], name="expiry"),
                ]
            )

    async def add(self, tenant: str, snapshot: Snapshot, context: str, source: str | None) -> str:
        """The token of a new snapshot, whose preparation this process holds; AlreadyExists if the id is taken."""
        token = secrets.token_hex(12)
        work = {"attempts": 1, "holder": self._holder}
        document = {
            "t": tenant,
            "s": snapshot.id,
            "context": context,
            "status": snapshot.status.value,
            "createdAt": snapshot.created_at,
            "lastUsedAt": snapshot.last_used_at,
            "work": work if source is None else work | {"source": source},
            **_changing(snapshot),
        }
        # An update, for in an insert MongoDB does not tell its time.
        stages = [{"$set": {name: {"$literal": value} for name, value in document.items()}}, _HOLD]
        with asking():
            try:
                await self._collection.update_one({"_id": token}, stages, upsert=True)
            except DuplicateKeyError:
                raise already_exists(f"the snapshot {snapshot.id} exists; choose another id") from None
        return token

    async def get(self, tenant: str, snapshot_id: str, now: str) -> Document:
        """The document of a snapshot that is there and has not expired; ResourceNotFound."""
        with asking():
            document = await self._collection.find_one({"t": tenant, "s": snapshot_id, "expiresAt": {"$gt": now}})
        if document is None:
            raise not_found(f"there is no snapshot {snapshot_id}")
        return document

    async def with_token(self, token: str) -> Document | None:
        """The document of the snapshot with this token, None where there is none any more."""
        with asking():
            return await self._collection.find_one({"_id": token})

    async def of_tenant(self, tenant: str) -> list[Document]:
        """All of a tenant, the first to go first: by priority, then by when they were last used."""
        with asking():
            return await self._collection.find({"t": tenant}).sort([("priority", 1), ("lastUsedAt", 1)]).to_list()

    async def replace_members(self, before: Document, snapshot: Snapshot) -> bool:
        """Puts the changed members in; whether nobody else had changed it since `before` was read."""
        unchanged = {"_id": before["_id"], "modifiedAt": before["modifiedAt"], "members": before["members"]}
        with asking():
            result = await self._collection.update_one(unchanged, {"$set": _changing(snapshot)})
        return result.matched_count == 1

    async def finish(
        self, token: str, status: Status, details: Details, temporal_details: Details, now: str
    ) -> Document | None:
        """The preparation is over: the document as it is then, None if the snapshot is gone or someone else's work."""
        change = {
            "status": status.value,
            "details": list(details),
            "temporalDetails": list(temporal_details),
            "modifiedAt": now,
        }
        with asking():
            return await self._collection.find_one_and_update(
                self._held(token), {"$set": change, "$unset": {"work": ""}}, return_document=ReturnDocument.AFTER
            )

    async def hold(self, token: str) -> bool:
        """Holds the preparation for some seconds more; False where it is no longer this process's."""
        with asking():
            result = await self._collection.update_one(self._held(token), [_HOLD])
        return result.matched_count == 1

    async def release(self, token: str) -> None:
        """Leaves the preparation to another process."""
        with asking():
            await self._collection.update_one(self._held(token), {"$unset": {"work.until": ""}})

    async def take(self) -> Document | None:
        """The document of a snapshot whose preparation nobody holds; this process does now."""
        left = {"work": {"$exists": True}, "$expr": {"$lte": [{"$ifNull": ["$work.until", "$$NOW"]}, "$$NOW"]}}
        change = {"work.holder": self._holder, "work.attempts": {"$add": ["$work.attempts", 1]}}
        with asking():
            return await self._collection.find_one_and_update(
                left, [{"$set": change}, _HOLD], return_document=ReturnDocument.AFTER
            )

    async def expired(self, now: str) -> Document | None:
        """One whose time is over."""
        with asking():
            return await self._collection.find_one({"expiry": {"$lte": parse_date_time(now)}})

    async def delete(self, token: str) -> Document | None:
        """Deletes a snapshot: its document, None where someone else has deleted it."""
        with asking():
            return await self._collection.find_one_and_delete({"_id": token})

    async def used(self, times: Mapping[str, str]) -> None:
        """Notes when snapshots were last used, by token."""
        changes = [UpdateOne({"_id": token}, {"$max": {"lastUsedAt": at}}) for token, at in times.items()]
        with asking():
            await self._used.bulk_write(changes, ordered=False)

    async def there(self, tokens: Sequence[str]) -> set[str]:
        """Those of the tokens that are still in use."""
        with asking():
            found = self._collection.find({"_id": {"$in": list(tokens)}}, {"_id": 1})
            return {one["_id"] async for one in found}

    def _held(self, token: str) -> Document:
        return {"_id": token, "work.holder": self._holder}


def snapshot_of(document: Document) -> Snapshot:
    """The snapshot of a stored document."""
    return Snapshot(
        document["s"],
        orjson.loads(document["members"]),
        Status(document["status"]),
        document["createdAt"],
        document["modifiedAt"],
        document["expiresAt"],
        document["lastUsedAt"],
        document.get("details", ()),
        document.get("temporalDetails", ()),
    )


@contextmanager
def asking() -> Iterator[None]:
    """Turns what MongoDB raises into StoreUnavailable, in bounded time."""
    try:
        with pymongo.timeout(_SECONDS):
            yield
    except PyMongoError as error:
        raise unavailable(error) from error


def _changing(snapshot: Snapshot) -> Document:
    return {
        # As JSON text: what is in the queries is no business of the database.
        "members": orjson.dumps(snapshot.members),
        "priority": priority_of(snapshot.members),
        "modifiedAt": snapshot.modified_at,
        "expiresAt": snapshot.expires_at,
        "expiry": parse_date_time(snapshot.expires_at),
    }
