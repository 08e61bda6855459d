"""The ASGI application of the API: finds the endpoint, reads the request, turns errors into answers.

Routing is a walk through nested dictionaries, one step per path segment, because it is paid for on every request;
see `docs/decisions` for what the general routers cost.
"""

import logging
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from broker.api.endpoint import Endpoint, Resource
from broker.api.request import (
    HttpError,
    Receive,
    Request,
    Scope,
    negotiated,
    parse_json,
    read_body,
    read_parameters,
    take_context,
    tenant_of,
)
from broker.api.response import ROOT, Header, Response, problem, problem_details
from broker.api.routes import RESOURCES
from broker.api.streaming import StreamingResponse, stream
from broker.clock import now
from broker.operations.snapshots import BeingPrepared
from broker.services import Services
from broker.store.store import StoreUnavailable
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.names import checked_uri

logger = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Node = dict[str, Any]

_METHODS = ""
"""The key of a node's methods; no path segment that is routed is empty."""

_ECHOED = (b"ngsild-tenant", b"ngsild-snapshot")
"""The headers of a request that its response repeats (6.3.14, 6.3.22)."""

_EXPOSED = b"Link, Location, NGSILD-EntityMap, NGSILD-Results-Count, NGSILD-Snapshot, NGSILD-Tenant, NGSILD-Warning"

_IN_SNAPSHOTS = frozenset(
    {b"entities", b"entityOperations", b"types", b"attributes", b"subscriptions", b"temporal", b"entityMaps"}
)
"""The resources of the Core and the Temporal API (4.3.5), which each snapshot has of its own."""

_NOT_IN_SNAPSHOTS = frozenset({b"csourceRegistrations", b"csourceSubscriptions"})

_RETRY_AFTER = 2
_PREFIX = f"{ROOT}/".encode()


