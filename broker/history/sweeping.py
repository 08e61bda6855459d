"""Sweeping: what the rules of retention keep no longer goes, summed up before where sums are kept."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pymongo import DeleteMany
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

from broker.history.collections import Collection, Collections
from broker.history.downsampling import hours_to_days, values_to_sums
from broker.history.retention import Borders, Rule, borders, ruled
from broker.history.rows import Document
from broker.history.sums import DAILY, HOURLY, MONTH_DAYS
from broker.history.turns import Turns
from broker.store.names import iri

logger = logging.getLogger(__name__)

_TOGETHER = 500
_STEPS = (values_to_sums, hours_to_days)


class Retention:
    """Deletes what the rules keep no longer."""

    def __init__(self, collections: Collections, rules: Sequence[Rule]) -> None:
        self._collections = collections
        self._rules = rules

    async def sweep(self, tenant: str, now: int, turns: Turns) -> int:
        """Does away with what is past its time at `now`, in microseconds; how many buckets and documents of sums."""
        rules = [rule for rule in self._rules if rule.tenant in (None, tenant)]
        if not rules:
            return 0
        limits = {rule: borders(rule, now) for rule in rules}
        number = 0
        entities = self._collections.entities(tenant)
        after = ""
        while some := await entities.find(
            {"_id": {"$gt": after}}, {"types": 1, "series": 1}, sort=[("_id", 1)], limit=_TOGETHER
        ).to_list():
            after = some[-1]["_id"]
            by_rule: dict[Rule, dict[str, list[str]]] = {}
            for entity in some:
                names = {one.partition("\n")[0] for one in entity.get("series", ())}
                for rule, listed in ruled(rules, entity["types"], names).items():
                    by_rule.setdefault(rule, {})[entity["_id"]] = listed
            for rule, attributes in by_rule.items():
                number += await self._sweep(tenant, attributes, limits[rule], turns)
        return number

    async def _sweep(self, tenant: str, attributes: Mapping[str, list[str]], limits: Borders, turns: Turns) -> int:
        """Sweeps attributes, by entity, that have the same borders."""
        buckets, sums = self._collections.buckets(tenant), self._collections.sums(tenant)
        hourly = limits.values if limits.hourly is None else limits.hourly
        daily = hourly if limits.daily is None else limits.daily
        number = 0
        if limits.hourly is not None or limits.daily is not None:
            number += await self._sum_up(tenant, attributes, limits, hourly, turns)
        else:
            number += await _delete(buckets, attributes, {"w": {"$lt": limits.values}})
        if limits.daily is None:
            number += await _delete(sums, attributes, {"p": HOURLY, "w": {"$lt": hourly}})
        return number + await _delete(sums, attributes, {"p": DAILY, "w": {"$lt": daily - MONTH_DAYS}})

    async def _sum_up(
        self, tenant: str, attributes: Mapping[str, list[str]], limits: Borders, hourly: int, turns: Turns
    ) -> int:
        buckets, sums = self._collections.buckets(tenant), self._collections.sums(tenant)
        past = await _having(buckets, attributes, {"w": {"$lt": limits.values}})
        past |= await _having(sums, attributes, {"p": HOURLY, "w": {"$lt": hourly}})
        number = 0
        for entity_id, name in sorted(past):
            if name not in attributes[entity_id]:
                continue
            try:
                for step in _STEPS:
                    while done := await self._in_turn(tenant, entity_id, name, limits, turns, step):
                        number += done
            except OperationFailure as error:
                # The others need not wait for it; its values stay what they are.
                logger.warning("%s of %s is not summed up: %s", iri(name), entity_id, error)
        return number

    async def _in_turn(
        self, tenant: str, entity_id: str, name: str, limits: Borders, turns: Turns, step: Callable[..., Awaitable[int]]
    ) -> int:
        async def work(session: AsyncClientSession) -> int:
            return await step(self._collections, tenant, entity_id, name, limits, session)

        async with turns.of(tenant, entity_id), self._collections.client.start_session() as session:
            return await session.with_transaction(work)


async def _having(
    collection: Collection, attributes: Mapping[str, list[str]], condition: Document
) -> set[tuple[str, str]]:
    """The entities and attributes that have documents which the condition selects."""
    names = sorted({name for listed in attributes.values() for name in listed})
    stages: list[Document] = [
        {"$match": {"e": {"$in": list(attributes)}, "a": {"$in": names}, **condition}},
        {"$group": {"_id": {"e": "$e", "a": "$a"}}},
    ]
    return {(one["_id"]["e"], one["_id"]["a"]) async for one in await collection.aggregate(stages)}


async def _delete(collection: Collection, attributes: Mapping[str, list[str]], condition: Document) -> int:
    deletions = [
        DeleteMany({"e": entity_id, "a": name, **condition})
        for entity_id, name in await _having(collection, attributes, condition)
        if name in attributes[entity_id]
    ]
    return (await collection.bulk_write(deletions, ordered=False)).deleted_count if deletions else 0
