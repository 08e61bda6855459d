"""The registrations of one tenant in memory, found by what is wanted: one that does not match costs nothing.

Each EntityInfo of a registration is a part, which is listed

    by its id, or by what the ids begin with that its pattern can match, or as open to any id;
    under each of its types, or any; and there under each attribute that is registered beside it, or any.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ngsi_ld.registration.matching import Match, Wanted, concerns, has_attributes, selects, wanted_ids
from ngsi_ld.registration.registration import EntityInfo, Information, Registration

_ANY = ""
_UNTYPED = "*"


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """An EntityInfo, or None for an element of the information that names no entities, with where it stands."""

    registration: Registration
    position: int
    entity: EntityInfo | None


@dataclass(slots=True, eq=False)
class _Listed:
    registration: Registration
    order: tuple[str, str]
    parts: list[_Part] = field(default_factory=list)


class _Names:
    """Parts by type, and there by attribute."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, dict[_Part, None]]] = {}

    def change(self, part: _Part, information: Information, *, there: bool) -> None:
        types = part.entity.types if part.entity is not None else frozenset[str]()
        # Under any type as well: what is wanted may be of any.
        for name in (_ANY, *(types or (_UNTYPED,))):
            attributes = self._parts.setdefault(name, {})
            for attribute in information.attributes or (_ANY,):
                _change(attributes, attribute, part, there=there)
            if not attributes:
                del self._parts[name]

    def find(self, wanted: Wanted) -> Iterator[_Part]:
        names: Iterable[str] = (_ANY,)
        if wanted.types is not None:
            names = dict.fromkeys([*map(min, wanted.types.alternatives), _UNTYPED])
        for name in names:
            attributes = self._parts.get(name, {})
            for attribute in (_ANY, *wanted.attributes) if wanted.attributes else attributes:
                yield from attributes.get(attribute, ())


class RegistrationIndex:
    """The registrations of one tenant."""

    def __init__(self) -> None:
        self._listed: dict[str, _Listed] = {}
        self._all = _Names()
        self._open = _Names()
        self._ids: dict[str, dict[_Part, None]] = {}
        self._prefixes: dict[str, dict[_Part, None]] = {}
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._listed)

    def __iter__(self) -> Iterator[Registration]:
        return iter([listed.registration for listed in self._listed.values()])

    def get(self, registration_id: str) -> Registration | None:
        """The registration with an id, None if there is none."""
        listed = self._listed.get(registration_id)
        return None if listed is None else listed.registration

    def put(self, registration: Registration, created_at: str = "") -> None:
        """Adds a registration, in the place of that with the same id. Matches are in the order of creation."""
        self.remove(registration.id)
        listed = _Listed(registration, (created_at, registration.id))
        for position, information in enumerate(registration.information):
            listed.parts += [_Part(registration, position, entity) for entity in information.entities or (None,)]
        self._listed[registration.id] = listed
        for part in listed.parts:
            self._change(part, there=True)

    def remove(self, registration_id: str) -> Registration | None:
        """Takes a registration out; gives it, None if it was not there."""
        listed = self._listed.pop(registration_id, None)
        if listed is None:
            return None
        for part in listed.parts:
            self._change(part, there=False)
        return listed.registration

    def find(self, wanted: Wanted, now: str) -> list[Match]:
        """The registrations that are concerned at a moment in canonical form, in the order of their creation."""
        ids = wanted_ids(wanted)
        if ids is None:
            return []
        found: dict[str, dict[int, dict[EntityInfo | None, None]]] = {}
        for part in self.candidates(wanted, ids):
            if part.entity is None or selects(part.entity, wanted, ids):
                registration = part.registration
                if has_attributes(registration.information[part.position], wanted):
                    found.setdefault(registration.id, {}).setdefault(part.position, {})[part.entity] = None
        listed = sorted([self._listed[registration_id] for registration_id in found], key=lambda one: one.order)
        return [
            _match(one.registration, found[one.registration.id])
            for one in listed
            if concerns(one.registration, wanted, now)
        ]

    def find_any(self, wanted: Sequence[Wanted], now: str) -> list[Match]:
        """The same for what is about several selections of entities: what matches any of them, united."""
        if len(wanted) == 1:
            return self.find(wanted[0], now)
        found: dict[str, Match] = {}
        for one in wanted:
            for match in self.find(one, now):
                known = found.get(match.registration.id)
                found[match.registration.id] = match if known is None else known.united(match)
        return sorted(found.values(), key=lambda match: self._listed[match.registration.id].order)

    def candidates(self, wanted: Wanted, ids: Iterable[str]) -> Iterator[_Part]:
        """The parts that may match, some perhaps twice: how many there are is what `find` costs."""
        if not ids:
            yield from self._all.find(wanted)
            return
        yield from self._open.find(wanted)
        for entity_id in ids:
            yield from self._ids.get(entity_id, ())
            for length in self._lengths:
                yield from self._prefixes.get(entity_id[:length], ())

    def _change(self, part: _Part, *, there: bool) -> None:
        information = part.registration.information[part.position]
        self._all.change(part, information, there=there)
        entity = part.entity
        if entity is not None and entity.id is not None:
            _change(self._ids, entity.id, part, there=there)
        elif entity is not None and entity.id_pattern is not None:
            prefix = entity.id_pattern.prefix
            _change(self._prefixes, prefix, part, there=there)
            self._lengths[len(prefix)] += 1 if there else -1
            if not self._lengths[len(prefix)]:
                del self._lengths[len(prefix)]
        else:
            self._open.change(part, information, there=there)


def _change(index: dict[str, dict[_Part, None]], name: str, part: _Part, *, there: bool) -> None:
    if there:
        index.setdefault(name, {})[part] = None
        return
    parts = index[name]
    del parts[part]
    if not parts:
        del index[name]


def _match(registration: Registration, found: dict[int, dict[EntityInfo | None, None]]) -> Match:
    positions = tuple(sorted(found))
    information = []
    for position in positions:
        whole = registration.information[position]
        matching = found[position]
        kept = tuple([entity for entity in whole.entities if entity in matching])
        information.append(whole if len(kept) == len(whole.entities) else Information(kept, whole.attributes))
    return Match(registration, tuple(information), positions)
