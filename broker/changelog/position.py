"""How far the log has been followed, and who may follow it: one document, so that both change in one write.

    {_id: "changelog", holder: "host:pid:…", term: 7, expires: Date, start: Timestamp, token: {_data: …},
     clusterTime: Timestamp, gaps: [{at: Date, after: Timestamp, reason: …}]}

A process follows the log while it holds the lease. `term` grows each time the lease changes hands and fences: a write
of the position names the term it was made under, so a former holder that was only asleep moves nothing. Expiry is
judged by MongoDB's clock alone; hosts need not agree on the time.
"""

import os
import secrets
import socket
import time
from dataclasses import dataclass
from typing import Any

from bson import Timestamp
from pymongo import AsyncMongoClient, ReturnDocument, WriteConcern
from pymongo.errors import DuplicateKeyError

from broker.changelog.changes import Document
from broker.store.tenants import DEFAULT_DATABASE

_ID = "changelog"
_COLLECTION = "changelog"
_KEPT_GAPS = 20


class LeaseLost(Exception):
    """Another process has taken over the log."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where to go on: after the change of `token`, or with the first change at `start` where there is no token yet."""

    start: Timestamp
    token: Document | None = None
    cluster_time: Timestamp | None = None


async def now(client: AsyncMongoClient[Any]) -> Timestamp:
    """The cluster time of this moment: every write that is acknowledged from now on is later or equal."""
    reply = await client.admin.command("ping")
    if "operationTime" not in reply:
        raise RuntimeError("MongoDB must be a replica set: a change stream needs one, even of a single member")
    operation_time: Timestamp = reply["operationTime"]
    return operation_time


class Lease:
    """The right to follow the log: taken, kept by being renewed, lost after `seconds` without renewal."""

    def __init__(self, client: AsyncMongoClient[Any], *, seconds: float = 3.0) -> None:
        self.seconds = seconds
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.term = 0
        self.saved: Timestamp | None = None
        """Up to which change the stored position says that all is handled."""
        self._client = client
        self._collection = client[DEFAULT_DATABASE].get_collection(
            _COLLECTION, write_concern=WriteConcern(w="majority", j=True)
        )
        self._valid_until = 0.0

    @property
    def held(self) -> bool:
        """Whether nobody else can have taken over yet, by this process's own monotonic clock."""
        return time.monotonic() < self._valid_until

    async def prepare(self) -> None:
        """Sees to it that the log has a start: the first process of a new deployment sets it to this moment."""
        if await self._collection.find_one({"_id": _ID}, {"_id": 1}) is None:
            first: Document = {"_id": _ID, "holder": None, "term": 0, "start": await now(self._client), "gaps": []}
            try:
                await self._collection.insert_one(first)
            except DuplicateKeyError:
                return

    async def acquire(self) -> Position | None:
        """Takes the lease if it is free or has expired; the position to go on from, or None if another holds it."""
        asked = time.monotonic()
        free = {"$lte": [{"$ifNull": ["$expires", "$$NOW"]}, "$$NOW"]}
        found = await self._collection.find_one_and_update(
            {"_id": _ID, "$expr": free},
            [{"$set": {"holder": self.holder, "term": {"$add": ["$term", 1]}, "expires": self._expiry()}}],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        self.term, self.saved = found["term"], found.get("clusterTime")
        self._valid_until = asked + self.seconds
        return Position(found["start"], found.get("token"), found.get("clusterTime"))

    async def keep(self, token: Document | None = None, cluster_time: Timestamp | None = None) -> None:
        """Renews the lease and, where given, moves the position on in the same write; else raises LeaseLost."""
        change: Document = {"expires": self._expiry()}
        if token is not None:
            change["token"] = {"$literal": token}
        if cluster_time is not None:
            change["clusterTime"] = cluster_time
        await self._change(change)
        if cluster_time is not None:
            self.saved = cluster_time

    async def record_gap(self, position: Position, reason: str) -> Position:
        """Notes that changes after `position` are lost to the log, and starts again at this moment."""
        start = await now(self._client)
        after = position.cluster_time or position.start
        gap = {"at": "$$NOW", "after": after, "before": start, "reason": {"$literal": reason}}
        await self._change(
            {
                "expires": self._expiry(),
                "start": start,
                "token": "$$REMOVE",
                "gaps": {"$slice": [{"$concatArrays": [{"$ifNull": ["$gaps", []]}, [gap]]}, -_KEPT_GAPS]},
            }
        )
        return Position(start, None, position.cluster_time)

    async def release(self) -> None:
        """Gives the lease back, so that another process need not wait for it to expire."""
        self._valid_until = 0.0
        await self._collection.update_one(self._ours(), {"$unset": {"expires": 1}})

    async def read(self) -> Document | None:
        """The document as it is stored: what an operator is shown."""
        return await self._collection.find_one({"_id": _ID})

    async def _change(self, members: Document) -> None:
        asked = time.monotonic()
        result = await self._collection.update_one(self._ours(), [{"$set": members}])
        if not result.matched_count:
            self._valid_until = 0.0
            raise LeaseLost(f"term {self.term} of {self.holder} is over")
        self._valid_until = asked + self.seconds

    def _ours(self) -> Document:
        return {"_id": _ID, "term": self.term, "holder": self.holder}

    def _expiry(self) -> Document:
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "millisecond", "amount": round(self.seconds * 1000)}}
