"""What one context source has of an entity, or of many, by their ids (5.7.1.4, 4.5.23)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from broker.federation import asking
from broker.federation.consulting import Consultation
from broker.federation.streams import LARGEST_PAGE, SourceStream
from ngsi_ld.entity import Entity
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.narrowing import Part, parts

_IDS_IN_A_QUERY = 50
"""So many ids in one URL; those of servers are limited to some thousand characters."""


async def retrieved(
    consultation: Consultation, match: Match, entity_id: str, attributes: frozenset[str]
) -> Entity | None:
    """What the source of one registration has of an entity."""
    registration = match.registration
    names = await consultation.names(registration)
    wanted = parts(match.information, (EntitySelector(ids=(entity_id,)),), attributes)
    if names is None or not wanted:
        return None
    part = wanted[0]
    if len(wanted) > 1:
        part = replace(part, attributes=_united(wanted), registered=_registered(wanted))
    asked = asking.retrieval(match, entity_id, part, names)
    if asked is None:
        return None
    answer = await consultation.ask(registration, asked.method, asked.path, asked.parameters, asked.body)
    if answer is None:
        return None
    body = answer.body
    for number, one in enumerate(body if isinstance(body, list) else [body]):
        context = answer.context_of(number) if isinstance(body, list) else answer.context
        entity = consultation.entity(registration, one, context)
        if entity is None:
            continue
        for each in wanted:
            own = replace(each, registered=part.registered).own(entity)
            if own is not None:
                return own
        consultation.warn_foreign(registration, entity.id)
    return None


async def with_ids(consultation: Consultation, match: Match, ids: tuple[str, ...], most: int) -> list[Entity]:
    """Those of the entities that the source of a registration has, by as few requests as it takes; at most `most`."""
    wanted = parts(match.information, (EntitySelector(ids=ids),), frozenset())
    single: dict[str, None] = {}
    streams: list[SourceStream] = []
    for part in wanted:
        own = part.selector.ids
        if asking.is_queried(match) and not asking.is_wide(part, Query()):
            for start in range(0, len(own), _IDS_IN_A_QUERY):
                chunk = replace(part, selector=replace(part.selector, ids=own[start : start + _IDS_IN_A_QUERY]))
                streams.append(SourceStream(consultation, match, chunk, Query(), most, in_order=False))
        else:
            single.update(dict.fromkeys(own))
    found = [
        one
        for one in await asyncio.gather(*[retrieved(consultation, match, one, frozenset()) for one in single])
        if one is not None
    ]
    if streams:
        await asyncio.gather(*[stream.fill(LARGEST_PAGE, ids_only=False) for stream in streams])
        found += [entity for stream in streams for item in stream.items if (entity := stream.entity(item)) is not None]
    return found


def _united(wanted: Sequence[Part]) -> frozenset[str]:
    """The attributes to ask for in one request; none, which is all, where one part asks for all."""
    return (
        frozenset().union(*[one.attributes for one in wanted]) if all(one.attributes for one in wanted) else frozenset()
    )


def _registered(wanted: Sequence[Part]) -> frozenset[str] | None:
    several = [one.registered for one in wanted if one.registered is not None]
    return frozenset().union(*several) if len(several) == len(wanted) else None
