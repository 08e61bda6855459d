"""A stored @context document: fetched, added by a client, or made by the broker (GS CIM 009 v1.9.1, 5.13.1)."""

import hashlib
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ngsi_ld.errors import ErrorType, NgsiLdError

PATH = "/ngsi-ld/v1/jsonldContexts/"
"""Where this broker serves those of its own."""

_OWN_ID = re.compile(r"(?:([A-Za-z0-9_-]{1,63})\.)?[0-9a-f]{32}")


class Kind(StrEnum):
    """Where a stored @context comes from."""

    CACHED = "Cached"
    HOSTED = "Hosted"
    IMPLICIT = "ImplicitlyCreated"


@dataclass(frozen=True, slots=True)
class Document:
    """One document: `context` is its @context value, with absolute references; times are Unix times.

    `tenant` owns it; None for what is everybody's. `local_id` is what it goes by in /jsonldContexts/{id}.
    """

    url: str
    local_id: str
    kind: Kind
    context: Any
    created_at: float
    tenant: str | None = None
    fresh_until: float = math.inf
    etag: str | None = None
    last_modified: str | None = None


def owner(local_id: str) -> str | None:
    """The tenant that an own context with this identifier belongs to, `""` the default one; None: it cannot be one."""
    match = _OWN_ID.fullmatch(local_id)
    return (match[1] or "") if match else None


def cached_id(url: str) -> str:
    """The local identifier of a fetched document: the same in every worker."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def not_available(url: str, reason: str) -> NgsiLdError:
    """LdContextNotAvailable: the document at `url` cannot be had."""
    return NgsiLdError(ErrorType.LD_CONTEXT_NOT_AVAILABLE, f"The @context {url} cannot be had: {reason}")
