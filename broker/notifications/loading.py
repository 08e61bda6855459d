"""Subscriptions and registrations as they were at a position of the change log.

They are read as they are now; what the log has changed since then is taken back with the image before its first
change. From there the log itself brings them forward: no change is matched by a subscription that came after it.
"""

from collections.abc import Sequence
from typing import Any

from pymongo import AsyncMongoClient

from broker.changelog.changes import Document, DocumentChange
from broker.changelog.position import Position, now
from broker.changelog.stream import decode, open_stream, token_time
from broker.store.tenants import tenant_of

Key = tuple[str, str]
"""Tenant and id."""

_WAIT_MILLISECONDS = 20


async def documents_at(
    client: AsyncMongoClient[Any], collections: Sequence[str], position: Position
) -> dict[str, dict[Key, Document]]:
    """The documents of each of these collections, of all tenants, at the position."""
    documents: dict[str, dict[Key, Document]] = {name: {} for name in collections}
    for database in await client.list_database_names():
        tenant = tenant_of(database)
        if tenant is not None:
            for name, found in documents.items():
                async for document in client[database][name].find():
                    found[tenant, document["_id"]] = document
    until = await now(client)
    seen: set[tuple[str, Key]] = set()
    stream = await open_stream(client, collections, position, wait_milliseconds=_WAIT_MILLISECONDS)
    async with stream:
        while stream.alive:
            event = await stream.try_next()
            if event is None:
                reached = token_time(dict(stream.resume_token or {}))
                if reached is None or reached >= until:
                    break
                continue
            change = decode(event)
            if not isinstance(change, DocumentChange):
                continue
            key = (change.tenant, change.id)
            if (change.collection, key) in seen:
                continue
            seen.add((change.collection, key))
            if change.before is None:
                documents[change.collection].pop(key, None)
            else:
                documents[change.collection][key] = change.before
    return documents
