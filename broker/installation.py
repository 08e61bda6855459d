"""The name of an installation where nobody gave it one: drawn once, kept in its database, the same in every worker.

    installation   {_id: "alias", value: "beffroi-3f9a2c"}        in the database of the default tenant

Two brokers of one name would each take the other for itself, and never ask it (6.3.18).
"""

from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient, ReturnDocument

from broker.store.tenants import DEFAULT_DATABASE


async def drawn_alias(client: AsyncMongoClient[Any]) -> str:
    """The alias of this installation among federated brokers (5.2.40), drawn if it has none yet."""
    found = await client[DEFAULT_DATABASE]["installation"].find_one_and_update(
        {"_id": "alias"},
        {"$setOnInsert": {"value": f"beffroi-{uuid4().hex[:6]}"}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    # With upsert and AFTER there always is one.
    return str((found or {})["value"])
