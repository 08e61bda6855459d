"""The resources `/jsonldContexts` and `/jsonldContexts/{id}` (6.29, 6.30)."""

from broker.api.endpoint import JSON_BODY, Endpoint, Resource
from broker.api.media import JSON, PLAIN
from broker.api.request import Request
from broker.api.response import ROOT, Response, created, json_response, no_content
from broker.store.tenants import nonexistent_tenant


async def _add(request: Request) -> Response:
    # An operation for creating information, of which 5.5.10 leaves open that it creates its tenant.
    if request.services.settings.tenant_creation:
        await request.services.store.create_tenant(request.tenant)
    else:
        await _check_tenant(request)
    path = await request.services.contexts.stored.add(request.tenant, request.body)
    return created(path.removeprefix(ROOT))


async def _list(request: Request) -> Response:
    await _check_tenant(request)
    parameters = request.parameters
    listed = await request.services.contexts.stored.list(
        request.tenant, parameters.get("kind"), details=parameters.get("details", False)
    )
    return json_response(200, listed)


async def _serve(request: Request) -> Response:
    await _check_tenant(request)
    details = request.parameters.get("details", False)
    return json_response(
        200, await request.services.contexts.stored.serve(request.tenant, request.ids[0], details=details)
    )


async def _delete(request: Request) -> Response:
    await _check_tenant(request)
    reload = request.parameters.get("reload", False)
    await request.services.contexts.stored.delete(request.tenant, request.ids[0], reload=reload)
    return no_content()


async def _check_tenant(request: Request) -> None:
    """NonexistentTenant for one that is not there (5.5.10)."""
    if not await request.services.store.tenant_exists(request.tenant):
        raise nonexistent_tenant(request.tenant)


RESOURCES = (
    Resource(
        "/jsonldContexts",
        "Stored @contexts",
        {
            "POST": Endpoint(
                "Add @context",
                "5.13.2",
                _add,
                bodies=JSON_BODY,
                statuses=(201,),
                schema="Context",
                takes_context=True,
            ),
            "GET": Endpoint("List @contexts", "5.13.3", _list, frozenset({"details", "kind"}), answers=(JSON,)),
        },
    ),
    Resource(
        "/jsonldContexts/{contextId}",
        "One stored @context",
        {
            "GET": Endpoint("Serve @context", "5.13.4", _serve, frozenset({"details"}), answers=PLAIN),
            "DELETE": Endpoint("Delete and Reload @context", "5.13.5", _delete, frozenset({"reload"}), statuses=(204,)),
        },
    ),
)
