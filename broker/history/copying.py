"""Filling the history of a tenant that nobody reads yet, such as a snapshot, with rows of another."""

from collections.abc import Sequence

from broker.history.buckets import pack
from broker.history.collections import Collections
from broker.history.reading import Wanted, rows_of
from broker.history.rows import SCOPE, Document, Row, creation, row, series
from broker.store import documents
from ngsi_ld.entity import Entity
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import TemporalQuery
from ngsi_ld.temporal.representation import Evolution


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


def rows_of_evolution(past: Evolution, now: str) -> tuple[Document, list[Row]]:
    """The document and the rows of an evolution that is not from here: instances keep their times, and ids of ours."""
    entity: Document = {"_id": past.id, "types": past.types}
    entity |= {"createdAt": past.created_at or now, "modifiedAt": past.modified_at or now}
    if past.deleted_at is not None:
        entity["deletedAt"] = past.deleted_at
    stored = documents.document(Entity(past.id, past.types, past.attributes), plain_geo=True)["attrs"]
    rows: list[Row] = []
    taken: set[tuple[str, int]] = set()

    def add(name: str, one: Document, made: Row, written: int) -> None:
        ours = creation(one["instanceId"]) if "instanceId" in one else None
        made["c"] = written if ours is None else ours
        while (name, made["c"]) in taken:
            made["c"] += 1
        taken.add((name, made["c"]))
        if "w" in made:
            made["t"] = made["c"]
        if one.get("modifiedAt", one.get("createdAt")) != one.get("createdAt"):
            made["m"] = instants.read(one["modifiedAt"])
        rows.append(made)

    for name, instances in stored.items():
        for one in instances:
            written = instants.read(one.get("createdAt") or now)
            members = {member: value for member, value in one.items() if member != "instanceId"}
            add(name, one, row(name, members, written), written)
    for one in past.scope or ():
        written = instants.read(one.get("createdAt") or now)
        made: Row = {"a": SCOPE, "k": "Property", "t": written, "v": one["value"] or None}
        made |= {"t": instants.read(one["observedAt"])} if "observedAt" in one else {"w": 1}
        add(SCOPE, one, made if one["value"] else made | {"x": written}, written)
    return entity, rows
