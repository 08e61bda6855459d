"""Purge of entities, here and at the sources that have such (5.6.21).

A source purges what it is registered for and no more: its ids and types, and of entities that are purged of some
attributes only, the registered ones.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from broker.federation import outcome
from broker.federation.asking import conditions_of
from broker.federation.caller import Caller
from broker.federation.forwarding import Parameters
from broker.federation.outcome import Failure, Leg
from broker.federation.registry import Registry
from broker.federation.remote import Unanswered
from broker.federation.writes import Failed, Writes, without_loops
from broker.store.store import StoreUnavailable
from ngsi_ld.context import Context
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.writing import written_names
from ngsi_ld.registration import narrowing
from ngsi_ld.registration.matching import Match, Wanted
from ngsi_ld.registration.registration import Mode

PURGE = "purgeEntity"


@dataclass(frozen=True, slots=True)
class Reduction:
    """Which attributes (IRIs) purged entities lose, `drop`, or are all they keep, `keep`."""

    parameter: str
    names: frozenset[str]


async def purge(
    caller: Caller,
    writes: Writes,
    registry: Registry,
    query: Query,
    reduction: Reduction | None,
    local: Callable[[list[str]], Awaitable[None]],
) -> dict[str, Any] | None:
    """Purges at every source that is concerned, and here by `local`, which tells the ids.

    The body of the 207 answer where something failed, None where all was done; raises NgsiLdError where nothing was.
    """
    matches, looping = without_loops(caller, _concerned(caller, registry, query))
    sent = [_send(caller, writes, match, query, reduction) for match in matches]
    purged, legs = await asyncio.gather(_here(local), asyncio.gather(*sent))
    told = [leg for of_source in legs for leg in of_source]
    told += [outcome.failed(one.registration, (), outcome.looped(one.registration)) for one in looping]
    if outcome.is_complete([purged, *told]):
        return None
    errors = [outcome.listed("", failure, leg) for leg in [purged, *told] for failure in leg.failures]
    return {"success": list(purged.updated), "errors": errors}


def _concerned(caller: Caller, registry: Registry, query: Query) -> list[Match]:
    found: dict[str, Match] = {}
    for selector in query.selectors or (EntitySelector(),):
        wanted = Wanted(
            selector.ids,
            selector.id_pattern,
            selector.types,
            query.attributes,
            csf=query.csf,
            geo=query.geo,
            scope_q=query.scope_q,
        )
        for match in registry.matching(caller.tenant, wanted, caller.now):
            if match.registration.mode is not Mode.AUXILIARY:
                found.setdefault(match.registration.id, match)
    return list(found.values())


async def _here(local: Callable[[list[str]], Awaitable[None]]) -> Leg:
    ids: list[str] = []
    failures: list[Failure] = []
    try:
        await local(ids)
    except (NgsiLdError, StoreUnavailable) as error:
        failures.append(Failure.of(error))
    return Leg(None, succeeded=bool(ids), updated=ids, failures=failures)


async def _send(
    caller: Caller, writes: Writes, match: Match, query: Query, reduction: Reduction | None
) -> Sequence[Leg]:
    registration = match.registration
    if not match.supports(PURGE):
        if not registration.mode.proxied:
            return ()
        return (outcome.failed(registration, (), outcome.conflict(registration, PURGE)),)
    legs = []
    for part in narrowing.parts(match.information, query.selectors, query.attributes):
        reduced = _reduced(reduction, part.registered)
        if reduced is not None and not reduced.names and reduced.parameter == "drop":
            continue
        if part.pattern is not None:
            # Told of one only, it would delete more than it is registered for.
            why = f"a purge has one idPattern, and it would need both that of the request and {part.pattern.text}"
            legs.append(outcome.failed(registration, (), outcome.unanswered(registration, Unanswered("refused", why))))
            continue
        try:
            answer = await writes.ask(
                caller,
                registration,
                "DELETE",
                lambda _: "/entities",
                lambda context, part=part, reduced=reduced: _parameters(part, query, reduced, context),  # type: ignore[misc]
                lambda _: None,
            )
        except Failed as error:
            legs.append(outcome.failed(registration, (), error.failure))
        else:
            legs.append(outcome.answered(registration, (), answer))
    return legs


def _reduced(reduction: Reduction | None, registered: frozenset[str] | None) -> Reduction | None:
    """What a source is told to remove: of its attributes only those that are registered."""
    if reduction is None or registered is None:
        return reduction
    names = reduction.names & registered if reduction.parameter == "drop" else registered - reduction.names
    return Reduction("drop", names)


def _parameters(part: narrowing.Part, query: Query, reduction: Reduction | None, context: Context) -> Parameters:
    parameters = conditions_of(part, query, context)
    if query.attributes:
        parameters.append(("attrs", written_names(part.attributes, context)))
    if reduction is not None:
        parameters.append((reduction.parameter, written_names(reduction.names, context)))
    return parameters
