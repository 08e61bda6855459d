"""Snapshots (GS CIM 009 v1.9.1, 4.3.7, 5.2.41, 5.2.42, 5.3.4): their members read, updated, rendered and told of.

A snapshot is kept as the JSON members that the client gave; `Snapshot` is those together with what became of them.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ngsi_ld.attributes import NULL
from ngsi_ld.entity import Attributes, Entity
from ngsi_ld.errors import bad_request_data
from ngsi_ld.names import checked_uri
from ngsi_ld.query.matching import matches
from ngsi_ld.query.paths import Path
from ngsi_ld.query.q import Condition, parse_q
from ngsi_ld.query.query import Query, paths
from ngsi_ld.subscription.endpoint import EVENTS_URI, Endpoint, parse_endpoint
from ngsi_ld.subscription.values import shown
from ngsi_ld.temporal.durations import Duration, parse_duration

TYPE = "Snapshot"
DEFAULT_PRIORITY = 5

QUERIES = "snapshotQueries"
TEMPORAL_QUERIES = "snapshotTemporalQueries"
_DETAILS = "snapshotQueriesDetails"
_TEMPORAL_DETAILS = "snapshotTemporalQueriesDetails"
_HIGHEST_PRIORITY = 10


class Status(Enum):
    """How far a snapshot is, by the names of 5.2.41."""

    PREPARING = "preparing"
    SUCCESS = "success"
    PARTIAL = "partial"
    FAILURE = "failure"
    EMPTY = "empty"


Details = Sequence[Mapping[str, Any]]
"""One ExecutionResultDetails (5.2.42) for each query: `{"resultStatus": "success"}`, with `problemDetails` if any."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot: `members` as the client gave them, without id and type; the times as DateTimes."""

    id: str
    members: Mapping[str, Any]
    status: Status
    created_at: str
    modified_at: str
    expires_at: str
    last_used_at: str
    details: Details = field(default=())
    temporal_details: Details = field(default=())

    @property
    def priority(self) -> int:
        """From 1, the first to go where room is needed, to 10."""
        return priority_of(self.members)


def new_members(body: Any) -> tuple[str | None, dict[str, Any]]:
    """The id, if there is one, and the members of a snapshot to create (5.16.1); its queries are not looked into.

    BadRequestData that names the member at fault, here and in what follows.
    """
    given = _given(body, _WITH_QUERIES)
    if QUERIES not in given and TEMPORAL_QUERIES not in given:
        raise bad_request_data(f"a snapshot must have {QUERIES} or {TEMPORAL_QUERIES}: what is to be in it")
    for name in (QUERIES, TEMPORAL_QUERIES):
        if name in given and not (isinstance(given[name], list) and given[name]):
            raise bad_request_data(f"{name} must be an array of at least one Query, not {shown(given[name])}")
    return _identifier(body), _checked(given)


def clone_members(body: Any) -> tuple[str | None, dict[str, Any]]:
    """The same of a snapshot that is to have the data of another (5.16.2), and so has no queries."""
    return _identifier(body), _checked(_given(body, _WITHOUT_QUERIES))


def updated_members(before: Snapshot, fragment: Any) -> dict[str, Any]:
    """The members after a fragment (5.16.4): each one of it replaces that of its name; null takes it away."""
    given = _given(fragment, _WITHOUT_QUERIES, fragment=True)
    if given.pop("id", before.id) != before.id:
        raise bad_request_data(f"id cannot be changed: it is {before.id}")
    members = {name: value for name, value in before.members.items() if name not in given}
    return _checked(members | {name: value for name, value in given.items() if value is not None and value != NULL})


def lifetime_of(members: Mapping[str, Any]) -> Duration | None:
    """For how long the client would have it."""
    return parse_duration(members[_LIFETIME], _LIFETIME) if _LIFETIME in members else None


def endpoint_of(members: Mapping[str, Any]) -> Endpoint | None:
    """Where its changes of status are told, None for nowhere."""
    if "endpoint" not in members:
        return None
    if members["endpoint"] == EVENTS_URI:
        raise bad_request_data("endpoint must be a URI that can be sent to")
    given = {"uri": members["endpoint"]}
    if "receiverInfo" in members:
        given["receiverInfo"] = members["receiverInfo"]
    return parse_endpoint(given, "endpoint")


def priority_of(members: Mapping[str, Any]) -> int:
    """The priority that members state, or the default one."""
    priority: int = members.get("snapshotPriority", DEFAULT_PRIORITY)
    return priority


def outcome(details: Details) -> Status:
    """The status that the results of all queries make (5.16.1.4)."""
    results = [one["resultStatus"] for one in details]
    if all(one == Status.SUCCESS.value for one in results):
        return Status.SUCCESS
    for status, result in ((Status.PARTIAL, Status.SUCCESS), (Status.EMPTY, Status.EMPTY)):
        if result.value in results:
            return status
    return Status.FAILURE


