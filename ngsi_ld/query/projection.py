"""The attribute projection language of `pick` and `omit` (GS CIM 009 v1.9.1, 4.21), and `attrs`.

name,observation{temperature,humidity}      {"…/name": None, "…/observation": {"…/temperature": None, …}}
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ngsi_ld.errors import bad_request_data
from ngsi_ld.names import Names
from ngsi_ld.query.paths import parse_name
from ngsi_ld.query.syntax import DEFAULT_LIMITS, Cursor, Limits

MEMBERS = frozenset({"id", "type", "scope", "createdAt", "modifiedAt", "expiresAt", "deletedAt"})
"""The members of an entity that are no attributes and keep their names."""

_NO_ATTRIBUTES = frozenset({"id", "type", "scope"})


@dataclass(frozen=True, slots=True)
class Projection:
    """The listed members: IRIs of attributes and names of MEMBERS, each with the projection of what it links to."""

    members: "dict[str, Projection | None]"

    @property
    def depth(self) -> int:
        """How many links it follows: 0 without braces; it must not be more than joinLevel."""
        return max((1 + linked.depth for linked in self.members.values() if linked is not None), default=0)

    def linked(self, relationship: str) -> "Projection | None":
        """What applies to the entities that this Relationship leads to."""
        return self.members.get(relationship)


def parse_projection(
    given: str | Sequence[str], names: Names, parameter: str, limits: Limits = DEFAULT_LIMITS
) -> Projection:
    """The projection, from a parameter's text or the array of a POST query; BadRequestData with the place."""
    members: dict[str, Projection | None] = {}
    for text in [given] if isinstance(given, str) else given:
        cursor = Cursor(text, parameter, limits)
        _members(cursor, names, 1, members)
        cursor.expect_end(", or | and another name")
    return Projection(members)


def parse_attrs(given: str | Sequence[str], names: Names, parameter: str = "attrs") -> frozenset[str]:
    """The IRIs of a list of attribute names; what the broker gives every entity, such as createdAt, is left out."""
    projection = parse_projection(given, names, parameter)
    if projection.depth:
        raise bad_request_data(f"{parameter} must be names of attributes, without braces for linked entities")
    if unnamed := _NO_ATTRIBUTES & projection.members.keys():
        raise bad_request_data(f"{parameter} must be names of attributes, which {', '.join(sorted(unnamed))} is not")
    return frozenset(projection.members) - MEMBERS


def _members(cursor: Cursor, names: Names, depth: int, members: "dict[str, Projection | None]") -> None:
    while True:
        cursor.count(depth)
        start = cursor.position
        name = parse_name(cursor)
        member = name if name in MEMBERS else names.iri(name)
        linked = None
        if cursor.take("{"):
            linked = Projection({})
            _members(cursor, names, depth + 1, linked.members)
            cursor.expect("}", "to close the list of the linked entity's members")
        if member in members:
            cursor.fail(f"each member once, {name} is there twice", start)
        members[member] = linked
        if not cursor.take_any(",|"):
            return
