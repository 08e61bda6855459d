"""How many entities several sources have together, as a sum of what each counts: where no two can have the same one.

That is so where registrations tell ids, or patterns of ids that begin differently, and the store has none of these.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from broker.federation import asking
from broker.federation.consulting import Consultation
from broker.federation.planning import Plan
from broker.store.store import Store
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.writing import Unwritable
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.narrowing import Part

_COUNT = (("limit", "0"), ("count", "true"))
_HEADER = "NGSILD-Results-Count"


async def summed(consultation: Consultation, plan: Plan, store: Store, tenant: str, now: str) -> int | None:
    """The number; None where it cannot be told without looking at the ids."""
    if plan.test is not None or not all(_is_counted(match, part) for match, part in plan.streams):
        return None
    several = [part for _, part in plan.streams]
    if any(_may_share(one.selector, other.selector) for one, other in combinations(several, 2)):
        return None
    if await store.count(tenant, replace(plan.local, selectors=_shared(plan.local, several), ordering=None), now=now):
        return None
    here = store.count(tenant, replace(plan.local, ordering=None), now=now)
    there = asyncio.gather(*[_counted(consultation, match, part, plan.remote) for match, part in plan.streams])
    local, numbers = await asyncio.gather(here, there)
    known = [number for number in numbers if number is not None]
    return local + sum(known) if len(known) == len(numbers) else None


def _is_counted(match: Match, part: Part) -> bool:
    """Whether the source counts, and what it counts is known by its ids."""
    selector = part.selector
    told = bool(selector.ids) or (selector.id_pattern is not None and bool(selector.id_pattern.prefix))
    return told and part.pattern is None and asking.orders(match.registration)


def _may_share(one: EntitySelector, other: EntitySelector) -> bool:
    """Whether an entity may be of both."""
    return any(
        here.startswith(there) or there.startswith(here) for here in _beginnings(one) for there in _beginnings(other)
    )


def _beginnings(selector: EntitySelector) -> Sequence[str]:
    # An id that is the beginning of another is taken for the same: it costs a look at the ids.
    return selector.ids or (selector.id_pattern.prefix if selector.id_pattern is not None else "",)


def _shared(local: Query, several: Sequence[Part]) -> tuple[EntitySelector, ...]:
    """What selects entities of the store whose ids sources may have too, whatever their types are there."""
    types = [one.types for one in local.selectors] or [None]
    return tuple(dict.fromkeys([replace(part.selector, types=one) for part in several for one in types]))


async def _counted(consultation: Consultation, match: Match, part: Part, conditions: Query) -> int | None:
    """What a source counts, 0 if it does not answer; None where it does not say."""
    registration = match.registration
    names = await consultation.names(registration)
    if names is None:
        return 0
    try:
        asked = asking.query(match, part, conditions, names, paging=_COUNT)
    except Unwritable:
        return None
    answer = await consultation.ask(registration, asked.method, asked.path, asked.parameters, asked.body)
    if answer is None:
        return 0
    number = answer.headers.get(_HEADER, "")
    return int(number) if number.isascii() and number.isdigit() else None
