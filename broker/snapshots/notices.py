"""SnapshotNotifications (5.3.4, 5.16.6): written down when the status changes, sent in order, tried again for a day.

    snapshotNotifications   {_id, token, n: order, endpoint: Binary (JSON of endpoint and receiverInfo), tenant,
                             body: Binary (JSON), at: Date, failures: 0, next: Date}

Any process sends what is due. What it takes comes up again if it is not heard of: at least once, as with subscriptions.
"""

import asyncio
import contextlib
import logging
import random
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from pymongo import ASCENDING, AsyncMongoClient, WriteConcern
from pymongo.errors import PyMongoError

from broker.notifications.endpoints import EndpointPolicy
from broker.notifications.message import Message
from broker.notifications.outbox import Policy
from broker.notifications.senders import senders
from broker.snapshots.records import Document, asking
from broker.store.tenants import DEFAULT_DATABASE
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.snapshot import Snapshot, endpoint_of, notification

logger = logging.getLogger(__name__)

NOTICES = "snapshotNotifications"

_AT_ONCE = 8
_PAUSE_SECONDS = 1.0
_BEHIND_SECONDS = 0.3
_MARGIN_SECONDS = 30.0
_BEFORE = 0.001


class Notices:
    """What endpoints of snapshots are to be told."""

    def __init__(self, client: AsyncMongoClient[Any], policy: Policy, endpoints: EndpointPolicy) -> None:
        database = client[DEFAULT_DATABASE]
        self._collection = database.get_collection(NOTICES, write_concern=WriteConcern(w="majority", j=True))
        self._policy = policy
        self._endpoints = endpoints
        self._senders = senders(policy, endpoints)
        self._poked = asyncio.Event()

    async def prepare(self) -> None:
        """Makes the indexes."""
        with asking():
            await self._collection.create_index([("next", ASCENDING)])
            await self._collection.create_index([("token", ASCENDING), ("n", ASCENDING)])

    def check(self, members: dict[str, Any]) -> None:
        """BadRequestData where the endpoint of a snapshot is not one that may be sent to."""
        if (endpoint := endpoint_of(members)) is not None:
            self._endpoints.check(endpoint)

    async def tell(self, token: str, tenant: str, snapshot: Snapshot, *, deleted: bool = False) -> None:
        """Has the endpoint of the snapshot told how it is now, or that it is no more; nothing where it has none."""
        if "endpoint" not in snapshot.members:
            return
        at = time.time()
        expires_at = min(snapshot.expires_at, _shown(at - _BEFORE)) if deleted else snapshot.expires_at
        identifier = f"urn:ngsi-ld:SnapshotNotification:{uuid4()}"
        told = {name: snapshot.members[name] for name in ("endpoint", "receiverInfo") if name in snapshot.members}
        due = {
            "_id": identifier,
            "token": token,
            "n": time.time_ns(),
            "tenant": tenant,
            "endpoint": orjson.dumps(told),
            "body": orjson.dumps(notification(snapshot, identifier, _shown(at), expires_at)),
            "at": at,
            "failures": 0,
            "next": at,
        }
        with asking():
            await self._collection.insert_one(due)
        self._poked.set()

    async def run(self) -> None:
        """Sends what is due, until it is cancelled."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                self._poked.clear()
                try:
                    while len(under_way) < _AT_ONCE and (due := await self._take()) is not None:
                        task = asyncio.create_task(self._deliver(due))
                        under_way.add(task)
                        task.add_done_callback(under_way.discard)
                except PyMongoError as error:
                    logger.warning("notifications of snapshots wait for MongoDB: %s", error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_SECONDS):
                        await self._poked.wait()
        finally:
            for task in under_way:
                task.cancel()

    async def close(self) -> None:
        """Closes the connections."""
        for sender in dict.fromkeys(self._senders.values()):
            await sender.close()

    async def _take(self) -> Document | None:
        """What is due, for this process alone until long after it should be sent."""
        now = time.time()
        held = now + self._policy.timeout + _MARGIN_SECONDS
        return await self._collection.find_one_and_update(
            {"next": {"$lte": now}}, {"$set": {"next": held}}, sort=[("next", ASCENDING), ("n", ASCENDING)]
        )

    async def _deliver(self, due: Document) -> None:
        try:
            await self._send(due)
        except PyMongoError as error:
            logger.warning("a notification of a snapshot waits for MongoDB: %s", error)
        except Exception:
            logger.exception("a notification of a snapshot cannot be sent now")
        self._poked.set()

    async def _send(self, due: Document) -> None:
        """Sends a notification, unless one before it of the same snapshot has not arrived yet."""
        now = time.time()
        if await self._collection.find_one({"token": due["token"], "n": {"$lt": due["n"]}}) is not None:
            await self._again(due, now + _BEHIND_SECONDS)
            return
        endpoint = endpoint_of(orjson.loads(due["endpoint"]))
        if endpoint is None:
            raise RuntimeError(f"a notification of a snapshot without endpoint: {due['_id']}")
        headers = dict(endpoint.receiver_info) | {"Content-Type": "application/json"}
        if due["tenant"]:
            headers["NGSILD-Tenant"] = due["tenant"]
        message = Message(endpoint, headers, bytes(due["body"]), self._policy.timeout)
        outcome = await self._senders[endpoint.uri.partition(":")[0].lower()].send(message)
        if not outcome.delivered and now - due["at"] < self._policy.max_age:
            pause = min(self._policy.longest_retry, self._policy.first_retry * 2 ** min(due["failures"], 30))
            await self._again(due, time.time() + pause * random.uniform(0.5, 1.0), failed=1)  # noqa: S311
            return
        if not outcome.delivered:
            logger.error("a notification of a snapshot is given up: %s", outcome.reason)
        await self._collection.delete_one({"_id": due["_id"]})

    async def _again(self, due: Document, at: float, failed: int = 0) -> None:
        await self._collection.update_one({"_id": due["_id"]}, {"$set": {"next": at}, "$inc": {"failures": failed}})


def _shown(at: float) -> str:
    return format_date_time(datetime.fromtimestamp(at, UTC))
