"""Retention: how long the history of what is kept; what is older goes away by itself.

    P2Y; type=https://uri.etsi.org/ngsi-ld/default-context/Camera P30D; tenant=chalons attribute=noiseLevel P90D

Rules are separated by semicolons: an ISO 8601 duration, and before it what it is for: a tenant, a type, an attribute,
as IRIs or as names of the core @context. Of the rules that fit, the one that names most decides; among equals an
attribute counts more than a type, and that more than a tenant. What no rule fits is kept for ever. Whole days in UTC
go, by `observedAt`, or for lack of it by when the value came.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pymongo import DeleteMany

from broker.history.collections import Collections
from broker.store.names import key
from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.durations import Duration, before, parse_duration

_TOGETHER = 500
_NAMES = ("tenant", "type", "attribute")


@dataclass(frozen=True, slots=True)
class Rule:
    """For how long what it fits is kept; None fits all. `attribute` is a KEY, `type` an IRI."""

    duration: Duration
    tenant: str | None = None
    type: str | None = None
    attribute: str | None = None

    @property
    def weight(self) -> tuple[int, bool, bool]:
        """The greater, the more it decides."""
        named = [self.attribute is not None, self.type is not None, self.tenant is not None]
        return sum(named), named[0], named[1]


def parse_retention(text: str) -> tuple[Rule, ...]:
    """The rules of a setting, the most decisive first; ValueError that says what is wrong where one is no rule."""
    return tuple(sorted(map(_rule, filter(None, map(str.strip, text.split(";")))), key=_weight, reverse=True))


class Retention:
    """Deletes what the rules keep no longer."""

    def __init__(self, collections: Collections, rules: Sequence[Rule]) -> None:
        self._collections = collections
        self._rules = rules

    async def sweep(self, tenant: str, now: int) -> int:
        """Deletes the buckets of a tenant that are past their time at `now`, in microseconds; how many."""
        rules = [rule for rule in self._rules if rule.tenant in (None, tenant)]
        if not rules:
            return 0
        number = 0
        found = self._collections.entities(tenant).find({}, {"types": 1, "series": 1}, batch_size=_TOGETHER)
        deletions: list[DeleteMany] = []
        async for entity in found:
            names = {one.partition("\n")[0] for one in entity.get("series", ())}
            deletions += _deletions(entity["_id"], entity["types"], names, rules, now)
            if len(deletions) >= _TOGETHER:
                number += (await self._collections.buckets(tenant).bulk_write(deletions, ordered=False)).deleted_count
                deletions = []
        if deletions:
            number += (await self._collections.buckets(tenant).bulk_write(deletions, ordered=False)).deleted_count
        return number


def _deletions(
    entity_id: str, types: Sequence[str], names: set[str], rules: Sequence[Rule], now: int
) -> Iterator[DeleteMany]:
    together: dict[Duration, list[str]] = {}
    for name in sorted(names):
        for rule in rules:
            if rule.type in (None, *types) and rule.attribute in (None, name):
                together.setdefault(rule.duration, []).append(name)
                break
    for duration, listed in together.items():
        last_day = before(now, duration) // instants.DAY
        yield DeleteMany({"e": entity_id, "a": {"$in": listed}, "w": {"$lt": last_day}})


def _rule(text: str) -> Rule:
    *words, duration = text.split()
    named: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (equals and value) or name not in _NAMES or name in named:
            raise ValueError(f"retention: {word!r} must be one of {', '.join(f'{one}=…' for one in _NAMES)}")
        named[name] = value
    try:
        kept = parse_duration(duration, "retention")
    except NgsiLdError as error:
        raise ValueError(error.detail) from None
    if kept.is_zero:
        raise ValueError(f"retention: {duration} keeps nothing; to record nothing, set history to false")
    return Rule(
        kept,
        named.get("tenant"),
        CORE.iri(named["type"]) if "type" in named else None,
        key(CORE.iri(named["attribute"])) if "attribute" in named else None,
    )


def _weight(rule: Rule) -> tuple[int, bool, bool]:
    return rule.weight
