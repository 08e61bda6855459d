"""Which registrations an operation concerns, and what of them (GS CIM 009 v1.9.1, 5.12).

    wanted = Wanted(types=parse_type_selection("Streetlight", names), attributes=frozenset({names.iri("powerState")}))

What is wanted is about entities: their types, ids, a pattern of ids, and attributes. A registration is concerned if one
element of its information has such entities and one of the attributes. `ngsi_ld.registration.index` finds them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ngsi_ld.query.geo import GeoQuery
from ngsi_ld.query.patterns import Pattern
from ngsi_ld.query.q import Condition
from ngsi_ld.query.scope_q import ScopeQuery
from ngsi_ld.query.type_selection import TypeSelection
from ngsi_ld.registration.conditions import has_property, is_placed, is_scoped, is_timely
from ngsi_ld.registration.registration import EntityInfo, Information, Registration
from ngsi_ld.temporal.query import TemporalQuery


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an operation is about; names are IRIs. Every member that is given must hold.

    `types` None: any type. No `attributes`: any. `dataset_ids`: of the request, empty if it names none.
    `temporal`: the temporal query of an operation on the past; None: the operation is on the present.
    `geo`, `scope_q` and `csf` are the query's, where they tell which sources are asked.
    `strict`: whether a registration must itself tell the place, the scope and the interval that is asked for, as
    discovery has it (5.10.2.4); otherwise one that tells none is not ruled out.
    """

    ids: tuple[str, ...] = ()
    id_pattern: Pattern | None = None
    types: TypeSelection | None = None
    attributes: frozenset[str] = frozenset()
    dataset_ids: frozenset[str] = frozenset()
    temporal: TemporalQuery | None = None
    geo: GeoQuery | None = None
    scope_q: ScopeQuery | None = None
    csf: Condition | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A registration that concerns an operation, reduced to what concerns it.

    `information` has those elements that match, each with those of its entities that match; `positions` tells which
    elements of the registration they are.
    """

    registration: Registration
    information: tuple[Information, ...]
    positions: tuple[int, ...] = ()

    def attributes(self) -> frozenset[str] | None:
        """The IRIs of all attributes that are registered in what matches; None: any."""
        if not all(one.attributes for one in self.information):
            return None
        return frozenset().union(*[one.attributes for one in self.information])

    def supports(self, operation: str) -> bool:
        """Whether the source may be asked for the operation of this name (4.20)."""
        return operation in self.registration.operations

    def united(self, other: "Match") -> "Match":
        """This match of a registration and another one of the same, in one."""
        found = dict(zip(self.positions, self.information, strict=True))
        for position, information in zip(other.positions, other.information, strict=True):
            mine = found.get(position)
            if mine is None:
                found[position] = information
            elif mine != information:
                entities = tuple(dict.fromkeys((*mine.entities, *information.entities)))
                found[position] = Information(entities, mine.attributes)
        positions = tuple(sorted(found))
        return Match(self.registration, tuple([found[position] for position in positions]), positions)


def any_of(types: Iterable[str]) -> TypeSelection:
    """The selection of entities that have any one of these types (IRIs)."""
    return TypeSelection(tuple([frozenset((one,)) for one in types]))


def selects(info: EntityInfo, wanted: Wanted, ids: Collection[str]) -> bool:
    """Whether an EntityInfo has entities that are wanted; `ids` are the wanted ones, for quick look-up."""
    if info.types and wanted.types is not None and not wanted.types.selects(info.types):
        return False
    if not ids and wanted.id_pattern is None:
        return True
    if info.id is not None:  # takes precedence over a pattern (5.2.8)
        return info.id in ids if ids else wanted.id_pattern is not None and wanted.id_pattern.search(info.id)
    if info.id_pattern is not None and ids:
        return any(map(info.id_pattern.search, ids))
    # Of two patterns nobody can easily tell whether an id satisfies both (5.12).
    return True


def has_attributes(information: Information, wanted: Wanted) -> bool:
    """Whether one of the wanted attributes is registered, or any are."""
    return (
        not wanted.attributes or not information.attributes or not wanted.attributes.isdisjoint(information.attributes)
    )


def concerns(registration: Registration, wanted: Wanted, now: str) -> bool:
    """Whether the registration as a whole can match: what is not told by an element of its information."""
    return (
        registration.alive(now)
        and not (
            wanted.dataset_ids and registration.dataset_ids and wanted.dataset_ids.isdisjoint(registration.dataset_ids)
        )
        and is_timely(registration, wanted.temporal, strict=wanted.strict)
        and (wanted.geo is None or is_placed(registration, wanted.geo, strict=wanted.strict))
        and (wanted.scope_q is None or is_scoped(registration, wanted.scope_q, strict=wanted.strict))
        and (wanted.csf is None or has_property(registration, wanted.csf, now))
    )


def matched(registration: Registration, wanted: Wanted, now: str) -> Match | None:
    """The registration reduced to what of it is wanted; None where nothing is."""
    if not concerns(registration, wanted, now):
        return None
    ids = wanted_ids(wanted)
    if ids is None:
        return None
    found: list[Information] = []
    positions: list[int] = []
    for position, information in enumerate(registration.information):
        if not has_attributes(information, wanted):
            continue
        entities = tuple([info for info in information.entities if selects(info, wanted, ids)])
        if entities or not information.entities:
            same = len(entities) == len(information.entities)
            found.append(information if same else Information(entities, information.attributes))
            positions.append(position)
    return Match(registration, tuple(found), tuple(positions)) if found else None


def wanted_ids(wanted: Wanted) -> frozenset[str] | None:
    """The ids that are wanted, of which those count that the wanted pattern allows; None where none is left."""
    if not wanted.ids or wanted.id_pattern is None:
        return frozenset(wanted.ids)
    return frozenset(filter(wanted.id_pattern.search, wanted.ids)) or None
