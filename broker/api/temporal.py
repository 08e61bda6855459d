"""The resources below `/temporal` (6.18 to 6.22, 6.24): temporal evolutions of entities, and their writes."""

from typing import Any

from broker.api.attributes import dataset_of, named_attribute
from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.query import MAP_PARAMETERS, ORDERING_PARAMETERS, PAGING_PARAMETERS, SELECTION_PARAMETERS
from broker.api.request import HttpError, Request
from broker.api.response import Response, created, multi_status, no_content
from broker.api.temporal_consumption import history_of, query, query_by_body, retrieve
from broker.api.temporal_query import (
    TEMPORAL_OPTIONS,
    TEMPORAL_VIEW_PARAMETERS,
)
from broker.api.writing import NOTHING, of_attribute, write, writes_of
from broker.federation import provision
from broker.federation.provision import Write
from ngsi_ld.context import Context
from ngsi_ld.errors import bad_request_data
from ngsi_ld.names import checked_uri
from ngsi_ld.temporal.expansion import (
    EntityTemporal,
    expand_entity_temporal,
    expand_temporal_fragment,
    expand_temporal_instance,
)

_LOCAL = frozenset({"local"})
SELECTION = (SELECTION_PARAMETERS | PAGING_PARAMETERS | ORDERING_PARAMETERS | MAP_PARAMETERS | {"splitEntities"}) - {
    "cursor"
}
"""What selects the evolutions of a page."""


async def _create(request: Request) -> Response:
    history, context = history_of(request), await request.context()
    given = expand_entity_temporal(request.body, context, request.now)
    is_new = False

    async def here(part: EntityTemporal) -> None:
        nonlocal is_new
        is_new = await history.add(request.tenant, part, request.now)

    if request.distributed:
        what = Write(provision.UPSERT_TEMPORAL, given.id)
        done = await writes_of(request).write(request.caller(context), what, given, here)
        if done.partial:
            return multi_status(done.partial)
        is_new = is_new or done.created
    else:
        await here(given)
    return created(f"/temporal/entities/{given.id}") if is_new else no_content()


async def _add_attributes(request: Request) -> Response:
    entity_id = checked_uri(request.ids[0], "the id in the path")
    history, context = history_of(request), await request.context()
    given = expand_temporal_fragment(request.body, entity_id, context, request.now)

    async def here(part: EntityTemporal) -> None:
        await history.add(request.tenant, part, request.now, create=False)

    partial = await write(request, context, provision.APPEND_TEMPORAL, given, here)
    return multi_status(partial) if partial else no_content()


async def _delete(request: Request) -> Response:
    entity_id = checked_uri(request.ids[0], "the id in the path")
    history, context = history_of(request), await request.context()
    partial = await write(
        request, context, provision.DELETE_TEMPORAL, NOTHING, lambda _: history.delete(request.tenant, entity_id)
    )
    return multi_status(partial) if partial else no_content()


async def _delete_attribute(request: Request) -> Response:
    context = await request.context()
    name = named_attribute(request, context)
    all_instances, dataset_id = request.parameters.get("deleteAll", False), dataset_of(request)
    history = history_of(request)
    partial = await write(
        request,
        context,
        provision.DELETE_ATTRIBUTE_TEMPORAL,
        of_attribute(name, []),
        lambda _: history.delete_attribute(
            request.tenant, request.ids[0], name, dataset_id, all_instances=all_instances
        ),
        attribute=name,
        dataset_id=dataset_id,
    )
    return multi_status(partial) if partial else no_content()


async def _modify_instance(request: Request) -> Response:
    if not request.ids[1]:
        # TS 016_02_06: without the name of an attribute the path is that of another resource, which has no PATCH.
        raise HttpError(405, "Method not allowed", "PATCH needs the name of an attribute in the path")
    context = await request.context()
    name = named_attribute(request, context)
    instance_id = checked_uri(request.ids[2], "the instance id in the path")
    body = _the_instance(request.body, name, context)
    new = expand_temporal_instance(request.ids[1], body, context, request.now)
    history = history_of(request)
    partial = await write(
        request,
        context,
        provision.UPDATE_INSTANCE,
        of_attribute(name, [new]),
        lambda _: history.replace_instance(request.tenant, request.ids[0], name, instance_id, new, request.now),
        attribute=name,
        instance=instance_id,
    )
    return multi_status(partial) if partial else no_content()


