"""The resources `/entities` and `/entities/{id}` (6.4, 6.5): create, query, purge; retrieve, replace, merge, delete."""

from collections.abc import Callable

from broker.api.consumption import one_entity, page_of_entities
from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.mapped import mapped_entity, wants_map
from broker.api.media import SPATIAL
from broker.api.query import (
    MAP_PARAMETERS,
    QUERY_PARAMETERS,
    SELECTION_PARAMETERS,
    VIEW_OPTIONS,
    VIEW_PARAMETERS,
    linking_of,
    query_of,
    type_selection,
    view_of,
)
from broker.api.request import Request
from broker.api.response import Response, created, multi_status, no_content
from broker.api.writing import NOTHING, write, writes_of
from broker.federation import provision, purges
from broker.federation.purges import Reduction
from broker.operations import entities
from broker.operations.entities import Target
from broker.operations.purge import purge
from ngsi_ld import mutations
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expansion import Fill, expand_entity, expand_fragment, expand_simplified
from ngsi_ld.names import checked_uri
from ngsi_ld.query.projection import parse_attrs


def target(request: Request, context: Context) -> Target:
    """The entity that the path names, of the types asked for; its id was checked before all else."""
    return Target(request.tenant, request.ids[0], type_selection(request.parameters, context), request.now)


async def _create(request: Request) -> Response:
    context = await request.context()
    entity = expand_entity(request.body, context, request.now)
    partial = await write(
        request,
        context,
        provision.CREATE,
        entity,
        lambda here: entities.create(request.services.store, request.tenant, here),
        entity_id=entity.id,
    )
    return multi_status(partial) if partial else created(f"/entities/{entity.id}")


async def _query(request: Request) -> Response:
    context = await request.context()
    parameters = request.parameters
    settings = request.services.settings
    linking = linking_of(parameters, settings.max_join_level)
    query = query_of(parameters, context, linking, settings.collation)
    view = view_of(request, parameters, context, linking)
    return await page_of_entities(request, context, parameters, query, view, linking)


async def _purge(request: Request) -> Response:
    context = await request.context()
    query = query_of(request.parameters, context)
    reduction = _reduction(request, context)
    services, changing = request.services, _changing(reduction, request.now)
    if not request.distributed:
        await purge(services.store, request.tenant, query, request.now, changing)
        return no_content()
    partial = await purges.purge(
        request.caller(context),
        writes_of(request),
        services.registry,
        query,
        reduction,
        lambda ids: purge(services.store, request.tenant, query, request.now, changing, purged=ids),
    )
    return multi_status(partial) if partial else no_content()


def _reduction(request: Request, context: Context) -> Reduction | None:
    """Which attributes go or stay; None where the whole of an entity goes."""
    named = [name for name in _REDUCING if name in request.parameters]
    if not named:
        return None
    if len(named) > 1:
        raise bad_request_data("drop and keep exclude each other: name what goes, or name what stays")
    return Reduction(named[0], frozenset(parse_attrs(request.parameters[named[0]], context, named[0])))


def _changing(reduction: Reduction | None, now: str) -> Callable[[Entity], Entity] | None:
    """What is done to each entity that is purged of some attributes only."""
    if reduction is None:
        return None
    reduced = _REDUCING[reduction.parameter]
    return lambda before: reduced(before, reduction.names, now)


