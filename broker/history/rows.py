"""One instance of the past as it is stored: a row.

    {"a": KEY, "d": datasetId, "k": "Property", "t": 1795546920000000, "c": 1795546920250003, "v": 21.5}

`a` is the attribute's IRI as `store.names` spells it, or "@scope". `d` is absent for the default instance. `t` is its
`observedAt` in microseconds since 1970; where it has none, `t` is its creation and `w` is 1. `c` is when it came into
the history; with the attribute it names the instance, since no two of an attribute have the same. `m` is when it was
corrected, if it was; `x` when it was deleted, if it marks a deletion, and then `v` is null. `v` is the value member
as `store.documents` stores it, `h` the other members.
"""

from typing import Any

from broker.store import documents
from ngsi_ld.attributes import KINDS
from ngsi_ld.entity import Entity
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.expansion import EntityTemporal

Row = dict[str, Any]
Document = dict[str, Any]

SCOPE = "@scope"
"""The key of the series of scopes; no IRI begins so."""

INSTANCE_URN = "urn:ngsi-ld:Instance:"

_SYSTEM = frozenset({"createdAt", "modifiedAt", "expiresAt"})
_OWN = frozenset({"createdAt", "modifiedAt", "type", "datasetId", "observedAt", "deletedAt", "value", "geo"})
_MEMBERS = {name: kind.member for name, kind in KINDS.items()}
_MILLISECOND = 1000
_ABSENT = object()


def changed_rows(before: Document | None, after: Document | None, at: str, count: int) -> list[Row]:
    """The rows of a change of an entity, given as documents of the store.

    `at` is the time of a deletion, which no document tells; `count`, the counter in the change's cluster time, keeps
    changes of one millisecond apart.
    """
    old: Document = {} if before is None else before["attrs"]
    rows: list[Row] = []
    if after is None:
        deleted = instants.read(at)
        for name, instances in old.items():
            rows += [_deletion(name, one, deleted) for one in instances]
        if before is not None and before["scope"]:
            rows.append({"a": SCOPE, "k": "Property", "t": deleted, "w": 1, "v": None, "x": deleted})
        return _numbered(rows, deleted, count)
    written = instants.read(after["modifiedAt"])
    new = after["attrs"]
    for name, instances in new.items():
        former = old.get(name)
        if former == instances:
            continue
        by_dataset = {one.get("datasetId"): one for one in former or ()}
        for one in instances:
            was = by_dataset.pop(one.get("datasetId"), None)
            if was is None or _says_more(was, one):
                rows.append(row(name, one, written))
        rows += [_deletion(name, one, written) for one in by_dataset.values()]
    for name, instances in old.items():
        if name not in new:
            rows += [_deletion(name, one, written) for one in instances]
    if (scope := after["scope"]) != ([] if before is None else before["scope"]):
        # 4.5.6: the observedAt of a scope that was changed in the current state is a copy of its modifiedAt.
        mark = {} if scope else {"w": 1, "x": written}
        rows.append({"a": SCOPE, "k": "Property", "t": written, "v": scope or None, **mark})
    return _numbered(rows, written, count)


def given_rows(given: EntityTemporal, now: str, count: int) -> list[Row]:
    """The rows of instances that a client provides; `count` keeps requests of one millisecond apart."""
    written = instants.read(now)
    entity = Entity(given.id, given.types, given.attributes)
    stored = documents.document(entity, plain_geo=True)["attrs"]
    rows = [row(name, one, written) for name, instances in stored.items() for one in instances]
    for one in given.scope:
        made: Row = {"a": SCOPE, "k": "Property", "t": written, "v": one.scopes or None}
        made |= {"w": 1} if one.observed_at is None else {"t": instants.read(one.observed_at)}
        rows.append(made if one.scopes else made | {"x": written})
    return _numbered(rows, written, count)