def _the_instance(body: Any, name: str, context: Context) -> Any:
    """The one instance of a body, which may be an EntityTemporal fragment around it (5.6.14)."""
    if isinstance(body, dict):
        for member, value in body.items():
            stands_for_it = member not in ("id", "type", "@type", "value") and context.iri(member) == name
            if stands_for_it and isinstance(value, list | dict):
                body = value
                break
    if isinstance(body, list):
        if len(body) != 1:
            raise bad_request_data(f"the body must have exactly one instance, not {len(body)} (5.6.14)")
        body = body[0]
    if not isinstance(body, dict) or not body:
        raise bad_request_data("the body must be one attribute instance, an object with at least one member")
    return body


async def _delete_instance(request: Request) -> Response:
    context = await request.context()
    name = named_attribute(request, context)
    instance_id = checked_uri(request.ids[2], "the instance id in the path")
    history = history_of(request)
    partial = await write(
        request,
        context,
        provision.DELETE_INSTANCE,
        of_attribute(name, []),
        lambda _: history.delete_instance(request.tenant, request.ids[0], name, instance_id),
        attribute=name,
        instance=instance_id,
    )
    return multi_status(partial) if partial else no_content()


RESOURCES = (
    Resource(
        "/temporal/entities",
        "Temporal evolutions of entities",
        {
            "POST": Endpoint(
                "Create or Update Temporal Entity",
                "5.6.11",
                _create,
                _LOCAL,
                JSON_BODY,
                statuses=(201, 204, 207),
                schema="EntityTemporal",
            ),
            "GET": Endpoint(
                "Query Temporal Entities",
                "5.7.4",
                query,
                SELECTION | TEMPORAL_VIEW_PARAMETERS,
                statuses=(200, 201, 206),
                options=TEMPORAL_OPTIONS,
            ),
        },
    ),
    Resource(
        "/temporal/entities/{entityId}",
        "The temporal evolution of one entity",
        {
            "GET": Endpoint(
                "Retrieve Temporal Entity",
                "5.7.3",
                retrieve,
                TEMPORAL_VIEW_PARAMETERS | MAP_PARAMETERS | _LOCAL,
                statuses=(200, 206),
                options=TEMPORAL_OPTIONS,
            ),
            "DELETE": Endpoint("Delete Temporal Entity", "5.6.16", _delete, _LOCAL, statuses=(204, 207)),
        },
    ),
    Resource(
        "/temporal/entities/{entityId}/attrs",
        "The attributes of a temporal evolution",
        {
            "POST": Endpoint(
                "Add Temporal Attributes",
                "5.6.12",
                _add_attributes,
                _LOCAL,
                JSON_BODY,
                statuses=(204, 207),
                schema="EntityTemporal",
            )
        },
    ),
    Resource(
        "/temporal/entities/{entityId}/attrs/{attrId}",
        "One attribute of a temporal evolution",
        {
            "DELETE": Endpoint(
                "Delete Temporal Attribute",
                "5.6.13",
                _delete_attribute,
                _LOCAL | {"datasetId", "deleteAll"},
                statuses=(204, 207),
            )
        },
    ),
    Resource(
        "/temporal/entities/{entityId}/attrs/{attrId}/{instanceId}",
        "One instance of an attribute of a temporal evolution",
        {
            "PATCH": Endpoint(
                "Modify Temporal Attribute Instance",
                "5.6.14",
                _modify_instance,
                _LOCAL,
                PATCH_BODY,
                statuses=(204, 207),
                schema="AttributeFragment",
            ),
            "DELETE": Endpoint(
                "Delete Temporal Attribute Instance", "5.6.15", _delete_instance, _LOCAL, statuses=(204, 207)
            ),
        },
    ),
    Resource(
        "/temporal/entityOperations/query",
        "Query temporal evolutions by a body",
        {
            "POST": Endpoint(
                "Query Temporal Entities via POST",
                "5.7.4",
                query_by_body,
                PAGING_PARAMETERS - {"cursor"} | {"local", "format", "options"},
                JSON_BODY,
                statuses=(200, 201, 206),
                options=TEMPORAL_OPTIONS,
                schema="TemporalQuery",
            )
        },
    ),
)
