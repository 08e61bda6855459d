"""Answers with entities: one, or a page with its links and count, in every media type (6.3.6, 6.3.10, 6.3.13)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from broker.api.mapped import MappedEntities, mapped_entities, wants_map
from broker.api.media import GEO_JSON, JSON, JSON_LD
from broker.api.prefer import preferred, preferred_version
from broker.api.request import Request
from broker.api.response import ROOT, Header, Response, dump, media_header
from broker.federation.reads import Territory
from broker.operations.linked import with_linked
from broker.store.store import Position, Reading
from ngsi_ld.conformance import conforming
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import bad_request_data, not_found
from ngsi_ld.linked import Join, Linking, Node, every, render_inline
from ngsi_ld.query.query import Query
from ngsi_ld.representation import LOCATION, View, as_feature, feature_collection, render, render_feature

_BARE = frozenset({"id", "type", "scope"})
"""The members of an entity for which none of its attributes has to be read."""

_QUERY_CHARACTERS = ":/@!$()*"
"""What stands for itself in a query (RFC 3986, 3.4); not what parts parameters or link values."""


async def one_entity(
    request: Request, context: Context, entity: Entity, view: View, linking: Linking | None
) -> Response:
    """200 with the entity; ResourceNotFound where the projection leaves nothing of it.

    With `join=flat` it is an array with the linked entities after it, or a FeatureCollection (5.7.1.5).
    """
    if view.attributes is not None and entity.attributes.keys().isdisjoint(view.attributes):
        raise not_found(f"the entity {entity.id} has none of the attributes that attrs names")
    headers = await entity_headers(request, context)
    territory = request.territory(context) if linking is not None else request.services.store
    status, shown = await _rendered(request, context, territory, [entity], view, linking, headers)
    if not shown[0]:
        raise not_found(f"pick and omit leave nothing of the entity {entity.id}")
    if linking is not None and linking.join is Join.FLAT:
        return _array(request, context, status, shown, headers)
    return Response(status, dump(with_context(shown[0], request, context)), headers)


async def page_of_entities(
    request: Request,
    context: Context,
    parameters: Mapping[str, Any],
    query: Query,
    view: View,
    linking: Linking | None,
) -> Response:
    """200 with the page that the parameters ask for, links to its neighbours, and the count if asked."""
    store: Reading | MappedEntities
    territory = store = request.territory(
        context, attributes=view.attributes, dataset_ids=view.dataset_ids, split=parameters.get("splitEntities")
    )
    distributed = isinstance(store, Territory) and store.reaches(query)
    if not distributed:
        store = request.services.store
    mapped: MappedEntities | None = None
    if wants_map(request, parameters):
        store = mapped = await mapped_entities(request, context, parameters, query, territory)
    limit, offset = page_bounds(request)
    after = Position.parse(parameters["cursor"]) if "cursor" in parameters else None
    if after is not None and (offset or query.ordering is not None or mapped is not None):
        raise bad_request_data(
            "a cursor goes with no offset, orderBy or EntityMap: it is a place in the order of creation"
        )
    found: list[Entity] = []
    if limit:
        # One more than the page tells whether there is a next one.
        found = await store.find(
            request.tenant,
            query,
            now=request.now,
            limit=limit + 1,
            offset=offset,
            after=after,
            bare=linking is None and view.pick is not None and view.pick <= _BARE and request.accept != GEO_JSON,
        )
    headers = await entity_headers(request, context)
    if parameters.get("count"):
        whole = limit and not offset and after is None and len(found) <= limit
        count = len(found) if whole else await store.count(request.tenant, query, now=request.now)
        headers.append((b"ngsild-results-count", str(count).encode()))
    page = found[:limit]
    following = None
    if len(found) > limit:
        counted = distributed or query.ordering is not None or mapped is not None
        following = _next_page(request, limit, offset, page[-1], counted=counted)
    headers += page_links(request, limit, offset, following)
    status, shown = await _rendered(request, context, territory, page, view, linking, headers)
    if mapped is not None:
        headers.append(mapped.header)
        status = 201 if mapped.created and status == 200 else status
    return _array(request, context, status, shown, headers)


async def _rendered(
    request: Request,
    context: Context,
    territory: Reading,
    entities: list[Entity],
    view: View,
    linking: Linking | None,
    headers: list[Header],
) -> tuple[int, list[dict[str, Any]]]:
    """The entities as JSON, or as Features, with those that `join` asks for; empty where nothing is left of one.

    The status is 203 where something was left out or made older for `Prefer: ngsi-ld=…`, which the headers then say.
    """
    now, spatial = request.now, request.accept == GEO_JSON
    # 5.7.1.4 and 5.7.2.4 have the preference for JSON and JSON-LD only.
    version = None if spatial else preferred_version(request)
    if linking is None and version is None:
        if spatial:
            geometry = geometry_property(request.parameters, context)
            return 200, [render_feature(one, context, view, now, geometry) for one in entities]
        return 200, [render(one, context, view, now) for one in entities]
    status, nodes = 200, [Node(entity, view) for entity in entities]
    if linking is not None:
        services = request.services
        nodes = await with_linked(territory, request.tenant, nodes, linking, now, most=services.settings.max_links)
    if version is not None:
        headers.append((b"preference-applied", f"ngsi-ld={version[0]}.{version[1]}".encode()))
        for node in every(nodes):
            asked, view = node.entity, node.view
            node.entity = conforming(asked, version, context, language_filter=view.languages is not None)
            # What made a difference may not be shown: expiresAt without sysAttrs, an attribute that is not picked.
            if node.entity is not asked and render(node.entity, context, view, now) != render(
                asked, context, view, now
            ):
                status = 203
    shown = [render_inline(node, context, now) for node in nodes]
    if spatial:
        geometry = geometry_property(request.parameters, context)
        shown = [as_feature(one, node.entity, node.view, now, geometry) for one, node in zip(shown, nodes, strict=True)]
    return status, shown


def _array(
    request: Request, context: Context, status: int, shown: list[dict[str, Any]], headers: list[Header]
) -> Response:
    if request.accept == GEO_JSON:
        return Response(status, dump(with_context(feature_collection(shown), request, context)), headers)
    shown = [one for one in shown if one]
    if request.accept == JSON_LD:
        shown = [with_context(one, request, context) for one in shown]
    return Response(status, dump(shown), headers)


def page_bounds(request: Request) -> tuple[int, int]:
    """The limit and offset of a page; BadRequestData where they make no page."""
    settings = request.services.settings
    limit: int = request.parameters.get("limit", settings.default_page_size)
    if limit > settings.max_page_size:
        raise bad_request_data(f"limit must be {settings.max_page_size} at most, not {limit}")
    if limit == 0 and not request.parameters.get("count"):
        raise bad_request_data("limit=0 asks for no element, which makes sense with count=true only")
    return limit, request.parameters.get("offset", 0)


def page_links(request: Request, limit: int, offset: int, following: Mapping[str, Any] | None) -> list[Header]:
    """Link headers to the previous and the next page (6.3.10); `following` are the next one's paging parameters."""
    links = []
    if offset and limit:
        links.append(_page_link(request, "prev", {"offset": max(0, offset - limit), "limit": limit}))
    if following is not None:
        links.append(_page_link(request, "next", {**following, "limit": limit}))
    return links