def render(snapshot: Snapshot) -> dict[str, Any]:
    """Its JSON, without @context; the names in its queries are those that it was created with."""
    shown_details = {_DETAILS: snapshot.details, _TEMPORAL_DETAILS: snapshot.temporal_details}
    return {
        "id": snapshot.id,
        "type": TYPE,
        **snapshot.members,
        "snapshotPriority": snapshot.priority,
        "snapshotStatus": snapshot.status.value,
        **{name: list(details) for name, details in shown_details.items() if details},
        "createdAt": snapshot.created_at,
        "modifiedAt": snapshot.modified_at,
        "lastUsedAt": snapshot.last_used_at,
        "expiresAt": snapshot.expires_at,
    }


def notification(snapshot: Snapshot, notification_id: str, notified_at: str, expires_at: str) -> dict[str, Any]:
    """The SnapshotNotification (5.3.4); that it has been deleted is told by an `expires_at` before `notified_at`."""
    # 5.3.4 names the second list otherwise than 5.2.41 does.
    shown_details = {_DETAILS: snapshot.details, "temporalSnapshotQueriesDetails": snapshot.temporal_details}
    return {
        "id": notification_id,
        "type": "SnapshotNotification",
        "snapshotId": snapshot.id,
        "snapshotStatus": snapshot.status.value,
        "snapshotPriority": snapshot.priority,
        "notifiedAt": notified_at,
        "expiresAt": expires_at,
        **{name: list(details) for name, details in shown_details.items() if details},
    }


class _OwnNames:
    """The names in a query on snapshots: their members, which stand for themselves."""

    def iri(self, name: str) -> str:
        return name

    def term(self, iri: str) -> str:
        return iri


_OWN_NAMES = _OwnNames()


def parse_purge_query(text: str) -> Condition:
    """The `q` of a purge (5.16.7): on members of the Snapshot data type alone; BadRequestData for others."""
    condition = parse_q(text, _OWN_NAMES)
    for path in paths(condition):
        if not isinstance(path, Path) or (path.names and path.names[0] not in _QUERIED) or len(path.names) > 1:
            raise bad_request_data(f"q can compare members of a snapshot only: {', '.join(sorted(_QUERIED))}")
    return condition


def selected(condition: Condition, snapshot: Snapshot, now: str) -> bool:
    """Whether a query of a purge selects the snapshot."""
    members = {name: value for name, value in render(snapshot).items() if name not in _SYSTEM}
    attributes: Attributes = {name: [{"type": "Property", "value": value}] for name, value in members.items()}
    entity = Entity(snapshot.id, [TYPE], attributes, [], snapshot.created_at, snapshot.modified_at, snapshot.expires_at)
    return matches(Query(q=condition), entity, now)


def _given(body: Any, allowed: Collection[str], *, fragment: bool = False) -> dict[str, Any]:
    """The members that count: what only the broker says is ignored (5.2.41), and so is what begins with _."""
    if not isinstance(body, dict):
        raise bad_request_data(f"the body must be one JSON object, a Snapshot, not {shown(body)}")
    if body.get("type", TYPE if fragment else None) != TYPE:
        raise bad_request_data(f'type must be "{TYPE}", not {shown(body.get("type"))}')
    given = {}
    for name, value in body.items():
        if name in allowed or (name == "id" and fragment):
            given[name] = value
        elif name in (QUERIES, TEMPORAL_QUERIES):
            raise bad_request_data(f"{name} can be given on creation only")
        elif name not in _READ_ONLY and name not in ("id", "type") and not name.startswith("_"):
            raise bad_request_data(f"a snapshot has no member {shown(name)}; it has {', '.join(_WITH_QUERIES)}")
    return given


def _identifier(body: Mapping[str, Any]) -> str | None:
    return checked_uri(body["id"], "id") if "id" in body else None


def _checked(members: dict[str, Any]) -> dict[str, Any]:
    for name, check in _CHECKS.items():
        if name in members:
            check(members[name])
    if "receiverInfo" in members and "endpoint" not in members:
        raise bad_request_data("receiverInfo is for an endpoint, which the snapshot does not have")
    endpoint_of(members)
    return members


def _check_lifetime(value: Any) -> None:
    if not isinstance(value, str):
        raise bad_request_data(f"{_LIFETIME} must be an ISO 8601 duration such as PT1H, not {shown(value)}")
    if parse_duration(value, _LIFETIME).is_zero:
        raise bad_request_data(f"{_LIFETIME} must be longer than nothing")


def _check_priority(value: Any) -> None:
    if type(value) is not int or not 1 <= value <= _HIGHEST_PRIORITY:
        raise bad_request_data(f"snapshotPriority must be a whole number from 1 to 10, not {shown(value)}")


_LIFETIME = "snapshotLifetime"
_CHECKS: dict[str, Callable[[Any], None]] = {_LIFETIME: _check_lifetime, "snapshotPriority": _check_priority}
_WITHOUT_QUERIES = (_LIFETIME, "snapshotPriority", "endpoint", "receiverInfo")
_WITH_QUERIES = (QUERIES, TEMPORAL_QUERIES, *_WITHOUT_QUERIES)
_SYSTEM = frozenset({"createdAt", "modifiedAt", "expiresAt"})
_READ_ONLY = _SYSTEM | {"lastUsedAt", "snapshotStatus", _DETAILS, _TEMPORAL_DETAILS}
_QUERIED = frozenset({"id", "type", *_WITH_QUERIES, *_READ_ONLY})