async def _retrieve(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    linking = linking_of(request.parameters, request.services.settings.max_join_level)
    view = view_of(request, request.parameters, context, linking)
    territory = request.territory(context, attributes=view.attributes, dataset_ids=view.dataset_ids)
    meant = target(request, context)
    if not wants_map(request, request.parameters):
        return await one_entity(request, context, await entities.retrieve(territory, meant), view, linking)
    entity, header = await mapped_entity(request, context, territory, lambda: entities.retrieve(territory, meant))
    response = await one_entity(request, context, entity, view, linking)
    response.headers.append(header)
    return response


async def _replace(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    whole = {"id": request.ids[0], **request.body} if isinstance(request.body, dict) else request.body
    entity = expand_entity(whole, context, request.now)
    if entity.id != request.ids[0]:
        raise bad_request_data(f"id is {entity.id}, but the path names {request.ids[0]}; they must be the same")
    meant = target(request, context)
    partial = await write(
        request,
        context,
        provision.REPLACE,
        entity,
        lambda here: entities.change(request.services.store, meant, lambda before: mutations.replace(before, here)),
        types=meant.types,
    )
    return multi_status(partial) if partial else no_content()


async def _merge(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    parameters = request.parameters
    # Where both are given, format takes precedence (6.5.3.4).
    stated = {parameters["format"]} if "format" in parameters else parameters.get("options", frozenset())
    if not _SIMPLIFIED.isdisjoint(stated):
        fragment = expand_simplified(request.body, context, request.now)
    else:
        fragment = expand_fragment(request.body, context, request.now, Fill.MERGE)
    meant = target(request, context)
    observed_at, lang = parameters.get("observedAt"), parameters.get("lang")
    partial = await write(
        request,
        context,
        provision.MERGE,
        fragment,
        lambda here: entities.change(
            request.services.store,
            meant,
            lambda before: mutations.merge(before, here, request.now, observed_at=observed_at, lang=lang),
        ),
        types=meant.types,
    )
    return multi_status(partial) if partial else no_content()


async def _delete(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    meant = target(request, context)
    partial = await write(
        request,
        context,
        provision.DELETE,
        NOTHING,
        lambda _: entities.delete(request.services.store, meant),
        types=meant.types,
    )
    return multi_status(partial) if partial else no_content()


async def _without_id(request: Request) -> Response:
    # 5.6.17.4, 5.6.18.4: an id that is not present is an error of the data, not of the method.
    raise bad_request_data(f"{request.method} needs the id of an entity in the path: /entities/urn:ngsi-ld:…")


_SIMPLIFIED = frozenset({"simplified", "keyValues"})
_REDUCING = {"drop": mutations.without_attributes, "keep": mutations.keep_attributes}

_WITHOUT_ID = Endpoint("Replace or Merge Entity", "5.6.17, 5.6.18", _without_id, bodies=PATCH_BODY, documented=False)

RESOURCES = (
    Resource(
        "/entities",
        "Entities",
        {
            "POST": Endpoint(
                "Create Entity", "5.6.1", _create, frozenset({"local"}), JSON_BODY, statuses=(201, 207), schema="Entity"
            ),
            "GET": Endpoint(
                "Query Entities",
                "5.7.2",
                _query,
                QUERY_PARAMETERS | VIEW_PARAMETERS,
                answers=SPATIAL,
                statuses=(200, 201),
                options=VIEW_OPTIONS,
            ),
            "DELETE": Endpoint(
                "Purge Entities",
                "5.6.21",
                _purge,
                SELECTION_PARAMETERS | {"attrs", "drop", "keep"},
                statuses=(204, 207),
            ),
            "PUT": _WITHOUT_ID,
            "PATCH": _WITHOUT_ID,
        },
    ),
    Resource(
        "/entities/{entityId}",
        "One entity",
        {
            "GET": Endpoint(
                "Retrieve Entity",
                "5.7.1",
                _retrieve,
                VIEW_PARAMETERS | MAP_PARAMETERS | {"type", "local"},
                answers=SPATIAL,
                options=VIEW_OPTIONS,
            ),
            "PUT": Endpoint(
                "Replace Entity",
                "5.6.18",
                _replace,
                frozenset({"type", "local"}),
                JSON_BODY,
                statuses=(204, 207),
                schema="Entity",
            ),
            "PATCH": Endpoint(
                "Merge Entity",
                "5.6.17",
                _merge,
                frozenset({"type", "local", "format", "options", "lang", "observedAt"}),
                PATCH_BODY,
                statuses=(204, 207),
                schema="EntityFragment",
                options=_SIMPLIFIED,
            ),
            "DELETE": Endpoint("Delete Entity", "5.6.6", _delete, frozenset({"type", "local"}), statuses=(204, 207)),
        },
    ),
)