def row(name: str, stored: Document, written: int) -> Row:
    """The row of a stored instance of the attribute with this key; `written` is when it came about."""
    kind = stored["type"]
    made: Row = {"a": name, "k": kind}
    if "datasetId" in stored:
        made["d"] = stored["datasetId"]
    if "observedAt" in stored:
        made["t"] = instants.read(stored["observedAt"])
    else:
        made["t"], made["w"] = written, 1
    member = _MEMBERS[kind]
    if member != "value":
        made["v"] = stored[member]
    else:
        made["v"] = stored["value"] if "value" in stored else stored["geo"]
    others = {one: value for one, value in stored.items() if one not in _OWN and one != member}
    if others:
        made["h"] = others
    if "deletedAt" in stored:
        made["v"], made["x"] = None, instants.read(stored["deletedAt"])
    return made


def instance(one: Row, attribute: str) -> Document:
    """The row as a stored instance, with its `instanceId`, and `deletedAt` where it marks a deletion."""
    kind = KINDS[one["k"]]
    created = one["c"] // _MILLISECOND * _MILLISECOND
    made: Document = {"type": one["k"], kind.member: kind.null if "x" in one else one["v"]}
    if "d" in one:
        made["datasetId"] = one["d"]
    if "w" not in one:
        copied = attribute == SCOPE and one["t"] == created
        made["observedAt"] = instants.show_milliseconds(one["t"]) if copied else instants.show(one["t"])
    made["createdAt"] = instants.show_milliseconds(created)
    made["modifiedAt"] = instants.show_milliseconds(one["m"]) if "m" in one else made["createdAt"]
    made["instanceId"] = instance_id(one)
    if "x" in one:
        made["deletedAt"] = instants.show_milliseconds(one["x"])
    made.update(one.get("h", {}))
    return made


def value_at(one: Row, timeproperty: str) -> Document:
    """The row as a stored instance with no more than its value and one time, which is what pairs of them show."""
    kind = KINDS[one["k"]]
    made: Document = {"type": one["k"], kind.member: kind.null if "x" in one else one["v"]}
    if "d" in one:
        made["datasetId"] = one["d"]
    if "x" in one:
        made["deletedAt"] = instants.show_milliseconds(one["x"])
    if timeproperty == "observedAt":
        if "w" not in one:
            made["observedAt"] = instants.show(one["t"])
    elif timeproperty != "deletedAt":
        corrected = timeproperty == "modifiedAt" and "m" in one
        made[timeproperty] = instants.show_milliseconds(one["m"] if corrected else one["c"])
    return made


def time_of(one: Row, timeproperty: str) -> int | None:
    """The microseconds of a time property of a row, None where it has none."""
    if timeproperty == "observedAt":
        return None if "w" in one else one["t"]
    if timeproperty == "deletedAt":
        return one.get("x")
    return one.get("m", one["c"]) if timeproperty == "modifiedAt" else one["c"]


def instance_id(one: Row) -> str:
    """The URI that names it within its attribute."""
    return f"{INSTANCE_URN}{one['c']:x}"


def creation(instance_id: str) -> int | None:
    """The `c` of the instance with this URI; None if it is none of ours."""
    try:
        return int(instance_id.removeprefix(INSTANCE_URN), 16) if instance_id.startswith(INSTANCE_URN) else None
    except ValueError:
        return None


def series(one: Row) -> str:
    """The series that a row belongs to: its attribute's KEY, with a newline and the datasetId where it has one."""
    return f"{one['a']}\n{one['d']}" if "d" in one else str(one["a"])


def _deletion(name: str, stored: Document, at: int) -> Row:
    made: Row = {"a": name, "k": stored["type"], "t": at, "w": 1, "v": None, "x": at}
    if "datasetId" in stored:
        made["d"] = stored["datasetId"]
    return made


def _says_more(was: Document, one: Document) -> bool:
    """Whether a write of an instance changed it: writing the same again does not, nor does its expiry alone (4.22)."""
    if was.get("value").__class__ is not one.get("value").__class__:
        return True
    return any(was.get(name, _ABSENT) != value for name, value in one.items() if name not in _SYSTEM) or any(
        name not in one for name in was if name not in _SYSTEM
    )


def _numbered(rows: list[Row], written: int, count: int) -> list[Row]:
    for number, one in enumerate(rows):
        # System times have milliseconds, which leaves three digits to tell apart what came in one of them.
        one["c"] = written + (count + number) % _MILLISECOND
        if "w" in one:
            one["t"] = one["c"]
    return rows
