"""The batch resources `/entityOperations/…` (6.14 to 6.17, 6.31)."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from broker.api.endpoint import JSON_BODY, Endpoint, Resource
from broker.api.request import Request, context_of_link
from broker.api.response import Response, json_response, no_content
from broker.api.writing import writes_of
from broker.federation import batches
from broker.federation.batches import Batch, Batches
from broker.operations import batch
from broker.operations.batch import BatchResult, Unreadable
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data
from ngsi_ld.expansion import Fill, Fragment, expand_entity, expand_fragment
from ngsi_ld.names import Names, checked_uri, is_uri

Element = TypeVar("Element", Entity, Fragment)


async def _create(request: Request) -> Response:
    elements = await _elements(request, lambda body, names: expand_entity(body, names, request.now))
    result = await _run(
        request, batches.CREATE, elements, lambda here: batch.create(request.services.store, request.tenant, here)
    )
    return _answer(result, 201)


async def _upsert(request: Request) -> Response:
    options = request.parameters.get("options", frozenset())
    if {"replace", "update"} <= options:
        raise bad_request_data("options has replace and update; one of them at most")
    elements = await _elements(request, lambda body, names: expand_entity(body, names, request.now))
    update = "update" in options
    result = await _run(
        request,
        batches.UPSERT[update],
        elements,
        lambda here: batch.upsert(request.services.store, request.tenant, here, update=update),
    )
    return _answer(result, 201 if result.created else 204)


async def _update(request: Request) -> Response:
    elements = await _elements(request, lambda body, names: _fragment(body, names, request.now, Fill.WHOLE))
    no_overwrite = "noOverwrite" in request.parameters.get("options", ())
    result = await _run(
        request,
        batches.UPDATE[no_overwrite],
        elements,
        lambda here: batch.update(request.services.store, request.tenant, here, request.now, no_overwrite=no_overwrite),
    )
    return _answer(result, 204)


async def _merge(request: Request) -> Response:
    elements = await _elements(request, lambda body, names: _fragment(body, names, request.now, Fill.MERGE))
    result = await _run(
        request,
        batches.MERGE,
        elements,
        lambda here: batch.merge(request.services.store, request.tenant, here, request.now),
    )
    return _answer(result, 204)


async def _delete(request: Request) -> Response:
    elements: list[Fragment | Unreadable] = []
    for entity_id in _listed(request):
        try:
            elements.append(Fragment(checked_uri(entity_id, "each element"), [], {}))
        except NgsiLdError as error:
            elements.append(Unreadable(entity_id if isinstance(entity_id, str) else None, error))
    result = await _run(
        request,
        batches.DELETE,
        elements,
        lambda here: batch.delete(request.services.store, request.tenant, here, request.now),
    )
    return _answer(result, 204)


async def _run(
    request: Request,
    what: Batch,
    elements: list[Element | Unreadable],
    local: Callable[[Sequence[Element | Unreadable]], Awaitable[BatchResult]],
) -> BatchResult:
    """The batch, divided where the tenant has registrations; `local` does what is left of it here."""
    if not request.distributed:
        return await local(elements)
    readable: list[Element] = [one for one in elements if not isinstance(one, Unreadable)]
    unreadable: list[Unreadable] = [one for one in elements if isinstance(one, Unreadable)]
    divided = Batches(writes_of(request))
    caller = request.caller(await _common_context(request))
    return await divided.run(caller, what, readable, lambda here: local([*unreadable, *here]))


async def _common_context(request: Request) -> Context:
    """The @context that a source gets names in: that of the first element which has one, or of the request."""
    if request.json_ld:
        for body in request.body:
            if isinstance(body, dict) and body.get("@context") is not None:
                with suppress(NgsiLdError):
                    return await _own_context(request, body)
    return await request.context()


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


async def _own_context(request: Request, body: Any) -> Context:
    if not isinstance(body, dict) or body.get("@context") is None:
        raise bad_request_data("each element of a body of type application/ld+json must be an object with an @context")
    contexts = request.services.contexts
    value = body["@context"]
    return contexts.known(request.tenant, value) or await contexts.resolve(request.tenant, value)


def _answer(result: BatchResult, status: int) -> Response:
    if result.partial:
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
