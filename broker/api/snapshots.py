"""The resources `/snapshots`, `/snapshots/{id}` and `/snapshots/{id}/clone` (6.36 to 6.38)."""

from collections.abc import Awaitable
from typing import Any

from broker.api.endpoint import JSON_BODY, PATCH_BODY, Endpoint, Resource
from broker.api.media import JSON_LD
from broker.api.request import HttpError, Request
from broker.api.response import Response, context_header, created, dump, json_response, media_header, no_content
from broker.api.snapshot_queries import check_queries
from broker.operations.snapshots import NoRoom
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.names import checked_uri
from ngsi_ld.snapshot import Snapshot, render


async def _create(request: Request) -> Response:
    body, context = _object(request), await request.context()
    check_queries(request, body, context)
    snapshots = request.services.snapshots
    return created(f"/snapshots/{await _with_room(snapshots.create(request.tenant, body, context, request.now))}")


async def _clone(request: Request) -> Response:
    source = checked_uri(request.ids[0], "the id in the path")
    snapshots = request.services.snapshots
    made = await _with_room(snapshots.clone(request.tenant, source, _object(request), request.now))
    return created(f"/snapshots/{made}")


async def _retrieve(request: Request) -> Response:
    snapshot_id = checked_uri(request.ids[0], "the id in the path")
    return _shown(request, *await request.services.snapshots.retrieve(request.tenant, snapshot_id, request.now))


async def _update(request: Request) -> Response:
    snapshot_id = checked_uri(request.ids[0], "the id in the path")
    snapshots = request.services.snapshots
    return _shown(request, *await snapshots.update(request.tenant, snapshot_id, _object(request), request.now))


async def _delete(request: Request) -> Response:
    snapshot_id = checked_uri(request.ids[0], "the id in the path")
    await request.services.snapshots.delete(request.tenant, snapshot_id, request.now)
    return no_content()


async def _purge(request: Request) -> Response:
    if "q" not in request.parameters:
        raise bad_request_data("q is missing: say which snapshots are to go, such as q=snapshotPriority<5")
    done, failed = await request.services.snapshots.purge(request.tenant, request.parameters["q"], request.now)
    if not failed:
        return no_content()
    errors = [{"entityId": snapshot_id, "error": error.problem_details()} for snapshot_id, error in failed.items()]
    return json_response(207, {"success": done, "errors": errors})


def _object(request: Request) -> dict[str, Any]:
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a Snapshot")
    return request.body


async def _with_room(making: Awaitable[str]) -> str:
    try:
        return await making
    except NoRoom as error:
        raise HttpError(507, "No room for another snapshot", str(error)) from None


def _shown(request: Request, snapshot: Snapshot, context: str) -> Response:
    """The snapshot with the @context that it was created with, which the names in its queries are of."""
    if request.accept == JSON_LD:
        return Response(200, dump(render(snapshot) | {"@context": context}), [media_header(JSON_LD)])
    return Response(200, dump(render(snapshot)), [media_header(request.accept), context_header(context)])


RESOURCES = (
    Resource(
        "/snapshots",
        "Snapshots",
        {
            "POST": Endpoint(
                "Create Snapshot", "5.16.1", _create, bodies=JSON_BODY, statuses=(201,), schema="Snapshot"
            ),
            "DELETE": Endpoint("Purge Snapshots", "5.16.7", _purge, frozenset({"q"}), statuses=(204, 207)),
        },
    ),
    Resource(
        "/snapshots/{snapshotId}",
        "One snapshot",
        {
            "GET": Endpoint("Retrieve Snapshot Status", "5.16.3", _retrieve),
            "PATCH": Endpoint(
                "Update Snapshot Status", "5.16.4", _update, bodies=PATCH_BODY, schema="SnapshotFragment"
            ),
            "DELETE": Endpoint("Delete Snapshot", "5.16.5", _delete, statuses=(204,)),
        },
    ),
    Resource(
        "/snapshots/{snapshotId}/clone",
        "A copy of a snapshot",
        {
            "POST": Endpoint(
                "Clone Snapshot", "5.16.2", _clone, bodies=JSON_BODY, statuses=(201,), schema="SnapshotFragment"
            )
        },
    ),
)
