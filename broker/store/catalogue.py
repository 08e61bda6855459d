"""Which types and attributes the stored entities have, asked of MongoDB (5.7.5 to 5.7.10)."""

from dataclasses import dataclass
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection

from broker.store.names import iri, key

Entities = AsyncCollection[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class AttributeUse:
    """An attribute in use: its IRI, how many entities have it, its kinds, the IRIs of the types that have it."""

    name: str
    count: int
    kinds: list[str]
    types: list[str]


async def types(entities: Entities, now: str) -> list[str]:
    """The IRIs of the types of all entities, in order."""
    return sorted(await entities.distinct("types", _live(now)))


async def attributes_by_type(entities: Entities, now: str) -> dict[str, list[str]]:
    """Each type's IRI with the IRIs of the attributes that its entities have."""
    found: dict[str, list[str]] = {name: [] for name in await types(entities, now)}
    for use in await attribute_uses(entities, now):
        for name in use.types:
            found[name].append(use.name)
    return found


async def attribute_uses(
    entities: Entities, now: str, *, of_type: str | None = None, attribute: str | None = None
) -> list[AttributeUse]:
    """The attributes of all entities, of those of one type, or one attribute only; in order of their IRIs."""
    condition = _live(now)
    if of_type is not None:
        condition["types"] = of_type
    if attribute is not None:
        condition[f"attrs.{key(attribute)}"] = {"$exists": True}
    pipeline: list[dict[str, Any]] = [
        {"$match": condition},
        {"$project": {"types": 1, "attribute": {"$objectToArray": "$attrs"}}},
        {"$unwind": "$attribute"},
        *([{"$match": {"attribute.k": key(attribute)}}] if attribute is not None else []),
        # Few combinations of name, kinds and types stand for many entities, so the rest is done on those.
        {
            "$group": {
                "_id": {"name": "$attribute.k", "kinds": "$attribute.v.type", "types": "$types"},
                "count": {"$sum": 1},
            }
        },
    ]
    uses: dict[str, tuple[int, set[str], set[str]]] = {}
    async for group in await entities.aggregate(pipeline):
        name = iri(group["_id"]["name"])
        count, kinds, with_it = uses.get(name, (0, set(), set()))
        uses[name] = (count + group["count"], kinds.union(group["_id"]["kinds"]), with_it.union(group["_id"]["types"]))
    return [
        AttributeUse(name, count, sorted(kinds), sorted(with_it))
        for name, (count, kinds, with_it) in sorted(uses.items())
    ]


def _live(now: str) -> dict[str, Any]:
    # Without their final Z canonical date-times sort as texts.
    return {"expiresAt": {"$not": {"$lte": now[:-1]}}}
