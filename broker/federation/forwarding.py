"""The request that is forwarded to a context source: its URL, headers and body (4.3.6.4, 4.3.6.6, digest of 6.3.18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from broker.api.media import JSON, JSON_LD, base_type
from broker.api.response import CONTEXT_REL, ROOT
from broker.federation.caller import Caller
from broker.federation.via import via_header
from ngsi_ld.conformance import LATEST
from ngsi_ld.context import Context
from ngsi_ld.registration.registration import Registration

FROM_REQUEST = "urn:ngsi-ld:request"
"""The value of contextSourceInfo that stands for the header of the same name in the triggering request (5.2.9)."""

_SPECIAL = frozenset({"accept", "contenttype", "content-type", "jsonldcontext", "ngsildconformance"})
_NEVER_SENT = frozenset(
    {"content-length", "host", "via", "connection", "ngsild-tenant", "transfer-encoding", "link", "te", "upgrade"}
)
_QUERY_CHARACTERS = ":/@!$()*,"
_SEGMENT_CHARACTERS = ":~!$&'()*+,;=@"

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What goes over the wire."""

    url: str
    headers: dict[str, str]
    body: bytes | None


def segment(text: str) -> str:
    """An id or a name as it stands in a path."""
    return quote(text, safe=_SEGMENT_CHARACTERS)


def query_string(parameters: Parameters) -> str:
    """Parameters as they stand in a URL, in the order given."""
    return "&".join(f"{name}={quote(value, safe=_QUERY_CHARACTERS)}" for name, value in parameters)


def forwarded(
    caller: Caller,
    registration: Registration,
    path: str,
    parameters: Parameters,
    body: Any,
    context: Context,
    link: str,
    extra: Mapping[str, str],
) -> Forwarded:
    """The request to the source of a registration; `link` is the URL of the @context that its names are written with.

    The headers are those that the registration names, and of the client's those only that it has passed on.
    """
    info = {name.lower(): value for name, value in registration.source_info}
    headers = {"User-Agent": "Beffroi", "Accept": _media_type(info.get("accept")), "Accept-Encoding": "identity"}
    for name, value in registration.source_info:
        lower = name.lower()
        if lower in _SPECIAL or lower in _NEVER_SENT:
            continue
        if value == FROM_REQUEST:
            given = caller.headers.get(lower.encode("latin-1", "replace"))
            if given is None:
                continue
            value = given.decode("latin-1")
        headers[name] = value
    headers["Via"] = via_header((*caller.via, caller.alias))
    if registration.tenant:
        headers["NGSILD-Tenant"] = registration.tenant
    if registration.conformance is not None and registration.conformance < LATEST:
        headers["Prefer"] = "ngsi-ld={}.{}".format(*registration.conformance)
    headers.update(extra)
    content = None
    linked = True
    if body is not None:
        # With a jsonldContext, what is sent is plain JSON whatever contentType says (4.3.6.6).
        media_type = JSON if registration.jsonld_context else _media_type(info.get("contenttype"))
        if media_type == JSON_LD:
            body, linked = _with_context(body, context), False
        headers["Content-Type"] = media_type
        content = orjson.dumps(body)
    if linked:
        headers["Link"] = f'<{link}>; rel="{CONTEXT_REL}"; type="{JSON_LD}"'
    if registration.management.local_only:
        parameters = [*(pair for pair in parameters if pair[0] != "local"), ("local", "true")]
    query = f"?{query_string(parameters)}" if parameters else ""
    return Forwarded(f"{registration.endpoint}{ROOT}{path}{query}", headers, content)


def _media_type(value: str | None) -> str:
    return JSON_LD if value is not None and base_type(value) == JSON_LD else JSON


def _with_context(body: Any, context: Context) -> Any:
    if isinstance(body, list):
        return [_with_context(one, context) for one in body]
    return {**body, "@context": context.source} if isinstance(body, dict) else body
