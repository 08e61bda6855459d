"""What context sources notify on behalf of our subscriptions (5.8.6): written down, then told as our own.

    subscriptionCopies       {_id: id of the copy at the source, t: tenant, s: our subscription, r: registration, …}
    forwardedNotifications   {_id: key, t, s, d: the entities as JSON, at: Date}

The collection is watched by the change log: what a source has sent and was acknowledged reaches the journal, in the
order of the log, whichever process took it and whatever dies in between. A source that sends the same notification
again is told that it arrived.
"""

from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import DuplicateKeyError

from broker.changelog.changes import Document
from broker.changelog.watched import make_watched
from broker.store.tenants import DEFAULT_DATABASE

FORWARDED = "forwardedNotifications"
COPIES = "subscriptionCopies"
PATH = "/remote-notify"
"""Of the resource below the API's root that sources notify; the standard leaves it open."""

_KEPT_SECONDS = 86400
"""For so long a notification that is sent again is known to have arrived; a source gives up before (24 h here)."""


class Forwarding:
    """Takes notifications of copies of subscriptions."""

    def __init__(self, client: AsyncMongoClient[Any]) -> None:
        database = client[DEFAULT_DATABASE]
        self._copies = database[COPIES]
        self._forwarded = database.get_collection(FORWARDED, write_concern=WriteConcern(w="majority", j=True))
        self._ready = False

    async def copy(self, copy_id: str) -> Document | None:
        """The copy with this id at its source, None if it is none of ours (any more)."""
        return await self._copies.find_one({"_id": copy_id})

    async def take(self, copy: Document, notification_id: str, data: bytes) -> None:
        """Writes down what a source told; `data` are the elements of an array of entities or features, as JSON."""
        if not self._ready:
            await make_watched(self._forwarded)
            await self._forwarded.create_index("at", expireAfterSeconds=_KEPT_SECONDS)
            self._ready = True
        key = blake2b(f"{copy['_id']}\n{notification_id}".encode(), digest_size=16).digest()
        document = {"_id": key, "t": copy["t"], "s": copy["s"], "d": data, "at": datetime.now(UTC)}
        try:
            await self._forwarded.insert_one(document)
        except DuplicateKeyError:
            return
