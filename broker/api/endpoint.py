"""An endpoint: one method of one resource, what it takes and what serves it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from broker.api.media import JSON, JSON_LD, MERGE_PATCH, PLAIN
from broker.api.request import Request
from broker.api.response import Response

Handler = Callable[[Request], Awaitable[Response]]

JSON_BODY = (JSON, JSON_LD)
PATCH_BODY = (JSON, JSON_LD, MERGE_PATCH)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method of a resource: the operation, its clause, parameters, media types, and the statuses of its success.

    `bodies` are the media types of the request's body, none where it has no body. `answers` are those that the
    answer can be had in. `options` are the keywords that its parameter `options` may have. `schema` names the body's
    data type in the OpenAPI document.
    """

    operation: str
    clause: str
    handler: Handler
    parameters: frozenset[str] = frozenset()
    bodies: tuple[str, ...] = ()
    answers: tuple[str, ...] = PLAIN
    statuses: tuple[int, ...] = (200,)
    options: frozenset[str] = frozenset()
    schema: str = ""
    takes_context: bool = False
    """Whether the body is an @context itself, and no document that 6.3.5 says has one."""
    documented: bool = True
    """Whether Allow headers and the OpenAPI document name it; false where it only says what is wrong."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource: its path below the API's root, with `{…}` where an id stands, and its methods."""

    path: str
    summary: str
    methods: dict[str, Endpoint] = field(default_factory=dict)
