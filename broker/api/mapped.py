"""EntityMaps where entities are read (5.5.9.3, 5.5.14): made when asked for, used when named, and told in a header.

A request that names a map which is not there, or not any more, gets a new one: the client sees another place in the
header NGSILD-EntityMap, and 201 where it asked for a page.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace as with_
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

import orjson

from broker.api.request import Request
from broker.api.response import Header, location
from broker.federation.maps import HERE
from broker.federation.planning import Chosen
from broker.federation.reads import Territory
from broker.operations.entity_maps import ENTITIES, EntityMap, Entry
from broker.store.store import Position, Reading
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import not_found
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.registration.matching import Match

HEADER = b"ngsild-entitymap"

IDS_IN_A_QUERY = 50
"""So many ids in one URL; those of servers are limited to some thousand characters."""

_FEWEST = 20
_NOBODY = "urn:ngsi-ld:null"
_COUNTED = 5000
_SELECTING = (
    *("entities", "type", "idPattern", "attrs", "q", "expandValues", "jsonKeys", "scopeQ", "csf"),
    *("georel", "geometry", "coordinates", "geoproperty"),
)


def wants_map(request: Request, parameters: Mapping[str, Any]) -> bool:
    """Whether a request asks for an EntityMap or names one."""
    return parameters.get("entityMap") is True or HEADER in request.headers


def map_header(made: EntityMap) -> Header:
    """The header that tells where a map is."""
    return (HEADER, location(f"/entityMaps/{made.id}"))


async def known_map(request: Request, kind: str) -> EntityMap | None:
    """The map that the request names by its id or its place; None where it names none that is there."""
    if HEADER not in request.headers:
        return None
    map_id = unquote(request.headers[HEADER].decode("latin-1").strip().rpartition("/")[2])
    found = await request.services.entity_maps.find(request.tenant, map_id, request.now)
    return found if found is not None and found.kind == kind else None


async def new_map(
    request: Request,
    parameters: Mapping[str, Any],
    context: Context,
    kind: str,
    entries: Mapping[str, Sequence[str]],
    linked: Mapping[str, str],
) -> EntityMap:
    """A map of these entities with their sources, for as long as the request would have it."""
    return await request.services.entity_maps.create(
        request.tenant,
        kind,
        entries,
        linked,
        parameters.get("entityMapLifetime"),
        asked_for(parameters, context),
        request.now,
    )


async def candidates(
    request: Request, query: Query, territory: Reading
) -> tuple[Mapping[str, Sequence[str]], Mapping[str, str]]:
    """The entities of a map to be with their sources, and the maps of sources (5.14.4.4)."""
    most = request.services.entity_maps.limits.entities
    if isinstance(territory, Territory) and territory.reaches(query):
        found = await territory.candidates(request.tenant, query, most=most)
        return found, territory.maps
    ids = await request.services.store.ids(request.tenant, query, now=request.now, most=most)
    return dict.fromkeys(ids, (HERE,)), {}


def matches_of(request: Request, sources: Iterable[str]) -> list[Match]:
    """The registrations with these ids that are still there, with all that they have."""
    registry, found = request.services.registry, []
    for source in sources:
        registration = registry.get(request.tenant, source)
        if registration is not None and registration.alive(request.now):
            positions = tuple(range(len(registration.information)))
            found.append(Match(registration, registration.information, positions))
    return found


def asked_for(parameters: Mapping[str, Any], context: Context) -> bytes:
    """What tells one selection of entities from another, whatever ids and page it is asked for with."""
    asked = {name: parameters[name] for name in _SELECTING if name in parameters}
    if "entities" in asked:
        asked["entities"] = [{name: one[name] for name in one if name != "id"} for one in asked["entities"]]
    text = orjson.dumps([asked, context.source], default=_listed, option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).digest()


class MappedEntities:
    """The entities of a map that match a query, read page by page as a store is.

    Those that match no more are taken out of the map, if it was made for the same query, and pages filled up with the
    next ones. An entity whose source does not answer stays.
    """

    def __init__(self, request: Request, one: EntityMap, territory: Reading, *, created: bool, same: bool) -> None:
        self._request, self._map, self._territory = request, one, territory
        self._maps = request.services.entity_maps
        self._same = same
        self.created = created
        """Whether it was made for this request: the answer is 201 then."""
        self.header = map_header(one)

    async def find(
        self,
        tenant: str,
        query: Query,
        *,
        now: str,
        limit: int,
        offset: int = 0,
        after: Position | None = None,
        bare: bool = False,
    ) -> list[Entity]:
        """The page from `offset` on, in the order of the map."""
        found: list[Entity] = []
        gone: list[Entry] = []
        async for batch in self._batches(query, offset, max(limit, _FEWEST)):
            warned = len(self._request.warnings)
            there = {one.id: one for one in await self._entities(query, batch)}
            silent = len(self._request.warnings) > warned
            gone += [one for one in batch if one.id not in there and (not silent or one.sources == (HERE,))]
            found += [there[one.id] for one in batch if one.id in there]
            if len(found) >= limit:
                break
        if gone and self._same:
            await self._maps.remove(tenant, self._map.id, gone)
        return found[:limit]

    async def count(self, tenant: str, query: Query, *, now: str) -> int:
        """How many of the map match."""
        number = 0
        async for batch in self._batches(query, 0, _COUNTED):
            here, elsewhere = self._divided(batch)
            if isinstance(self._territory, Territory) and elsewhere:
                number += await self._territory.count(tenant, query, now=now, chosen=[here, *elsewhere])
            elif here.ids:
                number += await self._request.services.store.count(tenant, with_ids(query, here.ids), now=now)
        return number

    async def _batches(self, query: Query, offset: int, size: int) -> Any:
        """The entries from a place on: of the whole map, or of those that the request names."""
        tenant = self._request.tenant
        if query.selectors and all(selector.ids for selector in query.selectors):
            ids = [one for selector in query.selectors for one in selector.ids]
            named = await self._maps.entries_of(tenant, self._map.id, ids)
            for start in range(offset, len(named), size):
                yield named[start : start + size]
            return
        while batch := await self._maps.entries(tenant, self._map.id, offset=offset, limit=size):
            yield batch
            offset += len(batch)

    async def _entities(self, query: Query, batch: Sequence[Entry]) -> list[Entity]:
        now, tenant, store = self._request.now, self._request.tenant, self._request.services.store
        here, elsewhere = self._divided(batch)
        if isinstance(self._territory, Territory) and elsewhere:
            whole, chosen = with_(query, ordering=None), [here, *elsewhere]
            return await self._territory.find(tenant, whole, now=now, limit=len(batch), chosen=chosen)
        if not here.ids:
            return []
        return await store.find(tenant, with_ids(query, here.ids), now=now, limit=len(batch))

    def _divided(self, batch: Sequence[Entry]) -> tuple[Chosen, list[Chosen]]:
        """Who is asked for which of the entries: this broker, and those sources that are still registered."""
        by_source: dict[str, list[str]] = {}
        for entry in batch:
            for source in entry.sources:
                by_source.setdefault(source, []).append(entry.id)
        here = Chosen(None, tuple(by_source.pop(HERE, ())))
        elsewhere = []
        for match in matches_of(self._request, by_source):
            ids = tuple(by_source[match.registration.id])
            starts = range(0, len(ids), IDS_IN_A_QUERY)
            elsewhere += [Chosen(match, ids[start : start + IDS_IN_A_QUERY]) for start in starts]
        return here, elsewhere


async def mapped_entities(
    request: Request, context: Context, parameters: Mapping[str, Any], query: Query, territory: Reading
) -> MappedEntities:
    """The entities of the map that the request names, or of a new one."""
    known = await known_map(request, ENTITIES)
    if known is not None:
        if isinstance(territory, Territory):
            territory.maps.update(known.linked)
        same = known.asked == asked_for(parameters, context)
        return MappedEntities(request, known, territory, created=False, same=same)
    entries, linked = await candidates(request, query, territory)
    made = await new_map(request, parameters, context, ENTITIES, entries, linked)
    return MappedEntities(request, made, territory, created=True, same=True)


async def mapped_entity(
    request: Request, context: Context, territory: Reading, retrieve: Callable[[], Awaitable[Entity]]
) -> tuple[Entity, Header]:
    """The entity of a retrieval with the sources that the map says (5.7.1.4), and the header that tells of the map."""
    maps, entity_id = request.services.entity_maps, request.ids[0]
    known = await known_map(request, ENTITIES)
    if known is not None:
        sources = await maps.sources(request.tenant, known.id, entity_id)
        if sources is None:
            raise not_found(f"the EntityMap {known.id} has no entity {entity_id}")
        if isinstance(territory, Territory):
            territory.only = frozenset(sources)
            territory.maps.update(known.linked)
    entity = await retrieve()
    linked = territory.maps if isinstance(territory, Territory) else {}
    if known is None:
        sources = tuple(territory.sources) if isinstance(territory, Territory) else (HERE,)
        known = await new_map(request, request.parameters, context, ENTITIES, {entity_id: sources}, linked)
    else:
        known = await maps.link(request.tenant, known, {**known.linked, **linked})
    return entity, map_header(known)


def with_ids(query: Query, ids: Iterable[str]) -> Query:
    """The query for these ids alone, in no order."""
    wanted = frozenset(ids)
    selectors = []
    for one in query.selectors or (EntitySelector(),):
        kept = tuple(sorted(wanted if not one.ids else wanted & frozenset(one.ids)))
        # Without ids it would be for any.
        selectors.append(with_(one, ids=kept or (_NOBODY,)))
    return with_(query, selectors=tuple(selectors), ordering=None)


def _listed(value: Any) -> Any:
    if isinstance(value, AbstractSet):
        return sorted(value)
    raise TypeError
