"""An entity query: all that it asks of the entities it wants (GS CIM 009 v1.9.1, 5.7.2, 5.2.23)."""

from dataclasses import dataclass

from ngsi_ld.query.geo import GeoQuery
from ngsi_ld.query.ordering import Ordering
from ngsi_ld.query.paths import AnyPath, LinkedPath
from ngsi_ld.query.patterns import Pattern
from ngsi_ld.query.q import And, Condition, Or
from ngsi_ld.query.scope_q import ScopeQuery
from ngsi_ld.query.type_selection import TypeSelection


@dataclass(frozen=True, slots=True)
class EntitySelector:
    """Entities by type, id and pattern of the id (5.2.33); each given member must hold. No types: of any type."""

    types: TypeSelection | None = None
    ids: tuple[str, ...] = ()
    id_pattern: Pattern | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """The conditions of an entity query, all of which must hold, and the order of the answer.

    `selectors`: one of them must select the entity; none: any entity. `attributes`: IRIs, one of which the entity must
    have (`attrs`); none: any. Only live entities and attribute instances count (4.22). `csf` is about the context
    sources that are asked, not about entities. `local`: none is asked, since a selector is for every type (`*`).
    """

    selectors: tuple[EntitySelector, ...] = ()
    attributes: frozenset[str] = frozenset()
    q: Condition | None = None
    scope_q: ScopeQuery | None = None
    geo: GeoQuery | None = None
    ordering: Ordering | None = None
    csf: Condition | None = None
    local: bool = False

    @property
    def named_attributes(self) -> frozenset[str]:
        """The IRIs of all attributes that it has conditions on."""
        places = frozenset() if self.geo is None else frozenset([self.geo.geoproperty])
        return self.attributes | named_attributes(self.q) | places

    @property
    def is_narrow(self) -> bool:
        """Whether it names a type, an attribute or a place, without which a query is too wide (5.7.2.4)."""
        return (
            any(selector.types is not None for selector in self.selectors)
            or bool(self.attributes)
            or self.geo is not None
            or (self.q is not None and any(not is_system(path) for path in paths(self.q)))
        )

    @property
    def link_depth(self) -> int:
        """How many links its `q` follows; it must not be more than joinLevel, and 0 without join (5.7.2.4)."""
        return 0 if self.q is None else max(map(link_depth, paths(self.q)))


ANY = Query()
"""Every entity."""


def paths(condition: Condition) -> list[AnyPath]:
    """The paths of all terms."""
    if isinstance(condition, And | Or):
        return [path for one in condition.conditions for path in paths(one)]
    return [condition.path]


def named_attributes(condition: Condition | None) -> frozenset[str]:
    """The IRIs of the attributes of the entity itself that a condition is on."""
    if condition is None:
        return frozenset()
    firsts = [
        path.relationship if isinstance(path, LinkedPath) else next(iter(path.names), "") for path in paths(condition)
    ]
    return frozenset(filter(None, firsts))


def link_depth(path: AnyPath) -> int:
    """How many links the path follows."""
    depth = 0
    while isinstance(path, LinkedPath):
        depth, path = depth + 1, path.path
    return depth


def is_system(path: AnyPath) -> bool:
    """Whether the path names only what the broker itself gives every entity, such as createdAt."""
    return not isinstance(path, LinkedPath) and not path.names
