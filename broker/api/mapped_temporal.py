"""EntityMaps where temporal evolutions are read (5.7.3.4, 5.7.4.4); see `mapped`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace as with_
from typing import Any

from broker.api.mapped import IDS_IN_A_QUERY, known_map, map_header, matches_of, new_map, with_ids
from broker.api.request import Request
from broker.api.response import Header
from broker.api.temporal_across import Across, Shown
from broker.federation.histories import Past
from broker.federation.maps import HERE
from broker.history.history import History
from broker.history.rows import Document
from broker.operations.entity_maps import TEMPORAL, EntityMap, Entry
from broker.operations.temporal import Found, TemporalAsk, batches, select
from ngsi_ld.context import Context
from ngsi_ld.errors import ErrorType, NgsiLdError, not_found
from ngsi_ld.registration.matching import Match

_TOGETHER = 100
_FEWEST = 20


async def temporal_candidates(request: Request, history: History, ask: TemporalAsk) -> dict[str, Sequence[str]]:
    """The entities that a temporal query is answered with, in the order of their ids, each with its sources."""
    most = request.services.entity_maps.limits.entities
    found: dict[str, Sequence[str]] = {}
    await history.begin(request.tenant)
    async for batch in batches(history, request.tenant, with_(ask, rows_too=False), request.now, _TOGETHER):
        found.update({one.entity["_id"]: (HERE,) for one in batch})
        if len(found) > most:
            raise NgsiLdError(ErrorType.TOO_MANY_RESULTS, f"more than {most} entities match: narrow the query")
    return found


class MappedEvolutions:
    """The evolutions of a map that a temporal query is answered with, page by page."""

    def __init__(self, request: Request, history: History, one: EntityMap, ask: TemporalAsk, *, created: bool) -> None:
        self._request, self._history, self._map, self._ask = request, history, one, ask
        self._maps = request.services.entity_maps
        self.created = created
        """Whether it was made for this request: the answer is 201 then."""
        self.header = map_header(one)

    async def select(self, *, offset: int, limit: int) -> list[Found]:
        """The page from `offset` on, in the order of the map.

        What does not match stays in the map: the next request may be about another time (5.5.14).
        """
        found: list[Found] = []
        async for batch in self._batches(offset, max(limit, _FEWEST)):
            there = {one.entity["_id"]: one for one in await self._found(self._ask, batch)}
            found += [there[one.id] for one in batch if one.id in there]
            if len(found) >= limit:
                break
        return found[:limit]

    async def count(self) -> int:
        """How many of the map match."""
        ask = with_(self._ask, rows_too=False)
        return sum([len(await self._found(ask, batch)) async for batch in self._batches(0, _TOGETHER)])

    async def _found(self, ask: TemporalAsk, batch: Sequence[Entry]) -> list[Found]:
        narrowed = with_(ask, query=with_ids(ask.query, [one.id for one in batch]))
        return await select(
            self._history, self._request.tenant, narrowed, self._request.now, offset=0, limit=len(batch)
        )

    async def _batches(self, offset: int, size: int) -> Any:
        while batch := await self._maps.entries(self._request.tenant, self._map.id, offset=offset, limit=size):
            yield batch
            offset += len(batch)


class EvolutionsAcross:
    """The evolutions of a map of which context sources have parts: each is asked of those who have it."""

    def __init__(self, request: Request, across: Across, one: EntityMap, *, created: bool) -> None:
        self._request, self._across, self._map = request, across, one
        self._maps = request.services.entity_maps
        across.maps.update(one.linked)
        self.created = created
        """Whether it was made for this request: the answer is 201 then."""
        self.header = map_header(one)

    async def page(self, *, limit: int, offset: int, counted: bool) -> tuple[Shown, bool, int]:
        """A page, whether there is more, and if `counted` how many of the map match."""
        found: list[Past] = []
        if limit:
            async for past in self._matching(offset):
                found.append(past)
                if len(found) > limit:
                    break
        number = len([1 async for _ in self._matching(0)]) if counted else 0
        return self._across.shown(found[:limit]), len(found) > limit, number

    async def _matching(self, offset: int) -> AsyncIterator[Past]:
        tenant = self._request.tenant
        while batch := await self._maps.entries(tenant, self._map.id, offset=offset, limit=IDS_IN_A_QUERY):
            sources = dict.fromkeys([source for entry in batch for source in entry.sources])
            there = await self._across.named([entry.id for entry in batch], matches_of(self._request, sources))
            for entry in batch:
                if entry.id in there:
                    yield there[entry.id]
            offset += len(batch)


async def new_temporal_map(
    request: Request, context: Context, parameters: Mapping[str, Any], across: Across, matches: Sequence[Match]
) -> EntityMap:
    """A map of what context sources have too (5.14.5.4)."""
    found = await across.candidates(matches, most=request.services.entity_maps.limits.entities)
    return await new_map(request, parameters, context, TEMPORAL, found, across.maps)


async def mapped_evolutions_across(
    request: Request, context: Context, parameters: Mapping[str, Any], across: Across, matches: Sequence[Match]
) -> EvolutionsAcross:
    """The evolutions of the map that the request names, or of a new one."""
    known = await known_map(request, TEMPORAL)
    if known is not None:
        return EvolutionsAcross(request, across, known, created=False)
    made = await new_temporal_map(request, context, parameters, across, matches)
    return EvolutionsAcross(request, across, made, created=True)


async def mapped_across(
    request: Request, context: Context, across: Across, matches: Sequence[Match]
) -> tuple[Shown, Header]:
    """The evolution of a retrieval, of the sources that the map says (5.7.3.4), and the header that tells of it."""
    maps, entity_id = request.services.entity_maps, request.ids[0]
    known = await known_map(request, TEMPORAL)
    if known is not None:
        sources = await maps.sources(request.tenant, known.id, entity_id)
        if sources is None:
            raise not_found(f"the EntityMap {known.id} has no entity {entity_id}")
        matches = [match for match in matches if match.registration.id in sources]
        across.maps.update(known.linked)
    told, had = await across.retrieve(entity_id, matches)
    if known is None:
        known = await new_map(request, request.parameters, context, TEMPORAL, {entity_id: had}, across.maps)
    return told, map_header(known)


async def mapped_evolutions(
    request: Request, context: Context, parameters: Mapping[str, Any], history: History, ask: TemporalAsk
) -> MappedEvolutions:
    """The evolutions of the map that the request names, or of a new one."""
    known = await known_map(request, TEMPORAL)
    if known is not None:
        return MappedEvolutions(request, history, known, ask, created=False)
    entries = await temporal_candidates(request, history, ask)
    made = await new_map(request, parameters, context, TEMPORAL, entries, {})
    return MappedEvolutions(request, history, made, ask, created=True)


async def mapped_evolution(
    request: Request, context: Context, retrieve: Callable[[], Awaitable[Document]]
) -> tuple[Document, Header]:
    """The entity of a retrieval (5.7.3.4), and the header that tells of the map."""
    maps, entity_id = request.services.entity_maps, request.ids[0]
    known = await known_map(request, TEMPORAL)
    if known is not None and await maps.sources(request.tenant, known.id, entity_id) is None:
        raise not_found(f"the EntityMap {known.id} has no entity {entity_id}")
    entity = await retrieve()
    if known is None:
        known = await new_map(request, request.parameters, context, TEMPORAL, {entity_id: (HERE,)}, {})
    return entity, map_header(known)
