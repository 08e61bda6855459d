"""The CMS side of TALQ 2.7.1, served to the gateways of outdoor device networks.

    POST, PUT, PATCH /devices            PUT, PATCH, DELETE /devices/{address}
    POST, PUT /device-classes            POST /services            POST /log-reports

Each answers as the protocol's OpenAPI says (201 to POST, 200 to the others, 400 and 422 with TALQ error messages), and
only once the data is on disk. A gateway that repeats a request (same talqRequestId or not) changes nothing: the same
values at the same times are sent to the broker once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import web

from adapters.decoding import Decoder
from adapters.decoding.json import parse_json
from adapters.errors import DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch
from adapters.sources.webhook import Listener, WebhookOptions
from adapters.talq.records import TalqDecoder

VERSIONS = "2."
"""What the header talq-api-version must begin with: minor releases of TALQ 2 add and do not change."""


@dataclass(frozen=True, slots=True)
class TalqSourceOptions:
    """As of a webhook. `path`: what stands before /devices. `gateways`: the clientAddress of those that may speak, any
    where the list is empty."""

    port: int
    host: str = "127.0.0.1"
    path: str = ""
    token: str = ""
    gateways: tuple[str, ...] = ()
    max_bytes: int = 20_000_000
    wait: float = 20.0
    certificate: str = ""
    key: str = ""
    client_ca: str = ""


def open_source(options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "TalqSource":
    """From a definition's `source: {kind: talq, port: …}`; its format must be talq too."""
    chosen = read(TalqSourceOptions, options, where)
    if not isinstance(decoder, TalqDecoder):
        raise DefinitionError(where, "the talq source reads the format talq and no other")
    return TalqSource(chosen, decoder)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TalqSource:
    """A batch for each message that carries data."""

    def __init__(self, options: TalqSourceOptions, decoder: TalqDecoder) -> None:
        self._options = options
        self._decoder = decoder
        self._listener = Listener(
            WebhookOptions(
                port=options.port,
                host=options.host,
                token=options.token,
                max_bytes=options.max_bytes,
                wait=options.wait,
                certificate=options.certificate,
                key=options.key,
                client_ca=options.client_ca,
            )
        )

    def batches(self) -> AsyncIterator[Batch]:
        """Serves the protocol and yields what comes."""
        path = self._options.path.rstrip("/")
        handlers: list[tuple[str, str, Handler]] = [
            ("POST", "/devices", self._devices),
            ("PUT", "/devices", self._devices),
            ("PATCH", "/devices", self._devices),
            ("PUT", "/devices/{address}", self._devices),
            ("PATCH", "/devices/{address}", self._devices),
            ("DELETE", "/devices/{address}", self._forget),
            ("POST", "/log-reports", self._devices),
            ("POST", "/device-classes", self._noted),
            ("PUT", "/device-classes", self._noted),
            ("POST", "/services", self._noted),
        ]
        return self._listener.batches([web.route(method, path + place, handler) for method, place, handler in handlers])

    async def close(self) -> None:
        """Stops serving."""
        self._listener.close()

    async def _devices(self, request: web.Request) -> web.StreamResponse:
        """Devices, whole or in part, and log reports: data for the broker."""
        body = await request.read()
        refused = self._refusal(request, body)
        if refused is not None:
            return refused
        method = request.method
        try:
            message = parse_json(body)
            address = request.match_info.get("address")
            if address is not None and isinstance(message, dict):
                message.setdefault("address", address)
            records = self._decoder.records(message, announced=method in ("POST", "PUT"))
            told = {"gateway": request.query["clientAddress"], "request": request.query.get("talqOriginRequestId")}
            for record in records:
                if isinstance(record, dict):
                    record.update(told)
        except DecodingError as error:
            return _error(400, "payloadError", str(error))
        if not await self._listener.deliver(records):
            response = _error(503, "internalError", "the data could not be stored yet; send it again")
            response.headers["Retry-After"] = "30"
            return response
        if method == "POST":
            echoed = message if isinstance(message, list) else None
            return web.json_response(echoed, status=201) if echoed is not None else web.Response(status=201)
        return web.json_response(message) if method == "PUT" else web.Response(status=200)

    async def _noted(self, request: web.Request) -> web.StreamResponse:
        """Device classes and services: what a gateway is able to send, which shows in what it sends."""
        body = await request.read()
        refused = self._refusal(request, body)
        if refused is not None:
            return refused
        try:
            announced = parse_json(body)
        except DecodingError as error:
            return _error(400, "payloadError", str(error))
        if not isinstance(announced, list):
            return _error(400, "payloadError", "the body must be a list")
        return web.json_response(announced, status=201 if request.method == "POST" else 200)

    async def _forget(self, request: web.Request) -> web.StreamResponse:
        refused = self._refusal(request, b"")
        if refused is not None:
            return refused
        address = request.match_info["address"]
        if self._decoder.devices.remove(address):
            return web.Response(status=200)
        return _error(404, "resourceNotFound", f"the device {address} is not known")

    def _refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        """The error message for a request that is not as TALQ says, or from a gateway that may not speak."""
        unauthorized = self._listener.refusal(request, body)
        if unauthorized:
            return _error(401, "unauthorized", unauthorized)
        version = request.headers.get("talq-api-version")
        if version is None:
            return _error(400, "headerMissing", "the header talq-api-version is missing")
        if not version.startswith(VERSIONS):
            return _error(400, "headerValueNotValid", f"talq-api-version must be 2.x, not {version}")
        for name in ("clientAddress", "talqRequestId"):
            value = request.query.get(name)
            if value is None:
                return _error(400, "parameterMissing", f"the parameter {name} is missing")
            if not _is_uuid(value):
                return _error(400, "parameterValueNotValid", f"{name} must be a UUID, not {value!r}")
        gateway = request.query["clientAddress"]
        if self._options.gateways and gateway not in self._options.gateways:
            return _error(403, "parameterValueNotValid", f"the gateway {gateway} is not one that may speak here")
        return None


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _error(status: int, key: str, description: str) -> web.Response:
    return web.json_response([{"key": key, "description": description}], status=status)
