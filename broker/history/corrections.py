"""Rows changed where they are: an instance replaced or deleted by its id, or told again with the same observedAt.

Each in one transaction, since a row may be in the log or in a bucket. A document of the log stays even without rows:
it tells that its change has been recorded.
"""

from collections.abc import Callable, Sequence

from pymongo.asynchronous.client_session import AsyncClientSession

from broker.history.buckets import pack, unpack
from broker.history.collections import Collections, of_entity
from broker.history.rows import Document, Row
from ngsi_ld.temporal import instants

Replace = Callable[[Row], Row | None]
"""What comes in the place of a row: the same object, another row, or None for nothing."""


async def rewrite(
    collections: Collections,
    tenant: str,
    entity_id: str,
    condition: Document,
    replace: Replace,
    session: AsyncClientSession,
) -> int:
    """Puts `replace(row)` in the place of each row of an entity; `condition` narrows its buckets. How many changed."""
    number = 0
    log, buckets = collections.log(tenant), collections.buckets(tenant)
    async for one in log.find({"_id": of_entity(entity_id)}, session=session):
        rows, changed = _replaced(one["r"], replace)
        if changed:
            await log.update_one({"_id": one["_id"]}, {"$set": {"r": rows}}, session=session)
            number += changed
    async for bucket in buckets.find({"e": entity_id, **condition}, session=session):
        rows, changed = _replaced(unpack(bucket), replace)
        if changed:
            await buckets.delete_one({"_id": bucket["_id"]}, session=session)
            if rows:
                await buckets.insert_many(list(pack(entity_id, rows)), session=session)
            number += changed
    if number:
        moved = {"$inc": {"moves": 1}}
        await collections.entities(tenant).update_one({"_id": entity_id}, moved, session=session)
    return number


async def supersede(
    collections: Collections,
    tenant: str,
    entity_id: str,
    given: Sequence[Row],
    now: str,
    session: AsyncClientSession,
) -> list[Row]:
    """The given rows that are new: those that stand for a stored instance of the same observedAt have replaced it.

    That instance keeps its id and createdAt. So a client that sends the same once more does not make it double.
    """
    by_time = {_place(row): row for row in given if "w" not in row}
    if not by_time:
        return list(given)
    modified = instants.read(now)
    taken: set[int] = set()

    def replace(old: Row) -> Row:
        new = by_time.get(_place(old)) if "w" not in old else None
        if new is None:
            return old
        taken.add(id(new))
        return new | {"c": old["c"], "m": modified}

    condition: Document = {
        "a": {"$in": sorted({row["a"] for row in by_time.values()})},
        "w": {"$in": sorted({row["t"] // instants.DAY for row in by_time.values()})},
        "o": True,
    }
    await rewrite(collections, tenant, entity_id, condition, replace, session)
    return [row for row in given if id(row) not in taken]


def _place(row: Row) -> tuple[str, str | None, int]:
    return row["a"], row.get("d"), row["t"]


def _replaced(rows: Sequence[Row], replace: Replace) -> tuple[list[Row], int]:
    """The rows after replacement, and how many of them changed."""
    after: list[Row] = []
    changed = 0
    for old in rows:
        new = replace(old)
        changed += new is not old
        if new is not None:
            after.append(new)
    return after, changed
