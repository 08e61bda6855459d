"""The resource `/entities/{id}/attrs/{name}/value`: the value of an attribute instance, as bare JSON.

GS CIM 009 v1.9.1 does not have it; it is the resource that its successor, TS 104 176, adds.
"""

from broker.api.attributes import dataset_of, named_attribute
from broker.api.endpoint import Endpoint, Resource
from broker.api.entities import target
from broker.api.media import JSON
from broker.api.request import Request
from broker.api.response import Response, dump, multi_status, no_content
from broker.api.writing import of_attribute, write
from broker.federation import provision
from broker.operations import entities
from ngsi_ld.attributes import NULL
from ngsi_ld.errors import invalid_request, not_found
from ngsi_ld.expiry import expired
from ngsi_ld.mutations import set_value
from ngsi_ld.mutations.attributes import existing
from ngsi_ld.query.language import parse_languages
from ngsi_ld.representation import value_of

_PARAMETERS = frozenset({"type", "local", "datasetId", "lang"})


async def _retrieve(request: Request) -> Response:
    context = await request.context()
    name = named_attribute(request, context)
    territory = request.territory(context, attributes=frozenset([name]))
    entity = await entities.retrieve(territory, target(request, context))
    instance = existing(entity, name, dataset_of(request))
    if "expiresAt" in instance and expired(instance["expiresAt"], request.now):
        raise not_found(f"{name} of {entity.id} has expired")
    lang = request.parameters.get("lang")
    value = value_of(instance, context, None if lang is None else parse_languages(lang))
    return Response(200, dump(value), await request.answer_headers(context))


async def _set(request: Request) -> Response:
    context = await request.context()
    name = named_attribute(request, context)
    if request.body is None or request.body == NULL:
        raise invalid_request("null is no value: delete the attribute instead")
    dataset_id, parameters = dataset_of(request), request.parameters
    meant = target(request, context)
    partial = await write(
        request,
        context,
        provision.SET_VALUE,
        of_attribute(name, []),
        lambda _: entities.change(
            request.services.store,
            meant,
            lambda before: set_value(
                before,
                request.ids[1],
                request.body,
                context,
                request.now,
                dataset_id=dataset_id,
                observed_at=parameters.get("observedAt"),
                lang=parameters.get("lang"),
            ),
        ),
        types=meant.types,
        attribute=name,
        dataset_id=dataset_id,
        value=request.body,
    )
    return multi_status(partial) if partial else no_content()


RESOURCES = (
    Resource(
        "/entities/{entityId}/attrs/{attrId}/value",
        "The value of an attribute",
        {
            "GET": Endpoint("Retrieve Attribute Value", "TS 104 176", _retrieve, _PARAMETERS, answers=(JSON,)),
            "PUT": Endpoint(
                "Set Attribute Value",
                "TS 104 176",
                _set,
                _PARAMETERS | {"observedAt"},
                (JSON,),
                statuses=(204, 207),
                schema="Value",
            ),
        },
    ),
)
