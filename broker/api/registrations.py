"""The resources `/csourceRegistrations` and `/csourceRegistrations/{id}` (6.8, 6.9)."""

from typing import Any

from broker.api.consumption import page_bounds, page_links, with_context
from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.media import JSON_LD
from broker.api.query import query_of
from broker.api.request import Request
from broker.api.response import Response, created, dump, no_content
from broker.federation.registry import Wanted
from broker.operations.registrations import render
from ngsi_ld.context import Context
from ngsi_ld.errors import invalid_request
from ngsi_ld.names import checked_uri
from ngsi_ld.query.projection import MEMBERS, parse_projection
from ngsi_ld.query.q import parse_q
from ngsi_ld.query.query import EntitySelector, named_attributes
from ngsi_ld.temporal.query import TemporalQuery, parse_temporal_query


async def _create(request: Request) -> Response:
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a ContextSourceRegistration")
    context = await request.context()
    registrations = request.services.registrations
    return created(
        f"/csourceRegistrations/{await registrations.create(request.tenant, request.body, context, request.now)}"
    )


async def _discover(request: Request) -> Response:
    context, registrations = await request.context(), request.services.registrations
    limit, offset = page_bounds(request)
    found = await registrations.discover(request.tenant, _wanted(request.parameters, context), request.now)
    headers = await request.answer_headers(context)
    if request.parameters.get("count"):
        headers.append((b"ngsild-results-count", str(len(found)).encode()))
    following = {"offset": offset + limit} if len(found) > offset + limit else None
    headers += page_links(request, limit, offset, following if limit else None)
    sys_attrs = "options" in request.parameters
    page = await registrations.described(request.tenant, found[offset : offset + limit])
    shown = [render(one, context, sys_attrs=sys_attrs) for one in page]
    if request.accept == JSON_LD:
        shown = [with_context(one, request, context) for one in shown]
    return Response(200, dump(shown), headers)


def _wanted(parameters: dict[str, Any], context: Context) -> Wanted:
    """What registrations are looked for (5.10.2.4): attributes that are named anywhere count as requested ones."""
    query = query_of({name: value for name, value in parameters.items() if name != "csf"}, context)
    attributes = query.attributes | named_attributes(query.q)
    for name in ("pick", "omit"):
        if name in parameters:
            projection = parse_projection(parameters[name], context, name)
            attributes |= projection.members.keys() - MEMBERS if name == "pick" else set()
    if query.geo is not None and "geoproperty" in parameters:
        attributes |= {query.geo.geoproperty}
    selector = query.selectors[0] if query.selectors else EntitySelector()
    return Wanted(
        ids=selector.ids,
        id_pattern=selector.id_pattern,
        types=selector.types,
        attributes=frozenset(attributes),
        dataset_ids=parameters.get("datasetId", frozenset()),
        temporal=_temporal(parameters),
        geo=query.geo,
        scope_q=query.scope_q,
        csf=parse_q(parameters["csf"], context, parameter="csf") if "csf" in parameters else None,
        strict=True,
    )


def _temporal(parameters: dict[str, Any]) -> TemporalQuery | None:
    if parameters.keys().isdisjoint(("timerel", "timeAt", "endTimeAt")):
        return None
    return parse_temporal_query(
        timerel=parameters.get("timerel"),
        time_at=parameters.get("timeAt"),
        end_time_at=parameters.get("endTimeAt"),
        timeproperty=parameters.get("timeproperty"),
    )


async def _retrieve(request: Request) -> Response:
    context = await request.context()
    stored = await request.services.registrations.retrieve(request.tenant, request.ids[0], request.now)
    shown = with_context(render(stored, context, sys_attrs="options" in request.parameters), request, context)
    return Response(200, dump(shown), await request.answer_headers(context))


async def _update(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object with the members to change")
    context = await request.context()
    await request.services.registrations.update(request.tenant, request.ids[0], request.body, context, request.now)
    return no_content()


async def _delete(request: Request) -> Response:
    await request.services.registrations.delete(request.tenant, request.ids[0], request.now)
    return no_content()


_OPTIONS = frozenset({"sysAttrs"})
_DISCOVERY = (
    frozenset({"id", "type", "idPattern", "attrs", "pick", "omit", "q", "expandValues", "jsonKeys", "scopeQ", "csf"})
    | {"georel", "geometry", "coordinates", "geoproperty", "geometryProperty", "datasetId", "lang"}
    | {"timerel", "timeAt", "endTimeAt", "timeproperty"}
    | {"limit", "offset", "count", "options"}
)

RESOURCES = (
    Resource(
        "/csourceRegistrations",
        "Context source registrations",
        {
            "POST": Endpoint(
                "Register Context Source",
                "5.9.2",
                _create,
                bodies=JSON_BODY,
                statuses=(201,),
                schema="ContextSourceRegistration",
            ),
            "GET": Endpoint("Query Context Source Registrations", "5.10.2", _discover, _DISCOVERY, options=_OPTIONS),
        },
    ),
    Resource(
        "/csourceRegistrations/{registrationId}",
        "One context source registration",
        {
            "GET": Endpoint(
                "Retrieve Context Source Registration", "5.10.1", _retrieve, frozenset({"options"}), options=_OPTIONS
            ),
            "PATCH": Endpoint(
                "Update Context Source Registration",
                "5.9.3",
                _update,
                bodies=PATCH_BODY,
                statuses=(204,),
                schema="ContextSourceRegistrationFragment",
            ),
            "DELETE": Endpoint("Delete Context Source Registration", "5.9.4", _delete, statuses=(204,)),
        },
    ),
)
