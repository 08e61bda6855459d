"""The resources `/entities/{id}/attrs` and `/entities/{id}/attrs/{name}` (6.6, 6.7)."""

from collections.abc import Callable

from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.entities import target
from broker.api.request import Request
from broker.api.response import Response, multi_status, no_content
from broker.api.writing import of_attribute, write
from broker.federation import provision
from broker.operations import entities
from ngsi_ld import mutations
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expansion import Fill, expand_attribute, expand_fragment
from ngsi_ld.mutations.attributes import SCOPE
from ngsi_ld.names import checked_name, checked_uri

_PARAMETERS = frozenset({"type", "local"})


async def _append(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    fragment = expand_fragment(request.body, context, request.now, Fill.WHOLE)
    no_overwrite = "noOverwrite" in request.parameters.get("options", ())
    meant = target(request, context)
    partial = await write(
        request,
        context,
        provision.APPEND,
        fragment,
        lambda here: entities.update(
            request.services.store,
            meant,
            lambda before: mutations.append(before, here, request.now, no_overwrite=no_overwrite),
        ),
        types=meant.types,
    )
    return multi_status(partial) if partial else no_content()


async def _update(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    fragment = expand_fragment(request.body, context, request.now, Fill.WHOLE_OR_NULL)
    meant = target(request, context)
    partial = await write(
        request,
        context,
        provision.UPDATE,
        fragment,
        lambda here: entities.update(
            request.services.store, meant, lambda before: mutations.update(before, here, request.now)
        ),
        types=meant.types,
    )
    return multi_status(partial) if partial else no_content()


async def _partial_update(request: Request) -> Response:
    context = await request.context()
    name, fragment = named_attribute(request, context), _one_instance(request, context, Fill.PART)
    return await _change(
        request,
        context,
        provision.PARTIAL_UPDATE,
        name,
        [fragment],
        lambda before: mutations.partial_update(before, name, fragment, request.now),
    )


async def _replace(request: Request) -> Response:
    context = await request.context()
    name, instance = named_attribute(request, context), _one_instance(request, context, Fill.WHOLE)
    return await _change(
        request,
        context,
        provision.REPLACE_ATTRIBUTE,
        name,
        [instance],
        lambda before: mutations.replace_attribute(before, name, instance, request.now),
    )


async def _delete(request: Request) -> Response:
    context = await request.context()
    name = named_attribute(request, context, scope_too=True)
    dataset_id = dataset_of(request)
    all_instances = request.parameters.get("deleteAll", False)
    return await _change(
        request,
        context,
        provision.DELETE_ATTRIBUTE,
        name,
        [],
        lambda before: mutations.delete_attribute(before, name, dataset_id, request.now, all_instances=all_instances),
        dataset_id,
    )


async def _change(
    request: Request,
    context: Context,
    operation: provision.Operation,
    name: str,
    instances: list[Instance],
    changing: Callable[[Entity], Entity],
    dataset_id: str | None = None,
) -> Response:
    """One attribute changed: with these instances at the sources that have it, by the mutation here."""
    meant = target(request, context)
    partial = await write(
        request,
        context,
        operation,
        of_attribute(name, instances),
        lambda _: entities.change(request.services.store, meant, changing),
        types=meant.types,
        attribute=name,
        dataset_id=dataset_id,
    )
    return multi_status(partial) if partial else no_content()


def named_attribute(request: Request, context: Context, *, scope_too: bool = False) -> str:
    """The IRI of the attribute that the path names."""
    checked_uri(request.ids[0], "the id in the path")
    name = context.iri(checked_name(request.ids[1], "the attribute in the path"))
    if name == SCOPE and not scope_too:
        raise bad_request_data("scope is not an attribute: it is set by append, update or merge, and deleted as one")
    return name


def dataset_of(request: Request) -> str | None:
    """The datasetId of the one instance that is meant, None for the default one."""
    wanted = request.parameters.get("datasetId")
    if wanted is not None and len(wanted) != 1:
        raise bad_request_data("datasetId must name one instance")
    return None if wanted is None or "@none" in wanted else next(iter(wanted))


def _one_instance(request: Request, context: Context, fill: Fill) -> Instance:
    if not isinstance(request.body, dict) or not request.body:
        raise bad_request_data("the body must be one attribute instance, an object with at least one member")
    (instance,) = expand_attribute(request.ids[1], request.body, context, request.now, fill)
    return instance


RESOURCES = (
    Resource(
        "/entities/{entityId}/attrs",
        "The attributes of an entity",
        {
            "POST": Endpoint(
                "Append Attributes",
                "5.6.3",
                _append,
                _PARAMETERS | {"options"},
                JSON_BODY,
                statuses=(204, 207),
                options=frozenset({"noOverwrite"}),
                schema="EntityFragment",
            ),
            "PATCH": Endpoint(
                "Update Attributes",
                "5.6.2",
                _update,
                _PARAMETERS,
                PATCH_BODY,
                statuses=(204, 207),
                schema="EntityFragment",
            ),
        },
    ),
    Resource(
        "/entities/{entityId}/attrs/{attrId}",
        "One attribute of an entity",
        {
            "PATCH": Endpoint(
                "Partial Attribute Update",
                "5.6.4",
                _partial_update,
                _PARAMETERS,
                PATCH_BODY,
                statuses=(204, 207),
                schema="AttributeFragment",
            ),
            "PUT": Endpoint(
                "Replace Attribute", "5.6.19", _replace, _PARAMETERS, JSON_BODY, statuses=(204, 207), schema="Attribute"
            ),
            "DELETE": Endpoint(
                "Delete Attribute", "5.6.5", _delete, _PARAMETERS | {"datasetId", "deleteAll"}, statuses=(204, 207)
            ),
        },
    ),
)
