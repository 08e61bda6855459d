"""A context source registration (5.2.9): its members as they were given, and what they mean.

Definition     what is stored: members as JSON with IRIs for names, the URL of the @context
Registration   what is worked with: where the source is, what it has, what it may be asked
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ngsi_ld.expiry import expired
from ngsi_ld.query.patterns import Pattern

TYPE = "ContextSourceRegistration"


class Mode(Enum):
    """How the data of a source stands to that of this broker (4.3.6)."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"
    REDIRECT = "redirect"
    AUXILIARY = "auxiliary"

    @property
    def proxied(self) -> bool:
        """Whether the source alone has the data that is registered."""
        return self in (Mode.EXCLUSIVE, Mode.REDIRECT)


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """Entities that a source has: of one of these types (IRIs; none: any), by id, or by a pattern of the id (5.2.8)."""

    types: frozenset[str] = frozenset()
    id: str | None = None
    id_pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Information:
    """What a source has (5.2.10): entities, any if empty, with these attributes by IRI, any if empty."""

    entities: tuple[EntityInfo, ...] = ()
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Management:
    """How a source is asked (5.2.34). Times are in seconds; None where the registration says nothing."""

    local_only: bool = False
    timeout: float | None = None
    cooldown: float | None = None
    cache: float | None = None


@dataclass(frozen=True, slots=True)
class Interval:
    """A time interval of a temporal source (5.2.11) in canonical form; no end: it goes on."""

    start: str
    end: str | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A registration as it is stored.

    `members` are those of the JSON without id, type, @context and read-only ones; the types and attributes in them are
    IRIs, and so are the names of the members that the standard does not have, the properties of the source. `context`
    is the URL of the @context it came with, or of the core.
    """

    id: str
    members: dict[str, Any]
    context: str


@dataclass(frozen=True, slots=True)
class Registration:
    """A registration whose members have been read. Names are IRIs.

    `endpoint` is the URL of the source without `/ngsi-ld/v1` and without a slash at its end. `source_info` has the
    pairs of contextSourceInfo. `conformance` is the version that the source speaks, None where not told.
    `jsonld_context` is the URL of the @context that requests to it are written with, None for that of the request.
    `geometries` has location, observationSpace and operationSpace where given. `properties` are those of the source
    by IRI, as JSON.
    """

    definition: Definition
    endpoint: str
    information: tuple[Information, ...]
    mode: Mode = Mode.INCLUSIVE
    operations: frozenset[str] = frozenset()
    alias: str | None = None
    tenant: str | None = None
    dataset_ids: frozenset[str] = frozenset()
    scope: tuple[str, ...] = ()
    geometries: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    observation: Interval | None = None
    management_interval: Interval | None = None
    management: Management = Management()
    source_info: tuple[tuple[str, str], ...] = ()
    conformance: tuple[int, int] | None = None
    jsonld_context: str | None = None
    expires_at: str | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.definition.id

    def alive(self, now: str) -> bool:
        """Whether it holds at a moment in canonical form."""
        return self.expires_at is None or not expired(self.expires_at, now)