class Api:
    """Serves everything below `/ngsi-ld/v1`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._tree = _tree(RESOURCES)
        settings = services.settings
        self._gzip_minimum = settings.gzip_minimum
        origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
        self._any_origin = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one HTTP request (ASGI)."""
        headers = _headers(scope["headers"])
        method = scope["method"]
        try:
            response = await self._respond(scope, method, headers, receive)
        except NgsiLdError as error:
            response = problem(error)
        except HttpError as error:
            response = (
                problem_details(error.status, error.title, error.detail, error.headers)
                if error.detail
                else Response(error.status, headers=error.headers)
            )
        except StoreUnavailable as error:
            logger.warning("the database is away: %s", error)
            retry = (b"retry-after", str(_RETRY_AFTER).encode())
            response = problem_details(503, "The database is away", "try again in a moment", [retry])
        except Exception:
            logger.exception("%s %s failed", method, scope["path"])
            response = problem(NgsiLdError(ErrorType.INTERNAL_ERROR, "an unexpected failure, which is in the log"))
        for name in _ECHOED:
            if given := headers.get(name):
                response.headers.append((name, given))
        if (origin := headers.get(b"origin")) is not None:
            self._allow_origin(origin, response)
        if isinstance(response, StreamingResponse):
            await stream(response, receive, send)
        else:
            await self._send(response, headers, method, send)

    async def _respond(self, scope: Scope, method: str, headers: dict[bytes, bytes], receive: Receive) -> Response:
        methods, ids = self._route(scope["raw_path"])
        if methods is None:
            raise HttpError(404, "Not found", f"there is no resource {scope['path']}")
        if method == "OPTIONS":
            return self._options(methods, headers)
        endpoint = methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            raise HttpError(405, "Method not allowed", f"{method} is not for this resource", [_allow(methods)])
        settings = self._services.settings
        body = b""
        if endpoint.bodies:
            body = await read_body(headers, receive, endpoint.bodies, settings.max_body_size)
        accept = negotiated(headers, endpoint.answers)
        query_string = scope["query_string"].decode("latin-1")
        parameters = read_parameters(query_string, endpoint.parameters, endpoint.options)
        tenant, at = tenant_of(headers), now()
        if b"ngsild-snapshot" in headers:
            tenant = await self._snapshot(scope["raw_path"], tenant, headers[b"ngsild-snapshot"], parameters, at)
        request = Request(
            services=self._services,
            method=method,
            ids=ids,
            tenant=tenant,
            headers=headers,
            parameters=parameters,
            path=scope["raw_path"].decode("latin-1").removeprefix(ROOT),
            query_string=query_string,
            accept=accept,
            now=at,
        )
        if endpoint.bodies:
            request.body = parse_json(body)
        if not endpoint.takes_context:
            request.context_value = take_context(request.body, headers, request.json_ld if endpoint.bodies else False)
        try:
            response = await endpoint.handler(request)
        except NgsiLdError as error:
            response = problem(error)
        # Also of an error: a 404 may be one because a source did not answer (6.3.17).
        response.headers += [
            (b"ngsild-warning", " ".join(one.split()).encode("latin-1", "replace")) for one in request.warnings
        ]
        return response

    async def _snapshot(self, raw_path: bytes, tenant: str, given: bytes, parameters: dict[str, Any], at: str) -> str:
        """The name under which the data of the snapshot that a request is about is stored as that of a tenant (6.3.22).

        Resources that a snapshot does not have are those of the tenant.
        """
        snapshot_id = checked_uri(given.decode("latin-1").strip(), "NGSILD-Snapshot")
        resource = raw_path[len(_PREFIX) :].partition(b"/")[0]
        if resource in _NOT_IN_SNAPSHOTS:
            raise NgsiLdError(
                ErrorType.OPERATION_NOT_SUPPORTED, "a snapshot has no context sources: what is asked of it is local"
            )
        if resource not in _IN_SNAPSHOTS:
            return tenant
        try:
            space = await self._services.snapshots.open(tenant, snapshot_id, at)
        except BeingPrepared as error:
            retry = (b"retry-after", b"1")
            raise HttpError(503, "The snapshot is not ready", str(error), [retry]) from None
        # 5.5.15: every operation on a snapshot is local, with all that is allowed then.
        parameters["local"] = True
        return space

    def _route(self, raw_path: bytes) -> tuple[dict[str, Endpoint] | None, list[str]]:
        """The methods of the resource and the ids in its path; a slash at the end makes no difference."""
        segments = raw_path[len(_PREFIX) :].decode("latin-1").split("/")
        if len(segments) > 1 and segments[-1] == "":
            segments.pop()
        node = self._tree
        ids: list[str] = []
        for segment in segments:
            child = node.get(segment) if segment else None
            if child is None:
                child = node.get("{}")
                if child is None:
                    return None, ids
                ids.append(unquote(segment) if "%" in segment else segment)
            node = child
        return node.get(_METHODS), ids

    def _options(self, methods: dict[str, Endpoint], headers: dict[bytes, bytes]) -> Response:
        response = Response(204, headers=[_allow(methods)])
        if b"access-control-request-method" in headers:
            asked = headers.get(b"access-control-request-headers", b"*")
            response.headers += [
                (b"access-control-allow-methods", _allow(methods)[1]),
                (b"access-control-allow-headers", asked),
                (b"access-control-max-age", b"600"),
            ]
        return response

    def _allow_origin(self, origin: bytes, response: Response) -> None:
        if self._any_origin:
            response.headers.append((b"access-control-allow-origin", b"*"))
        elif origin in self._origins:
            response.headers += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        else:
            return
        response.headers.append((b"access-control-expose-headers", _EXPOSED))

    async def _send(self, response: Response, headers: dict[bytes, bytes], method: str, send: Send) -> None:
        body = response.body
        if self._gzip_minimum and len(body) >= self._gzip_minimum and b"gzip" in headers.get(b"accept-encoding", b""):
            packer = zlib.compressobj(level=1, wbits=31)
            body = packer.compress(body) + packer.flush()
            response.headers += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        if response.status != 204:
            response.headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


def _headers(pairs: list[Header]) -> dict[bytes, bytes]:
    """The headers by name; those that come several times are joined by commas (RFC 9110, 5.3)."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        headers[name] = headers[name] + b", " + value if name in headers else value
    return headers


def _allow(methods: dict[str, Endpoint]) -> Header:
    allowed = [method for method, endpoint in methods.items() if endpoint.documented]
    allowed += ["HEAD", "OPTIONS"] if "GET" in methods else ["OPTIONS"]
    return (b"allow", ", ".join(allowed).encode())


def _tree(resources: tuple[Resource, ...]) -> _Node:
    tree: _Node = {}
    for resource in resources:
        node = tree
        for segment in resource.path.strip("/").split("/"):
            node = node.setdefault("{}" if segment.startswith("{") else segment, {})
        node[_METHODS] = resource.methods
    return tree
