"""The batch resources `/entityOperations/…` (6.14 to 6.17, 6.31)."""

from collections.abc import Callable
from typing import Any, TypeVar

from broker.api.endpoint import JSON_BODY, Endpoint, Resource
from broker.api.request import Request, context_of_link
from broker.api.response import Response, json_response, no_content
from broker.operations import batch
from broker.operations.batch import BatchResult, Unreadable
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data
from ngsi_ld.expansion import Fill, Fragment, expand_entity, expand_fragment
from ngsi_ld.names import Names, checked_uri, is_uri

Element = TypeVar("Element", Entity, Fragment)


async def _create(request: Request) -> Response:
    elements = await _elements(request, lambda body, names: expand_entity(body, names, request.now))
    result = await batch.create(request.services.store, request.tenant, elements)
    return _answer(result, 201)


async def _upsert(request: Request) -> Response:
    options = request.parameters.get("options", frozenset())
    if {"replace", "update"} <= options:
        raise bad_request_data("options has replace and update; one of them at most")
    elements = await _elements(request, lambda body, names: expand_entity(body, names, request.now))
    result = await batch.upsert(request.services.store, request.tenant, elements, update="update" in options)
    return _answer(result, 201 if result.created else 204)


async def _update(request: Request) -> Response:
    elements = await _elements(request, lambda body, names: _fragment(body, names, request.now, Fill.WHOLE))
    no_overwrite = "noOverwrite" in request.parameters.get("options", ())
    result = await batch.update(
        request.services.store, request.tenant, elements, request.now, no_overwrite=no_overwrite
    )
    return _answer(result, 204)


async def _merge(request: Request) -> Response:
    elements = await _elements(request, lambda body, names: _fragment(body, names, request.now, Fill.MERGE))
    result = await batch.merge(request.services.store, request.tenant, elements, request.now)
    return _answer(result, 204)


async def _delete(request: Request) -> Response:
    elements: list[str | Unreadable] = []
    for entity_id in _listed(request):
        try:
            elements.append(checked_uri(entity_id, "each element"))
        except NgsiLdError as error:
            elements.append(Unreadable(entity_id if isinstance(entity_id, str) else None, error))
    result = await batch.delete(request.services.store, request.tenant, elements, request.now)
    return _answer(result, 204)


def _fragment(body: Any, names: Names, now: str, fill: Fill) -> Fragment:
    fragment = expand_fragment(body, names, now, fill)
    if fragment.id is None:
        raise bad_request_data("id is missing: name the entity that is meant")
    return fragment


def _listed(request: Request) -> list[Any]:
    body = request.body
    if not isinstance(body, list) or not body:
        raise bad_request_data("the body must be a list of at least one element")
    if None in body:
        raise bad_request_data("the body has null among its elements")
    largest = request.services.settings.max_batch_size
    if len(body) > largest:
        raise bad_request_data(f"the body has {len(body)} elements; {largest} at most go in one batch")
    return body


async def _elements(request: Request, read: Callable[[Any, Names], Element]) -> list[Element | Unreadable]:
    """The elements, each read with its own @context under JSON-LD, or the error that says why it could not be."""
    listed = _listed(request)
    json_ld = request.json_ld
    if json_ld and context_of_link(request.headers) is not None:
        raise bad_request_data("a body of type application/ld+json carries its @contexts, so no Link may name one")
    names = None if json_ld else await request.context()
    elements: list[Element | Unreadable] = []
    for body in listed:
        try:
            if names is not None and isinstance(body, dict) and "@context" in body:
                raise bad_request_data("an element of a body of type application/json has no @context")
            elements.append(read(body, names or await _own_context(request, body)))
        except NgsiLdError as error:
            if error.type is ErrorType.INVALID_REQUEST:
                error = bad_request_data(error.detail)
            stated = body.get("id", body.get("@id")) if isinstance(body, dict) else None
            elements.append(Unreadable(stated if is_uri(stated) else None, error))
    return elements


async def _own_context(request: Request, body: Any) -> Names:
    if not isinstance(body, dict) or body.get("@context") is None:
        raise bad_request_data("each element of a body of type application/ld+json must be an object with an @context")
    contexts = request.services.contexts
    value = body["@context"]
    return contexts.known(request.tenant, value) or await contexts.resolve(request.tenant, value)


def _answer(result: BatchResult, status: int) -> Response:
    if result.errors:
        return json_response(207, result.body())
    return json_response(201, result.created) if status == 201 else no_content()


def _operation(
    name: str,
    operation: str,
    clause: str,
    handler: Any,
    options: set[str],
    statuses: tuple[int, ...],
    schema: str = "Entities",
) -> Resource:
    return Resource(
        f"/entityOperations/{name}",
        operation,
        {
            "POST": Endpoint(
                operation,
                clause,
                handler,
                frozenset({"local", "options"} if options else {"local"}),
                JSON_BODY,
                statuses=(*statuses, 207),
                options=frozenset(options),
                schema=schema,
            )
        },
    )


RESOURCES = (
    _operation("create", "Batch Entity Creation", "5.6.7", _create, set(), (201,)),
    _operation("upsert", "Batch Entity Upsert", "5.6.8", _upsert, {"replace", "update"}, (201, 204)),
    _operation("update", "Batch Entity Update", "5.6.9", _update, {"noOverwrite"}, (204,)),
    _operation("merge", "Batch Entity Merge", "5.6.20", _merge, set(), (204,)),
    _operation("delete", "Batch Entity Delete", "5.6.10", _delete, set(), (204,), "EntityIds"),
)
