"""The resources `/subscriptions` and `/csourceSubscriptions`, and one of each (6.10 to 6.13)."""

from dataclasses import dataclass
from functools import partial

from broker.api.consumption import page_bounds, page_links, with_context
from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.media import JSON_LD
from broker.api.prefer import preferred_version
from broker.api.request import Request
from broker.api.response import Header, Response, created, dump, no_content
from broker.operations.subscriptions import Subscriptions, render
from ngsi_ld.errors import ErrorType, NgsiLdError, invalid_request
from ngsi_ld.names import checked_uri


@dataclass(frozen=True, slots=True)
class _Kind:
    """Subscriptions to entities or to context source registrations: where they are, and what their operations are."""

    path: str
    name: str
    clause: str
    first: int
    to_registrations: bool = False

    def of(self, request: Request) -> Subscriptions:
        services = request.services
        return services.registration_subscriptions if self.to_registrations else services.subscriptions


async def _create(kind: _Kind, request: Request) -> Response:
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a Subscription")
    context = await request.context()
    caller = request.caller(context)
    if caller.looped:
        raise NgsiLdError(
            ErrorType.LOOP_DETECTED,
            f"{caller.alias} has this subscription: a copy of it would tell it its own changes",
        )
    subscription_id = await kind.of(request).create(request.tenant, request.body, context, request.now, caller.via)
    return created(f"{kind.path}/{subscription_id}")


async def _list(kind: _Kind, request: Request) -> Response:
    context, subscriptions = await request.context(), kind.of(request)
    limit, offset = page_bounds(request)
    sys_attrs = "options" in request.parameters
    found = await subscriptions.query(request.tenant, limit + 1 if limit else 0, offset)
    headers = [*await request.answer_headers(context), *_preference_applied(request)]
    if request.parameters.get("count"):
        headers.append((b"ngsild-results-count", str(await subscriptions.count(request.tenant)).encode()))
    headers += page_links(request, limit, offset, {"offset": offset + limit} if len(found) > limit else None)
    shown = [
        render(one, context, request.now, sys_attrs=sys_attrs, to_registrations=kind.to_registrations)
        for one in found[:limit]
    ]
    if request.accept == JSON_LD:
        shown = [with_context(one, request, context) for one in shown]
    return Response(200, dump(shown), headers)


async def _retrieve(kind: _Kind, request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    context = await request.context()
    sys_attrs = "options" in request.parameters
    stored = await kind.of(request).retrieve(request.tenant, request.ids[0])
    shown = render(stored, context, request.now, sys_attrs=sys_attrs, to_registrations=kind.to_registrations)
    body = dump(with_context(shown, request, context))
    return Response(200, body, [*await request.answer_headers(context), *_preference_applied(request)])


def _preference_applied(request: Request) -> list[Header]:
    """That a subscription is as the version asked for has it: what 4.3.6.8 makes older is in entities alone."""
    version = preferred_version(request)
    return [] if version is None else [(b"preference-applied", f"ngsi-ld={version[0]}.{version[1]}".encode())]


async def _update(kind: _Kind, request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object with the members to change")
    context = await request.context()
    await kind.of(request).update(request.tenant, request.ids[0], request.body, context, request.now)
    return no_content()


async def _delete(kind: _Kind, request: Request) -> Response:
    checked_uri(request.ids[0], "the id in the path")
    await kind.of(request).delete(request.tenant, request.ids[0])
    return no_content()


_OPTIONS = frozenset({"sysAttrs"})


def _resources(kind: _Kind) -> tuple[Resource, Resource]:
    """The operations are five clauses in this order: create, update, retrieve, query, delete."""
    create, update, retrieve, query, delete = (f"{kind.clause}.{kind.first + number}" for number in range(5))
    every = {
        "POST": Endpoint(
            f"Create {kind.name}",
            create,
            partial(_create, kind),
            bodies=JSON_BODY,
            statuses=(201,),
            schema="Subscription",
        ),
        "GET": Endpoint(
            f"Query {kind.name}s",
            query,
            partial(_list, kind),
            frozenset({"limit", "offset", "count", "options"}),
            options=_OPTIONS,
        ),
    }
    one = {
        "GET": Endpoint(
            f"Retrieve {kind.name}", retrieve, partial(_retrieve, kind), frozenset({"options"}), options=_OPTIONS
        ),
        "PATCH": Endpoint(
            f"Update {kind.name}",
            update,
            partial(_update, kind),
            bodies=PATCH_BODY,
            statuses=(204,),
            schema="Subscription",
        ),
        "DELETE": Endpoint(f"Delete {kind.name}", delete, partial(_delete, kind), statuses=(204,)),
    }
    return (
        Resource(kind.path, f"{kind.name}s", every),
        Resource(f"{kind.path}/{{subscriptionId}}", f"One {kind.name}", one),
    )


RESOURCES = (
    *_resources(_Kind("/subscriptions", "Subscription", "5.8", 1)),
    *_resources(
        _Kind("/csourceSubscriptions", "Context Source Registration Subscription", "5.11", 2, to_registrations=True)
    ),
)
