"""How a write is divided among this broker and the sources that it concerns (4.3.6.2, 4.3.6.3, 5.6.1.4 and the like).

Exclusive registrations take their attributes first, redirect ones theirs of what is left; none of that is written
here. Inclusive ones get a copy of their part of the remainder, which is what this broker writes itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.registration import Mode


class Local(Enum):
    """What this broker does itself with what is left."""

    NEEDED = "needed"  # it is written here, and the write fails here where it cannot be
    IF_THERE = "if there"  # all is elsewhere; what stands here all the same is changed, and may be missing
    NONE = "none"  # all is elsewhere


@dataclass(frozen=True, slots=True)
class Part:
    """What one source gets: the IRIs of the attributes, some of which was given; none where none was given."""

    match: Match
    attributes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Distribution:
    """The parts of the sources, and the attributes that stay here."""

    parts: tuple[Part, ...]
    remaining: frozenset[str]
    local: Local


def of_attributes(given: Iterable[str], matches: Sequence[Match]) -> Distribution:
    """The division of a write that brings attributes (IRIs), perhaps none, such as the creation of a bare entity."""
    given = remaining = frozenset(given)
    parts: list[Part] = []
    whole = False
    for mode in (Mode.EXCLUSIVE, Mode.REDIRECT, Mode.INCLUSIVE):
        taken: frozenset[str] = frozenset()
        for match in matches:
            if match.registration.mode is not mode:
                continue
            registered = match.attributes()
            part = remaining if registered is None else remaining & registered
            if part or (registered is None and not given):
                parts.append(Part(match, part))
                taken |= part
                whole |= mode.proxied and registered is None
        if mode.proxied:
            remaining -= taken
    if remaining or not (given or whole):
        return Distribution(tuple(parts), remaining, Local.NEEDED)
    return Distribution(tuple(parts), remaining, Local.NONE if whole else Local.IF_THERE)


def of_attribute(name: str, matches: Sequence[Match]) -> Distribution:
    """The division of an operation on one attribute: a source that alone has it ends all further processing."""
    distribution = of_attributes((name,), matches)
    if distribution.local is Local.NEEDED:
        return distribution
    return Distribution(distribution.parts, frozenset(), Local.NONE)


def of_entity(matches: Sequence[Match]) -> Distribution:
    """The division of the deletion of an entity: each source that has some of it deletes its own.

    What is here of an entity that a source alone has, or alone has attributes of, may be nothing (5.6.6.4).
    """
    concerned = [match for match in matches if match.registration.mode is not Mode.AUXILIARY]
    proxied = any(match.registration.mode.proxied for match in concerned)
    parts = tuple([Part(match, match.attributes() or frozenset()) for match in concerned])
    return Distribution(parts, frozenset(), Local.IF_THERE if proxied else Local.NEEDED)


def types_for(match: Match, types: list[str]) -> list[str]:
    """Those of the types that the source is registered for: it is told of no others (4.3.6.1)."""
    registered: set[str] = set()
    for information in match.information:
        if not information.entities:
            return types
        for entity in information.entities:
            if not entity.types:
                return types
            registered |= entity.types
    return [one for one in types if one in registered] or types
