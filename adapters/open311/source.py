"""An Open311 GeoReport v2 service: a citizens' application posts requests here and reads back what became of them.

    GET  /services.{json,xml}            POST /requests.{json,xml}
    GET  /requests/{id}.{json,xml}       GET  /requests.{json,xml}?service_request_id=…&status=…&service_code=…

A request is answered with its number once it is on disk. What is read back is what the broker has: whoever works on a
request changes the entity (status, status_notes) and the application sees it.
"""

import hmac
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from adapters.decoding import Decoder
from adapters.definition import Broker
from adapters.errors import DefinitionError
from adapters.mapping.times import to_text
from adapters.open311.answers import answer, failure
from adapters.options import read
from adapters.sources import Batch
from adapters.sources.webhook import Listener, WebhookOptions

_SHOWN = (
    "service_request_id",
    "status",
    "status_notes",
    "service_name",
    "service_code",
    "description",
    "agency_responsible",
    "service_notice",
    "requested_datetime",
    "updated_datetime",
    "expected_datetime",
)
"""Members of a request that are read back as they are in the entity."""

_STATUSES = ("open", "closed")


@dataclass(frozen=True, slots=True)
class Service:
    """A kind of request that citizens can make."""

    service_code: str
    service_name: str
    description: str = ""
    group: str = ""
    keywords: str = ""


@dataclass(frozen=True, slots=True)
class Open311Options:
    """`site`: as in the profile's settings. `broker`: where requests are read back from. `api_keys`: of the
    applications that may post; any where the list is empty. `most`: requests in one answer."""

    port: int
    site: str
    services: tuple[Service, ...]
    broker: Broker
    host: str = "127.0.0.1"
    path: str = ""
    api_keys: tuple[str, ...] = ()
    notice: str = ""
    most: int = 1000
    max_bytes: int = 1_000_000
    wait: float = 20.0
    certificate: str = ""
    key: str = ""


