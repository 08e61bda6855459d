"""The resources `/entityMaps`, `/entityMaps/{id}` and `/temporal/entityMaps` (6.32, 6.34, 6.35)."""

from collections.abc import Mapping
from typing import Any

from broker.api.consumption import with_context
from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.mapped import candidates, map_header, new_map
from broker.api.mapped_temporal import new_temporal_map, temporal_candidates
from broker.api.query import QUERY_PARAMETERS, VIEW_OPTIONS, VIEW_PARAMETERS, linking_of, query_of, view_of
from broker.api.query_body import parameters_of
from broker.api.request import Request
from broker.api.response import Response, dump, no_content
from broker.api.temporal import SELECTION as TEMPORAL_SELECTION
from broker.api.temporal_across import Across
from broker.api.temporal_consumption import history_of
from broker.api.temporal_query import TEMPORAL_OPTIONS, TEMPORAL_VIEW_PARAMETERS, body_parameters, reading_of
from broker.operations.entity_maps import ENTITIES, TEMPORAL, EntityMap
from ngsi_ld.context import Context
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.names import checked_uri


async def _create(request: Request) -> Response:
    return await _created(request, request.parameters)


async def _create_by_body(request: Request) -> Response:
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a Query")
    return await _created(request, request.parameters | parameters_of(request.body))


async def _created(request: Request, parameters: Mapping[str, Any]) -> Response:
    context, settings = await request.context(), request.services.settings
    linking = linking_of(parameters, settings.max_join_level)
    query = query_of(parameters, context, linking, settings.collation)
    view = view_of(request, parameters, context, linking)
    territory = request.territory(
        context, attributes=view.attributes, dataset_ids=view.dataset_ids, split=parameters.get("splitEntities")
    )
    made = await new_map(request, parameters, context, ENTITIES, *await candidates(request, query, territory))
    return await _shown(request, context, made, 201)


async def _create_temporal(request: Request) -> Response:
    return await _created_temporal(request, request.parameters)


async def _create_temporal_by_body(request: Request) -> Response:
    return await _created_temporal(request, request.parameters | body_parameters(request.body))


async def _created_temporal(request: Request, parameters: Mapping[str, Any]) -> Response:
    context = await request.context()
    reading = reading_of(request, parameters, context, of_one=False)
    history = history_of(request)
    if request.distributed:
        across = Across(request, context, reading, history, split=parameters.get("splitEntities"))
        matches = across.of_query()
        if matches:
            made = await new_temporal_map(request, context, parameters, across, matches)
            return await _shown(request, context, made, 201)
    entries = await temporal_candidates(request, history, reading.ask)
    made = await new_map(request, parameters, context, TEMPORAL, entries, {})
    return await _shown(request, context, made, 201)


async def _retrieve(request: Request) -> Response:
    map_id = checked_uri(request.ids[0], "the id in the path")
    found = await request.services.entity_maps.get(request.tenant, map_id, request.now)
    return await _shown(request, await request.context(), found, 200)


async def _update(request: Request) -> Response:
    map_id = checked_uri(request.ids[0], "the id in the path")
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a fragment of an EntityMap")
    await request.context()
    if request.body.get("type", "EntityMap") != "EntityMap":
        raise bad_request_data(f'type must be "EntityMap", not {request.body["type"]!r}')
    if request.body.get("id", map_id) != map_id:
        raise bad_request_data(f"id cannot be changed: it is {map_id}")
    maps = request.services.entity_maps
    if "expiresAt" in request.body:
        await maps.update(request.tenant, map_id, request.body["expiresAt"], request.now)
    else:
        await maps.get(request.tenant, map_id, request.now)
    return no_content()


async def _delete(request: Request) -> Response:
    map_id = checked_uri(request.ids[0], "the id in the path")
    await request.services.entity_maps.delete(request.tenant, map_id, request.now)
    return no_content()


async def _shown(request: Request, context: Context, one: EntityMap, status: int) -> Response:
    """The map whole (5.2.39); where it was made just now, with the header that tells where it is."""
    entries = await request.services.entity_maps.entries(request.tenant, one.id)
    body = {
        "id": one.id,
        "type": "EntityMap",
        "expiresAt": one.expires_at,
        "entityMap": {entry.id: list(entry.sources) for entry in entries},
        # Sources say where their maps are, of which the last part is the id.
        "linkedMaps": {source: place.rpartition("/")[2] for source, place in one.linked.items()},
    }
    headers = [*await request.answer_headers(context), *([map_header(one)] if status == 201 else ())]
    return Response(status, dump(with_context(body, request, context)), headers)


_QUERY = QUERY_PARAMETERS | VIEW_PARAMETERS
_TEMPORAL_QUERY = TEMPORAL_SELECTION | TEMPORAL_VIEW_PARAMETERS
_OF_A_BODY = frozenset({"limit", "offset", "count", "local", "format", "options"})

RESOURCES = (
    Resource(
        "/entityMaps",
        "EntityMaps",
        {
            "GET": Endpoint(
                "Create EntityMap for Query Entities",
                "5.14.4",
                _create,
                _QUERY,
                statuses=(201,),
                options=VIEW_OPTIONS,
            ),
            "POST": Endpoint(
                "Create EntityMap for Query Entities via POST",
                "5.14.4",
                _create_by_body,
                _OF_A_BODY,
                JSON_BODY,
                statuses=(201,),
                options=VIEW_OPTIONS,
                schema="Query",
            ),
        },
    ),
    Resource(
        "/temporal/entityMaps",
        "EntityMaps of temporal evolutions",
        {
            "GET": Endpoint(
                "Create EntityMap for Query Temporal Entities",
                "5.14.5",
                _create_temporal,
                _TEMPORAL_QUERY,
                statuses=(201,),
                options=TEMPORAL_OPTIONS,
            ),
            "POST": Endpoint(
                "Create EntityMap for Query Temporal Entities via POST",
                "5.14.5",
                _create_temporal_by_body,
                _OF_A_BODY,
                JSON_BODY,
                statuses=(201,),
                options=TEMPORAL_OPTIONS,
                schema="TemporalQuery",
            ),
        },
    ),
    Resource(
        "/entityMaps/{entityMapId}",
        "One EntityMap",
        {
            "GET": Endpoint("Retrieve EntityMap", "5.14.1", _retrieve),
            "PATCH": Endpoint(
                "Update EntityMap", "5.14.2", _update, bodies=PATCH_BODY, statuses=(204,), schema="EntityMapFragment"
            ),
            "DELETE": Endpoint("Delete EntityMap", "5.14.3", _delete, statuses=(204,)),
        },
    ),
)
