"""The resources `/types` and `/attributes` (6.25 to 6.28): what the stored entities are and have."""

from collections.abc import Iterable
from typing import Any

from broker.api.consumption import with_context
from broker.api.endpoint import Endpoint, Resource
from broker.api.media import JSON_LD
from broker.api.request import Request
from broker.api.response import Response, dump
from broker.store.catalogue import AttributeUse
from ngsi_ld.context import Context
from ngsi_ld.errors import not_found
from ngsi_ld.names import checked_name

_LIST_PARAMETERS = frozenset({"details", "local"})


async def _types(request: Request) -> Response:
    context = await request.context()
    store = request.territory(context)
    if request.parameters.get("details"):
        by_type = await store.attributes_by_type(request.tenant, now=request.now)
        return await _listed(
            request,
            context,
            [
                {
                    "id": name,
                    "type": "EntityType",
                    "typeName": context.term(name),
                    "attributeNames": _terms(names, context),
                }
                for name, names in by_type.items()
            ],
        )
    names = await store.types(request.tenant, now=request.now)
    return await _answer(
        request,
        context,
        {"id": "urn:ngsi-ld:EntityTypeList:local", "type": "EntityTypeList", "typeList": _terms(names, context)},
    )


async def _type(request: Request) -> Response:
    context = await request.context()
    name = context.iri(checked_name(request.ids[0], "the type in the path"))
    count, uses = await request.territory(context).type_info(request.tenant, name, now=request.now)
    if not count:
        raise not_found(f"there is no entity of the type {name}")
    body = {
        "id": name,
        "type": "EntityTypeInfo",
        "typeName": context.term(name),
        "entityCount": count,
        "attributeDetails": [
            {"id": use.name, "type": "Attribute", "attributeName": context.term(use.name), "attributeTypes": use.kinds}
            for use in uses
        ],
    }
    return await _answer(request, context, body)


async def _attributes(request: Request) -> Response:
    context = await request.context()
    uses = await request.territory(context).attribute_uses(request.tenant, now=request.now)
    if request.parameters.get("details"):
        return await _listed(request, context, [_attribute_type(use, context) for use in uses])
    names = _terms((use.name for use in uses), context)
    return await _answer(
        request,
        context,
        {"id": "urn:ngsi-ld:AttributeList:local", "type": "AttributeList", "attributeList": names},
    )


async def _attribute(request: Request) -> Response:
    context = await request.context()
    name = context.iri(checked_name(request.ids[0], "the attribute in the path"))
    uses = await request.territory(context).attribute_uses(request.tenant, now=request.now, attribute=name)
    if not uses:
        raise not_found(f"there is no entity with the attribute {name}")
    body = _attribute_type(uses[0], context) | {"attributeCount": uses[0].count, "attributeTypes": uses[0].kinds}
    return await _answer(request, context, body)


def _attribute_type(use: AttributeUse, context: Context) -> dict[str, Any]:
    return {
        "id": use.name,
        "type": "Attribute",
        "attributeName": context.term(use.name),
        "typeNames": _terms(use.types, context),
    }


def _terms(names: Iterable[str], context: Context) -> list[str]:
    return [context.term(name) for name in names]


async def _answer(request: Request, context: Context, body: dict[str, Any]) -> Response:
    return Response(200, dump(with_context(body, request, context)), await request.answer_headers(context))


async def _listed(request: Request, context: Context, bodies: list[dict[str, Any]]) -> Response:
    if request.accept == JSON_LD:
        bodies = [with_context(one, request, context) for one in bodies]
    return Response(200, dump(bodies), await request.answer_headers(context))


RESOURCES = (
    Resource(
        "/types", "Entity types", {"GET": Endpoint("Retrieve Entity Types", "5.7.5, 5.7.6", _types, _LIST_PARAMETERS)}
    ),
    Resource(
        "/types/{type}",
        "One entity type",
        {"GET": Endpoint("Retrieve Entity Type Information", "5.7.7", _type, frozenset({"local"}))},
    ),
    Resource(
        "/attributes",
        "Attributes",
        {"GET": Endpoint("Retrieve Attributes", "5.7.8, 5.7.9", _attributes, _LIST_PARAMETERS)},
    ),
    Resource(
        "/attributes/{attrId}",
        "One attribute",
        {"GET": Endpoint("Retrieve Attribute Information", "5.7.10", _attribute, frozenset({"local"}))},
    ),
)
