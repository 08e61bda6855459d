"""A subscription (5.2.12): its members as they were given, and what they mean.

Definition    what is stored: members as JSON, the IRIs of the names in them, the URL of the @context
Subscription  what is worked with: triggers, query trees, endpoint, the view of the entities
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ngsi_ld.changes import Trigger
from ngsi_ld.expiry import expired
from ngsi_ld.linked import Linking
from ngsi_ld.query.q import Condition
from ngsi_ld.query.query import Query
from ngsi_ld.representation import View
from ngsi_ld.subscription.endpoint import Endpoint
from ngsi_ld.temporal.query import TemporalQuery

TYPE = "Subscription"


class Status(Enum):
    """The state of a subscription (5.2.12-2)."""

    ACTIVE = "active"
    PAUSED = "paused"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Definition:
    """A subscription as it is stored.

    `members` are those of the JSON without id, type, @context and read-only ones. `terms` gives, for each member that
    has names in it, their IRIs: `{"q": {"speed": "https://…/speed"}}`. `context` is the URL of the @context it came
    with, or of the core.
    """

    id: str
    members: dict[str, Any]
    terms: dict[str, dict[str, str]]
    context: str


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription whose members have been read. Times are in seconds, names are IRIs, None means not given.

    `query` has its selectors, q, geoQ and scopeQ; `watched` the attributes whose changes count, None for any.
    `context` is the URL of the @context that notifications are written with. `temporal` is for subscriptions to
    registrations only (5.11).
    """

    definition: Definition
    endpoint: Endpoint
    view: View
    context: str
    query: Query = field(default_factory=Query)
    watched: frozenset[str] | None = None
    triggers: frozenset[Trigger] = frozenset()
    throttling: float | None = None
    time_interval: float | None = None
    expires_at: str | None = None
    is_active: bool = True
    local_only: bool = False
    show_changes: bool = False
    linking: Linking | None = None
    conformance: tuple[int, int] | None = None
    csf: Condition | None = None
    temporal: TemporalQuery | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.definition.id

    def status(self, now: str) -> Status:
        """Its state at a moment in canonical form."""
        if self.expires_at is not None and expired(self.expires_at, now):
            return Status.EXPIRED
        return Status.ACTIVE if self.is_active else Status.PAUSED
