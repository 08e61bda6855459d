"""The resources `/subscriptions` and `/subscriptions/{id}` (6.10, 6.11)."""

from broker.api.consumption import page_bounds, page_links, with_context
from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.media import JSON_LD
from broker.api.prefer import preferred_version
from broker.api.request import Request
from broker.api.response import Header, Response, created, dump, no_content
from broker.operations.subscriptions import render
from ngsi_ld.errors import ErrorType, NgsiLdError, invalid_request
from ngsi_ld.names import checked_uri


async def _create(request: Request) -> Response:
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a Subscription")
    context = await request.context()
    caller = request.caller(context)
    if caller.looped:
        raise NgsiLdError(
            ErrorType.LOOP_DETECTED,
            f"{caller.alias} has this subscription: a copy of it would tell it its own changes",
        )
    subscription_id = await request.services.subscriptions.create(
        request.tenant, request.body, context, request.now, caller.via
    )
    return created(f"/subscriptions/{subscription_id}")


async def _list(request: Request) -> Response:
    context, subscriptions = await request.context(), request.services.subscriptions
    limit, offset = page_bounds(request)
    sys_attrs = "options" in request.parameters
    found = await subscriptions.query(request.tenant, limit + 1 if limit else 0, offset)
    headers = [*await request.answer_headers(context), *_preference_applied(request)]
    if request.parameters.get("count"):
        headers.append((b"ngsild-results-count", str(await subscriptions.count(request.tenant)).encode()))
    headers += page_links(request, limit, offset, {"offset": offset + limit} if len(found) > limit else None)
    shown = [render(one, context, request.now, sys_attrs=sys_attrs) for one in found[:limit]]
    if request.accept == JSON_LD:
        shown = [with_context(one, request, context) for one in shown]
    return Response(200, dump(shown), headers)


async def _retrieve(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    sys_attrs = "options" in request.parameters
    stored = await request.services.subscriptions.retrieve(request.tenant, request.ids[0])
    shown = with_context(render(stored, context, request.now, sys_attrs=sys_attrs), request, context)
    return Response(200, dump(shown), [*await request.answer_headers(context), *_preference_applied(request)])


def _preference_applied(request: Request) -> list[Header]:
    """That a subscription is as the version asked for has it: what 4.3.6.8 makes older is in entities alone."""
    version = preferred_version(request)
    return [] if version is None else [(b"preference-applied", f"ngsi-ld={version[0]}.{version[1]}".encode())]


async def _update(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object with the members to change")
    context = await request.context()
    await request.services.subscriptions.update(request.tenant, request.ids[0], request.body, context, request.now)
    return no_content()


async def _delete(request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    await request.services.subscriptions.delete(request.tenant, request.ids[0])
    return no_content()


_OPTIONS = frozenset({"sysAttrs"})

RESOURCES = (
    Resource(
        "/subscriptions",
        "Subscriptions",
        {
            "POST": Endpoint(
                "Create Subscription", "5.8.1", _create, bodies=JSON_BODY, statuses=(201,), schema="Subscription"
            ),
            "GET": Endpoint(
                "Query Subscriptions",
                "5.8.4",
                _list,
                frozenset({"limit", "offset", "count", "options"}),
                options=_OPTIONS,
            ),
        },
    ),
    Resource(
        "/subscriptions/{subscriptionId}",
        "One subscription",
        {
            "GET": Endpoint("Retrieve Subscription", "5.8.3", _retrieve, frozenset({"options"}), options=_OPTIONS),
            "PATCH": Endpoint(
                "Update Subscription", "5.8.2", _update, bodies=PATCH_BODY, statuses=(204,), schema="Subscription"
            ),
            "DELETE": Endpoint("Delete Subscription", "5.8.5", _delete, statuses=(204,)),
        },
    ),
)
