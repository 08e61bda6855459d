"""A request: its parts are read once, checked in the standard's order, and kept (6.3.4, 6.3.5, 6.3.14, 6.3.20)."""

from collections.abc import Awaitable, Callable, MutableMapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson

from broker.api.doubled import doubled_member
from broker.api.link import context_link
from broker.api.media import JSON, JSON_LD, base_type, chosen
from broker.api.parameters import PARAMETERS
from broker.api.response import CONTEXT_REL, Header, context_header, media_header
from broker.federation.caller import Caller
from broker.federation.reads import Territory
from broker.federation.via import aliases, own_alias
from broker.services import Services
from broker.store.store import Reading
from broker.store.tenants import checked_tenant
from ngsi_ld.context import Context
from ngsi_ld.errors import bad_request_data, invalid_request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""What an ASGI server hands over."""


class HttpError(Exception):
    """A request that HTTP itself refuses (405, 406, 411, 413, 415): status, sentence, headers.

    Without a sentence the answer has no body, as 6.3.4 has it for 411 and 415.
    """

    def __init__(self, status: int, title: str, detail: str = "", headers: list[Header] | None = None) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers or []


class Accepting(Protocol):
    """What an endpoint says of the requests it takes."""

    parameters: frozenset[str]
    bodies: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(slots=True)
class Request:
    """One HTTP request to an endpoint; made by `read`, which has checked all that needs no body."""

    services: Services
    method: str
    ids: list[str]
    tenant: str
    headers: dict[bytes, bytes]
    parameters: dict[str, Any]
    path: str
    """The path below the API's root, such as `/entities`."""
    query_string: str
    accept: str
    now: str
    body: Any = None
    context_value: Any = None
    """The @context that the request names: a URL by Link, any value in the body, or None."""
    warnings: list[str] = field(default_factory=list)
    """What context sources did not do: the values of the NGSILD-Warning headers of the answer (6.3.17)."""

    async def context(self) -> Context:
        """The @context that names are read and written with."""
        contexts = self.services.contexts
        return contexts.known(self.tenant, self.context_value) or await contexts.resolve(
            self.tenant, self.context_value
        )

    def caller(self, context: Context) -> Caller:
        """For whom context sources are asked: what they are told of this request, and where their warnings go."""
        settings = self.services.settings
        via = self.headers.get(b"via")
        return Caller(
            tenant=self.tenant,
            context=context,
            now=self.now,
            headers=self.headers,
            alias=own_alias(settings.alias, self.tenant),
            via=() if via is None else aliases(via.decode("latin-1")),
            local=self.parameters.get("local") is True,
            split=self.parameters.get("splitEntities", settings.split_entities),
            warnings=self.warnings,
        )

    @property
    def distributed(self) -> bool:
        """Whether context sources may be concerned: the tenant has some, and the request is not for this broker alone.

        What is asked of a snapshot always is (6.3.18).
        """
        return (
            self.services.registry.any(self.tenant)
            and self.parameters.get("local") is not True
            and b"ngsild-snapshot" not in self.headers
        )

    def territory(
        self,
        context: Context,
        *,
        attributes: Set[str] | None = None,
        dataset_ids: Set[str] | None = None,
        split: bool | None = None,
    ) -> Reading:
        """Where entities are read: the store, or where the tenant has registrations, with the sources of these.

        `attributes` (IRIs) and `dataset_ids` are those that are shown, None for all. `split`: whether entities are in
        parts at several sources, if the request says.
        """
        services, settings = self.services, self.services.settings
        if self.parameters.get("local") is True or not services.registry.any(self.tenant):
            return services.store
        caller = self.caller(context)
        caller.attributes = None if attributes is None else frozenset(attributes)
        caller.dataset_ids = frozenset(dataset_ids or ())
        if split is not None:
            caller.split = split
        return Territory(services.store, services.registry, services.remotes, caller, most=settings.federation_entities)

    def query_pairs(self) -> list[tuple[str, str]]:
        """The query parameters as they came."""
        return _pairs(self.query_string) if self.query_string else []

    @property
    def json_ld(self) -> bool:
        """Whether the body is JSON-LD, which carries its @context inside."""
        return base_type(self.headers.get(b"content-type", b"").decode("latin-1")) == JSON_LD

    async def answer_headers(self, context: Context) -> list[Header]:
        """Content-Type of the answer, and the Link to the @context where the answer does not carry it."""
        if self.accept == JSON_LD:
            return [media_header(JSON_LD)]
        url = context.link or await self.services.contexts.host(self.tenant, context)
        return [media_header(self.accept), context_header(url)]


