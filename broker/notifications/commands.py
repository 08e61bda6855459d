"""What an operator may see and do about notifications that wait or were given up: backlog, replay, drop; and follow.

A command is a document in a collection that the change log follows, so that it reaches the process that sends,
whichever that is, in the order of the log, and waits for it where none is there.

    notificationCommands   {_id, command: "replay" | "drop" | "follow", t: tenant, s: subscription, at: Date}
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern

from broker.changelog.watched import make_watched
from broker.notifications.deliveries import deliveries_of
from broker.notifications.journal import DEAD_LETTERS, NOTIFICATIONS
from broker.store.tenants import DEFAULT_DATABASE

COMMANDS = "notificationCommands"
REPLAY = "replay"
DROP = "drop"
FOLLOW = "follow"

_KEPT_SECONDS = 7 * 86400

Client = AsyncMongoClient[Any]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What there is of one subscription: how many notifications wait, since when, how many were given up, and why."""

    tenant: str
    subscription: str
    waiting: int
    oldest: datetime | None
    dead: int
    status: str | None
    last_error: str | None


async def backlog(client: Client) -> list[Backlog]:
    """Every subscription for which notifications wait or were given up, the most first."""
    database = client[DEFAULT_DATABASE]
    counts: dict[tuple[str, str], dict[str, Any]] = {}
    for name, collection in (("waiting", NOTIFICATIONS), ("dead", DEAD_LETTERS)):
        group = {"_id": {"t": "$t", "s": "$s"}, "count": {"$sum": 1}, "oldest": {"$min": "$at"}}
        async for found in await database[collection].aggregate([{"$sort": {"t": 1, "s": 1}}, {"$group": group}]):
            key = (found["_id"]["t"], found["_id"]["s"])
            counts.setdefault(key, {})[name] = found
    made: list[Backlog] = []
    for (tenant, subscription), found in counts.items():
        delivery = (await deliveries_of(client, tenant, [subscription])).get(subscription)
        told = delivery.counts if delivery is not None else {}
        waiting = found.get("waiting", {})
        made.append(
            Backlog(
                tenant,
                subscription,
                waiting.get("count", 0),
                waiting.get("oldest"),
                found.get("dead", {}).get("count", 0),
                told.get("status"),
                told.get("lastError"),
            )
        )
    return sorted(made, key=lambda one: (-one.waiting, -one.dead))


async def replay(client: Client, tenant: str, subscription: str) -> None:
    """Sends the dead letters of a subscription again, after what waits already."""
    await _command(client, REPLAY, tenant, subscription)


async def drop(client: Client, tenant: str, subscription: str) -> None:
    """Removes what waits for a subscription. Its dead letters stay."""
    await _command(client, DROP, tenant, subscription)


async def follow(client: Client, tenant: str, subscription: str) -> None:
    """Has what is notified from now on kept for streams of events."""
    await _command(client, FOLLOW, tenant, subscription)


async def _command(client: Client, command: str, tenant: str, subscription: str) -> None:
    commands = client[DEFAULT_DATABASE].get_collection(COMMANDS, write_concern=WriteConcern(w="majority", j=True))
    await make_watched(commands)
    await commands.create_index("at", expireAfterSeconds=_KEPT_SECONDS)
    await commands.insert_one({"command": command, "t": tenant, "s": subscription, "at": datetime.now(UTC)})
