"""What of a query a context source is asked: what the registration has, and no more (GS CIM 009 v1.9.1, 4.3.6.1).

A registration for Vehicles named urn:a:…, with their speed, asked for Vehicles and Bikes with speed or colour:

    Part(EntitySelector(types=Vehicle, id_pattern=^urn:a:), attributes={speed}, registered={speed})

What comes back is held to the same: a source has no say about what it is not registered for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ngsi_ld.entity import Entity
from ngsi_ld.query.matching import selects
from ngsi_ld.query.patterns import Pattern
from ngsi_ld.query.query import EntitySelector
from ngsi_ld.query.type_selection import TypeSelection
from ngsi_ld.registration.matching import any_of
from ngsi_ld.registration.registration import EntityInfo, Information

_EVERY = EntityInfo()


@dataclass(frozen=True, slots=True)
class Part:
    """What one request asks of a source.

    `attributes`: IRIs to ask for, none for all. `registered`: those that the source may send, None for any. `pattern`:
    what ids have to match besides what the selector says.
    """

    selector: EntitySelector
    attributes: frozenset[str] = frozenset()
    registered: frozenset[str] | None = None
    pattern: Pattern | None = None

    def own(self, entity: Entity) -> Entity | None:
        """What of an entity the source may claim; None where that is nothing."""
        if not selects(self.selector, entity):
            return None
        if self.pattern is not None and not self.pattern.search(entity.id):
            return None
        if self.registered is None or self.registered.issuperset(entity.attributes):
            return entity
        kept = {name: value for name, value in entity.attributes.items() if name in self.registered}
        return replace(entity, attributes=kept)


def parts(
    information: Iterable[Information], selectors: Sequence[EntitySelector], attributes: frozenset[str]
) -> list[Part]:
    """The requests that ask a source for all that is wanted of it; as few as one query with one selector each allows.

    `information` is what of a registration matches; `selectors`, any of which, none for any, and `attributes`, none
    for any, are what is wanted.
    """
    by_type: dict[frozenset[str] | None, dict[frozenset[str], None]] = {}
    by_id: dict[tuple[TypeSelection | None, frozenset[str] | None], dict[str, None]] = {}
    found: dict[Part, None] = {}
    for one in information:
        registered = one.attributes or None
        for info in one.entities or (_EVERY,):
            for selector in selectors or (EntitySelector(),):
                part = _part(info, selector, registered)
                if part is None:
                    continue
                narrowed = part.selector
                if narrowed.ids:
                    by_id.setdefault((narrowed.types, registered), {}).update(dict.fromkeys(narrowed.ids))
                elif narrowed.types is not None and narrowed.id_pattern is None:
                    by_type.setdefault(registered, {}).update(dict.fromkeys(narrowed.types.alternatives))
                else:
                    found[part] = None
    for registered, alternatives in by_type.items():
        found[Part(EntitySelector(TypeSelection(tuple(alternatives))), registered=registered)] = None
    for (types, registered), ids in by_id.items():
        found[Part(EntitySelector(types, tuple(ids)), registered=registered)] = None
    return [replace(part, attributes=_asked(attributes, part.registered)) for part in found]


def _part(info: EntityInfo, selector: EntitySelector, registered: frozenset[str] | None) -> Part | None:
    types = selector.types
    if info.types:
        if types is None:
            types = any_of(sorted(info.types))
        else:
            common = tuple([one for one in types.alternatives if one <= info.types])
            if not common:
                return None
            types = TypeSelection(common)
    pattern = selector.id_pattern
    if info.id is not None:
        if (selector.ids and info.id not in selector.ids) or (pattern is not None and not pattern.search(info.id)):
            return None
        return Part(EntitySelector(types, (info.id,)), registered=registered)
    if selector.ids:
        patterns = [one for one in (pattern, info.id_pattern) if one is not None]
        ids = tuple([one for one in selector.ids if all(each.search(one) for each in patterns)])
        return Part(EntitySelector(types, ids), registered=registered) if ids else None
    if pattern is None or info.id_pattern is None:
        return Part(EntitySelector(types, (), pattern or info.id_pattern), registered=registered)
    return Part(EntitySelector(types, (), pattern), registered=registered, pattern=info.id_pattern)


def _asked(wanted: frozenset[str], registered: frozenset[str] | None) -> frozenset[str]:
    if registered is None:
        return wanted
    return wanted & registered if wanted else registered
