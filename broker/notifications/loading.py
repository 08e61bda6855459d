"""Subscriptions and registrations as they were at a position of the change log.

They are read as they are now; what the log has changed since then is taken back with the image before its first
change. From there the log itself brings them forward: no change is matched by a subscription that came after it.
"""

from typing import Any

from pymongo import AsyncMongoClient

from broker.changelog.changes import Document, DocumentChange
from broker.changelog.position import Position, now
from broker.changelog.stream import decode, open_stream, token_time
from broker.store.tenants import tenant_of

Key = tuple[str, str]
"""Tenant and id."""

_WAIT_MILLISECONDS = 20


async def documents_at(client: AsyncMongoClient[Any], collection: str, position: Position) -> dict[Key, Document]:
    """The documents of a collection of all tenants at the position."""
    documents: dict[Key, Document] = {}
    for name in await client.list_database_names():
        tenant = tenant_of(name)
        if tenant is not None:
            async for document in client[name][collection].find():
                documents[tenant, document["_id"]] = document
    until = await now(client)
    seen: set[Key] = set()
    stream = await open_stream(client, [collection], position, wait_milliseconds=_WAIT_MILLISECONDS)
    async with stream:
        while stream.alive:
            event = await stream.try_next()
            if event is None:
                reached = token_time(dict(stream.resume_token or {}))
                if reached is None or reached >= until:
                    break
                continue
            change = decode(event)
            if not isinstance(change, DocumentChange) or (key := (change.tenant, change.id)) in seen:
                continue
            seen.add(key)
            if change.before is None:
                documents.pop(key, None)
            else:
                documents[key] = change.before
    return documents
