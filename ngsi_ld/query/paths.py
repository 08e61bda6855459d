"""Attribute paths as `q` and `orderBy` have them (GS CIM 009 v1.9.1, 4.9): dotted names, members in [], links in {}."""

import re
from dataclasses import dataclass

from ngsi_ld.names import Names
from ngsi_ld.query.syntax import Cursor

ENTITY_MEMBERS = frozenset({"createdAt", "modifiedAt", "expiresAt", "deletedAt"})
"""What an entity has beside attributes that `q` can compare; it is not enough to make a query narrow (5.7.2)."""

INSTANCE_MEMBERS = ENTITY_MEMBERS | {"observedAt", "unitCode", "datasetId", "valueType", "objectType", "type"}
"""What ends a dotted path as a member of the attribute instance that is no sub-attribute."""

NAMING_MEMBERS = frozenset({"valueType", "objectType"})
"""The members that hold names, and so IRIs."""


@dataclass(frozen=True, slots=True)
class Path:
    """`temperature.accuracy.observedAt` or `address[geo.city]`: what of an entity a term compares.

    `names`: IRIs of the attribute and of the sub-attributes within it; none for a member of the entity itself.
    `member`: a non-reified member at the end. `inside`: the members within the value, `("*",)` for any language.
    """

    names: tuple[str, ...]
    member: str | None = None
    inside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedPath:
    """`sensor{Device:humidity}`: a path on the entities that a Relationship leads to, of one of `types` if any."""

    relationship: str
    types: tuple[str, ...]
    path: "AnyPath"


AnyPath = Path | LinkedPath

NAME = re.compile(r"[^\W\d_]\w*(?::[^\W\d_]\w*)?")
IRI = re.compile(r"(?:https?://|urn:)[^\s=!<>~;|(){}\[\]\",]+")
_INSIDE = re.compile(r"[^.\[\]\"{};|()<>=!~]+")
_HINT = re.compile(r" *([^{}:\s.\[\]=]+(?:,[^{}:\s.\[\]=]+)*):")


def parse_path(cursor: Cursor, names: Names, members: frozenset[str] = ENTITY_MEMBERS, depth: int = 1) -> AnyPath:
    """The path that comes next, names expanded; `members` are what of the entity itself it may name."""
    start = cursor.position
    dotted = [parse_name(cursor)]
    while cursor.text.startswith(".", cursor.position) and not cursor.text.startswith("..", cursor.position):
        cursor.position += 1
        dotted.append(parse_name(cursor))
    if cursor.text.startswith("{", cursor.position):
        if len(dotted) > 1:
            cursor.fail("the name of a Relationship alone before {", start)
        return _linked(cursor, names, dotted[0], depth)
    inside = _inside(cursor) if cursor.text.startswith("[", cursor.position) else ()
    member = None
    if dotted[-1] in (INSTANCE_MEMBERS if len(dotted) > 1 else members):
        member = dotted.pop()
        if inside:
            cursor.fail(f"no [] after {member}, which has no members", start)
    return Path(tuple([names.iri(name) for name in dotted]), member, inside)


def parse_name(cursor: Cursor) -> str:
    """The name that comes next: short, with a prefix, or an IRI that begins with http:, https: or urn:."""
    cursor.skip_spaces()
    match = IRI.match(cursor.text, cursor.position) or NAME.match(cursor.text, cursor.position)
    if match is None:
        cursor.fail("the name of an attribute")
    cursor.position = match.end()
    return match[0]


def _linked(cursor: Cursor, names: Names, relationship: str, depth: int) -> LinkedPath:
    cursor.position += 1
    cursor.count(depth)
    hint = _HINT.match(cursor.text, cursor.position)
    types: tuple[str, ...] = ()
    if hint is not None and all(NAME.fullmatch(name) for name in hint[1].split(",")):
        types = tuple([names.iri(name) for name in hint[1].split(",")])
        cursor.position = hint.end()
    path = parse_path(cursor, names, depth=depth + 1)
    cursor.expect("}", "to close the path on the linked entity")
    return LinkedPath(names.iri(relationship), types, path)


def _inside(cursor: Cursor) -> tuple[str, ...]:
    cursor.position += 1
    keys = []
    while True:
        match = _INSIDE.match(cursor.text, cursor.position)
        if match is None:
            cursor.fail("the name of a member within the value")
        keys.append(match[0])
        cursor.position = match.end()
        if not cursor.take("."):
            break
        if len(keys) > cursor.limits.depth:
            cursor.fail(f"at most {cursor.limits.depth} names within []")
    cursor.expect("]", "to close the path within the value")
    return tuple(keys)
