"""EntityMaps where temporal evolutions are read (5.7.3.4, 5.7.4.4); see `mapped`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace as with_
from typing import Any

from broker.api.mapped import known_map, map_header, new_map, with_ids
from broker.api.request import Request
from broker.api.response import Header
from broker.federation.maps import HERE
from broker.history.history import History
from broker.history.rows import Document
from broker.operations.entity_maps import TEMPORAL, EntityMap, Entry
from broker.operations.temporal import Found, TemporalAsk, batches, select
from ngsi_ld.context import Context
from ngsi_ld.errors import ErrorType, NgsiLdError, not_found

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