def _next_page(request: Request, limit: int, offset: int, last: Entity, *, counted: bool) -> dict[str, Any]:
    """Where the page after `last` begins.

    In order of creation that is where this one ended, which costs the same however far one pages and neither skips
    nor repeats while others write. A client that counts in offsets keeps doing so; what comes in another
    order, or from several sources, is `counted`.
    """
    if counted or "offset" in request.parameters:
        return {"offset": offset + limit}
    return {"cursor": str(Position.after(last))}


def _page_link(request: Request, relation: str, paging: Mapping[str, Any]) -> Header:
    kept = [(name, value) for name, value in request.query_pairs() if name not in ("limit", "offset", "cursor")]
    pairs = sorted([*kept, *((name, str(value)) for name, value in paging.items())])
    query = urlencode(pairs, quote_via=quote, safe=_QUERY_CHARACTERS)
    path = request.path.rstrip("/")
    return (b"link", f'<{ROOT}{path}?{query}>; rel="{relation}"; type="{request.accept}"'.encode())


async def entity_headers(request: Request, context: Context) -> list[Header]:
    """The headers of an answer with entities."""
    if request.accept == GEO_JSON and not _plain_geo_json(request):
        return [media_header(GEO_JSON)]
    return await request.answer_headers(context)


def with_context(body: dict[str, Any], request: Request, context: Context) -> dict[str, Any]:
    """The body with its @context inside where the media type has it there."""
    if request.accept == JSON or (request.accept == GEO_JSON and _plain_geo_json(request)):
        return body
    return {**body, "@context": context.source}


def geometry_property(parameters: Mapping[str, Any], context: Context) -> str:
    """The IRI of the GeoProperty that becomes the geometry."""
    return context.iri(parameters["geometryProperty"]) if "geometryProperty" in parameters else LOCATION


def _plain_geo_json(request: Request) -> bool:
    """Whether the client prefers GeoJSON without @context: `Prefer: body=json` (6.3.6)."""
    return preferred(request, "body") == "json"