def tenant_of(headers: dict[bytes, bytes]) -> str:
    """The tenant that a request names; the empty text is the default one."""
    return checked_tenant(headers.get(b"ngsild-tenant", b"").decode("latin-1").strip())


def read_parameters(query_string: str, allowed: frozenset[str], options: frozenset[str]) -> dict[str, Any]:
    """The parsed query parameters; InvalidRequest for one that the endpoint does not have or that comes twice.

    The same for a keyword of the parameter `options` that is not among `options` (6.3.20).
    """
    if not query_string:
        return {}
    parameters: dict[str, Any] = {}
    for name, value in _pairs(query_string):
        if name not in allowed:
            raise invalid_request(
                f"there is no parameter {name!r} here; this operation has {', '.join(sorted(allowed)) or 'none'}"
            )
        if name in parameters:
            raise invalid_request(f"the parameter {name} is given twice")
        parameters[name] = PARAMETERS[name].parse(value, name)
    if "options" in parameters and (unknown := parameters["options"] - options):
        known = ", ".join(sorted(options))
        raise invalid_request(f"options has {', '.join(sorted(unknown))}; for this operation it may have {known}")
    return parameters


@lru_cache(maxsize=2048)
def _pairs(query_string: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query_string, keep_blank_values=True, errors="strict", max_num_fields=64)
    except (UnicodeDecodeError, ValueError):
        raise invalid_request("the query string is not percent-encoded UTF-8 of at most 64 parameters") from None


def negotiated(headers: dict[bytes, bytes], offered: tuple[str, ...]) -> str:
    """The media type of the answer; 406 where the client accepts none that the operation has."""
    accept = headers.get(b"accept")
    if accept is None or accept == b"*/*":
        return offered[0]
    media_type = chosen(accept.decode("latin-1"), offered)
    if media_type is None:
        raise HttpError(406, "Not acceptable", f"the answer can be had as {', '.join(offered)}")
    return media_type


async def read_body(headers: dict[bytes, bytes], receive: Receive, allowed: tuple[str, ...], limit: int) -> bytes:
    """The bytes of the body; 415, 411 and 413 as 6.3.4 has them."""
    media_type = base_type(headers.get(b"content-type", b"").decode("latin-1"))
    if media_type not in allowed:
        # RFC 9110, 15.5.16: the header says what would be right.
        raise HttpError(415, "Unsupported media type", headers=[(b"accept", ", ".join(allowed).encode())])
    length = headers.get(b"content-length")
    if length is None:
        raise HttpError(411, "Length required")
    if not length.isdigit() or int(length) > limit:
        raise HttpError(413, "Content too large", f"the body may have {limit} bytes at most")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise HttpError(413, "Content too large", f"the body may have {limit} bytes at most")
            chunks.append(chunk)
        body = b"".join(chunks)
    return body


def parse_json(body: bytes) -> Any:
    """The JSON of a body; InvalidRequest that says where it breaks, or which member an object has twice."""
    try:
        parsed = orjson.loads(body)
        doubled = doubled_member(body, parsed)
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}: {error.msg}" if body else "it is empty"
        raise invalid_request(f"the body is not valid JSON: {where}") from None
    except orjson.JSONEncodeError:
        raise invalid_request("the body is not JSON of at most 254 levels") from None
    if doubled is not None:
        raise invalid_request(f"the body has the member {doubled!r} twice in one object")
    return parsed


def context_of_link(headers: dict[bytes, bytes]) -> str | None:
    """The URL of the @context in the Link headers, if there is one."""
    link = headers.get(b"link")
    return None if link is None else context_link(link.decode("latin-1"), CONTEXT_REL)


def take_context(body: Any, headers: dict[bytes, bytes], json_ld: bool) -> Any:
    """The @context of a body, taken out of it, by the rules of 6.3.5; BadRequestData where they are broken."""
    link = context_of_link(headers)
    if not json_ld:
        if isinstance(body, dict) and "@context" in body:
            raise bad_request_data(
                f"a body of type {JSON} has no @context: name it in a Link header, or send {JSON_LD}"
            )
        return link
    if link is not None:
        raise bad_request_data(f"a body of type {JSON_LD} carries its @context, so no Link header may name one")
    if isinstance(body, dict):
        if body.get("@context") is None:
            raise bad_request_data(f"a body of type {JSON_LD} must have an @context")
        return body.pop("@context")
    return None
