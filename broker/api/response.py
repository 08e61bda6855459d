"""An answer: status, headers, bytes. What the standard fixes of each kind of answer is here (6.3.2, 6.3.6, 6.4)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson

from broker.api.media import JSON
from ngsi_ld.errors import NgsiLdError

Header = tuple[bytes, bytes]

CONTEXT_REL = "http://www.w3.org/ns/json-ld#context"
ROOT = "/ngsi-ld/v1"

_PATH_CHARACTERS = "/:~!$&'()*+,;=@%"


@dataclass(slots=True)
class Response:
    """What is sent back; Content-Length is added on sending."""

    status: int
    body: bytes = b""
    headers: list[Header] = field(default_factory=list)


def dump(value: Any) -> bytes:
    """A JSON value as bytes."""
    return orjson.dumps(value)


@lru_cache(maxsize=1024)
def media_header(media_type: str) -> Header:
    """The Content-Type header."""
    return (b"content-type", media_type.encode())


@lru_cache(maxsize=1024)
def context_header(url: str) -> Header:
    """The Link header that names the @context of an answer in plain JSON (6.3.6)."""
    return (b"link", f'<{url}>; rel="{CONTEXT_REL}"; type="application/ld+json"'.encode())


def no_content() -> Response:
    """204: done, nothing to say."""
    return Response(204)


def multi_status(body: Any) -> Response:
    """207: a part was done; the body says which, and why not the rest."""
    return json_response(207, body)


def created(path: str) -> Response:
    """201 with the Location of what was created, such as `/ngsi-ld/v1/entities/urn:ngsi-ld:Streetlight:1`."""
    return Response(201, b"", [(b"location", location(path))])


def location(path: str) -> bytes:
    """A path below the API's root as it goes into a header."""
    return (ROOT + quote(path, safe=_PATH_CHARACTERS)).encode()


def json_response(status: int, value: Any, headers: Iterable[Header] = ()) -> Response:
    """An answer in plain JSON that no @context applies to: 207 bodies, lists of ids, errors."""
    return Response(status, dump(value), [media_header(JSON), *headers])


def problem(error: NgsiLdError) -> Response:
    """The ProblemDetails of an error: the one place where errors become answers."""
    return json_response(error.type.status, error.problem_details())


def problem_details(status: int, title: str, detail: str, headers: Iterable[Header] = ()) -> Response:
    """An error that HTTP defines and NGSI-LD has no type for (RFC 9457 says about:blank then)."""
    body = {"type": "about:blank", "title": title, "detail": detail, "status": status}
    return json_response(status, body, headers)
