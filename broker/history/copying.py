"""Filling the history of a tenant that nobody reads yet, such as a snapshot, with rows of another."""

from collections.abc import Sequence

from broker.history.buckets import pack
from broker.history.collections import Collections
from broker.history.reading import Wanted, rows_of
from broker.history.rows import Document, Row, series
from ngsi_ld.temporal.query import TemporalQuery


class Copying:
    """The way into histories to be; `furnish` first."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections

    async def furnish(self, tenant: str) -> None:
        """Makes the collections, whatever was known of the tenant before."""
        self._collections.forget(tenant)
        await self._collections.make(tenant)

    async def add(self, tenant: str, entity: Document, rows: Sequence[Row], *, again: bool) -> None:
        """Adds rows of an entity as they are elsewhere; `entity` is its document there, see `collections`.

        `again` tells that some of the rows may be there already.
        """
        names = sorted({series(one) for one in rows})
        change = {
            "$set": {name: entity[name] for name in ("createdAt", "modifiedAt", "deletedAt") if name in entity},
            "$addToSet": {"types": {"$each": entity["types"]}, "series": {"$each": names}},
        }
        await self._collections.entities(tenant).update_one({"_id": entity["_id"]}, change, upsert=True)
        new = list(rows)
        if again:
            there = await rows_of(
                self._collections, tenant, {"_id": entity["_id"], "series": names}, Wanted(TemporalQuery())
            )
            known = {(row["a"], row["c"]) for row in there}
            new = [row for row in rows if (row["a"], row["c"]) not in known]
        if new:
            await self._collections.buckets(tenant).insert_many(list(pack(entity["_id"], new)))