def open_source(options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "Open311Source":
    """From a definition's `source: {kind: open311, port: …, services: […], broker: {url: …}}`."""
    chosen = read(Open311Options, options, where)
    if not chosen.services:
        raise DefinitionError(f"{where}.services", "is empty; it lists what citizens can report")
    return Open311Source(chosen)


class Open311Source:
    """A batch for each request that a citizen makes."""

    def __init__(self, options: Open311Options) -> None:
        self._options = options
        self._services = {service.service_code: service for service in options.services}
        self._listener = Listener(
            WebhookOptions(
                port=options.port,
                host=options.host,
                max_bytes=options.max_bytes,
                wait=options.wait,
                certificate=options.certificate,
                key=options.key,
            )
        )
        self._session: aiohttp.ClientSession | None = None

    async def batches(self) -> AsyncIterator[Batch]:
        """Serves applications and yields what they post."""
        path = self._options.path.rstrip("/")
        routes = [
            web.get(path + "/services.{form:json|xml}", self._list_services),
            web.post(path + "/requests.{form:json|xml}", self._post_request),
            web.get(path + "/requests.{form:json|xml}", self._find_requests),
            web.get(path + "/requests/{id}.{form:json|xml}", self._get_request),
        ]
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self._options.broker.timeout)) as session:
            self._session = session
            async for batch in self._listener.batches(routes):
                yield batch

    async def close(self) -> None:
        """Stops serving."""
        self._listener.close()

    async def _list_services(self, request: web.Request) -> web.Response:
        shown = [
            {
                "service_code": service.service_code,
                "service_name": service.service_name,
                "description": service.description,
                "metadata": False,
                "type": "realtime",
                "keywords": service.keywords,
                "group": service.group,
            }
            for service in self._options.services
        ]
        return answer(request, "services", "service", shown)

    async def _post_request(self, request: web.Request) -> web.Response:
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        keys = self._options.api_keys
        given = form.get("api_key", request.query.get("api_key", ""))
        if keys and not any(hmac.compare_digest(given.encode(), key.encode()) for key in keys):
            return failure(request, 403, "the api_key is not one that may post requests")
        service = self._services.get(form.get("service_code", ""))
        if service is None:
            known = ", ".join(self._services)
            return failure(request, 404, f"service_code must be one of {known}, not {form.get('service_code')!r}")
        record, reason = _record(form, service)
        if record is None:
            return failure(request, 400, reason)
        if not await self._listener.deliver([record]):
            response = failure(request, 503, "the request could not be stored yet; send it again")
            response.headers["Retry-After"] = "30"
            return response
        accepted = {"service_request_id": record["service_request_id"], "service_notice": self._options.notice}
        return answer(request, "service_requests", "request", [accepted | {"account_id": None}])

    async def _get_request(self, request: web.Request) -> web.Response:
        found = await self._read({"id": self._entity_id(request.match_info["id"])})
        if found is None:
            return failure(request, 503, "what became of requests cannot be read now")
        if not found:
            return failure(request, 404, f"there is no request {request.match_info['id']}")
        return answer(request, "service_requests", "request", [_shown(entity) for entity in found])

    async def _find_requests(self, request: web.Request) -> web.Response:
        query = request.query
        parameters: dict[str, str] = {}
        if query.get("service_request_id"):
            parameters["id"] = ",".join(self._entity_id(each) for each in query["service_request_id"].split(","))
        wanted = []
        for name in ("status", "service_code"):
            values = [value for value in query.get(name, "").split(",") if value]
            if name == "status" and not set(values) <= set(_STATUSES):
                return failure(request, 400, "status must be open or closed, or both with a comma between")
            if not all(re.fullmatch(r"[\w.-]+", value) for value in values):
                return failure(request, 400, f"{name} must be letters, digits, _ . and -")
            if values:
                wanted.append(f"{name}==" + ",".join(f'"{value}"' for value in values))
        if wanted:
            parameters["q"] = ";".join(wanted)
        found = await self._read(parameters)
        if found is None:
            return failure(request, 503, "what became of requests cannot be read now")
        return answer(request, "service_requests", "request", [_shown(entity) for entity in found])

    def _entity_id(self, number: str) -> str:
        return f"urn:ngsi-ld:service_requests:{self._options.site}-{number}"

    async def _read(self, parameters: Mapping[str, str]) -> list[dict[str, Any]] | None:
        """The entities, simplified; None where the broker does not answer."""
        broker = self._options.broker
        headers = {name: value for name, value in broker.request_headers().items() if name != "Content-Type"}
        asked = {"type": "service_requests", "options": "keyValues", "limit": str(self._options.most), **parameters}
        if self._session is None:
            return None
        try:
            url = f"{broker.url.rstrip('/')}/ngsi-ld/v1/entities"
            async with self._session.get(url, params=asked, headers=headers) as response:
                if response.status == 404:  # a tenant that nothing was written to yet
                    return []
                content = await response.json() if response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        return content if isinstance(content, list) else None


def _record(form: Mapping[str, str], service: Service) -> tuple[dict[str, Any] | None, str]:
    """The record of a request that was posted, or why it is none. What is of the person is not in it."""
    place: dict[str, Any] = {}
    if form.get("lat") or form.get("long"):
        try:
            place = {"lat": float(form.get("lat", "")), "long": float(form.get("long", ""))}
        except ValueError:
            return None, "lat and long must be numbers of degrees"
        if not (-90 <= place["lat"] <= 90 and -180 <= place["long"] <= 180) or not any(place.values()):
            return None, "lat and long must be a place on earth"
    if not place and not form.get("address_string"):
        return None, "a request needs lat and long, or an address_string"
    if len(form.get("description", "")) > 4000:
        return None, "description must have at most 4000 characters"
    media = form.get("media_url", "")
    if media and not re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", media):
        return None, "media_url must be a URL that begins with http:// or https://"
    now = to_text(datetime.now(UTC).replace(microsecond=0))
    return {
        "service_request_id": uuid.uuid4().hex[:12],
        "status": "open",
        "service_code": service.service_code,
        "service_name": service.service_name,
        "requested_datetime": now,
        "updated_datetime": now,
        "description": form.get("description", ""),
        "address_string": form.get("address_string", ""),
        "jurisdiction_id": form.get("jurisdiction_id", ""),
        "media_url": media,
        **place,
    }, ""


def _shown(entity: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _plain(entity.get(name)) for name in _SHOWN}
    shown |= {"address": entity.get("address_string"), "address_id": None, "zipcode": None}
    location = entity.get("location")
    point = location["coordinates"] if isinstance(location, dict) and location.get("type") == "Point" else [None, None]
    return shown | {"lat": point[1], "long": point[0], "media_url": entity.get("media_url")}


def _plain(value: Any) -> Any:
    return value.get("@value") if isinstance(value, dict) else value
