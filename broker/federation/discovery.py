"""Which types and attributes there are, here and at context sources (GS CIM 009 v1.9.1, 5.7.5 to 5.7.10).

Lists are united. Counts are added up, so that an entity that two sources have counts twice; the standard takes
estimates. A source tells only of what it is registered for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from broker.federation.consulting import INVALID, Consultation
from broker.federation.forwarding import segment
from broker.store.catalogue import AttributeUse
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.names import Names
from ngsi_ld.registration.matching import Match

_Answer = TypeVar("_Answer")
_Local = TypeVar("_Local")

_DETAILS = (("details", "true"),)


async def types(consultation: Consultation, matches: Sequence[Match], local: Awaitable[list[str]]) -> list[str]:
    """The IRIs of all types, in order."""

    def read(match: Match, body: Any, names: Names) -> list[str]:
        return [name for name in _iris(body["typeList"], names) if _has_type(match, name)]

    found, told = await _all(consultation, matches, "retrieveEntityTypes", lambda _: "/types", (), read, local)
    return sorted({*found, *(name for names in told for name in names)})


async def attributes_by_type(
    consultation: Consultation, matches: Sequence[Match], local: Awaitable[dict[str, list[str]]]
) -> dict[str, list[str]]:
    """Each type with its attributes, in order."""

    def read(match: Match, body: Any, names: Names) -> list[tuple[str, list[str]]]:
        told = [(names.iri(one["typeName"]), _iris(one["attributeNames"], names)) for one in body]
        return [(name, _allowed(match, attributes)) for name, attributes in told if _has_type(match, name)]

    found, told = await _all(
        consultation, matches, "retrieveEntityTypeDetails", lambda _: "/types", _DETAILS, read, local
    )
    united = {name: set(attributes) for name, attributes in found.items()}
    for listed in told:
        for name, attributes in listed:
            united.setdefault(name, set()).update(attributes)
    return {name: sorted(united[name]) for name in sorted(united)}


async def type_info(
    consultation: Consultation,
    matches: Sequence[Match],
    name: str,
    local: Awaitable[tuple[int, list[AttributeUse]]],
) -> tuple[int, list[AttributeUse]]:
    """How many entities a type has, and its attributes."""

    def read(match: Match, body: Any, names: Names) -> tuple[int, list[AttributeUse]]:
        return _number(body["entityCount"]), [
            use for one in body.get("attributeDetails", []) if _has_attribute(match, (use := _use(one, names)).name)
        ]

    (count, uses), told = await _all(
        consultation,
        matches,
        "retrieveEntityTypeInfo",
        lambda names: f"/types/{segment(names.term(name))}",
        (),
        read,
        local,
    )
    return count + sum(number for number, _ in told), _united([uses, *(listed for _, listed in told)])


async def attributes(
    consultation: Consultation, matches: Sequence[Match], local: Awaitable[list[AttributeUse]]
) -> list[AttributeUse]:
    """All attributes with the types that have them."""

    def read(match: Match, body: Any, names: Names) -> list[AttributeUse]:
        return [use for one in body if _has_attribute(match, (use := _use(one, names)).name)]

    found, told = await _all(
        consultation, matches, "retrieveAttrTypeDetails", lambda _: "/attributes", _DETAILS, read, local
    )
    return _united([found, *told])


async def attribute(
    consultation: Consultation, matches: Sequence[Match], name: str, local: Awaitable[list[AttributeUse]]
) -> list[AttributeUse]:
    """One attribute; nothing where no entity has it."""

    def read(match: Match, body: Any, names: Names) -> list[AttributeUse]:
        use = _use(body, names)
        return [use] if use.name == name else []

    found, told = await _all(
        consultation,
        matches,
        "retrieveAttrTypeInfo",
        lambda names: f"/attributes/{segment(names.term(name))}",
        (),
        read,
        local,
    )
    return _united([found, *told])


async def _all(
    consultation: Consultation,
    matches: Sequence[Match],
    operation: str,
    path: Callable[[Names], str],
    parameters: Sequence[tuple[str, str]],
    read: Callable[[Match, Any, Names], _Answer],
    local: Awaitable[_Local],
) -> tuple[_Local, list[_Answer]]:
    """What is known here, and what the sources that take the operation answer; all at the same time."""

    async def ask(match: Match) -> _Answer | None:
        registration = match.registration
        names = await consultation.names(registration)
        if names is None:
            return None
        answer = await consultation.ask(registration, "GET", path(names), parameters)
        if answer is None:
            return None
        try:
            return read(match, answer.body, answer.context)
        except (KeyError, TypeError, AttributeError, NgsiLdError):
            consultation.warn(registration, INVALID, f"what it answers to {operation} is not what the standard says")
            return None

    asked = asyncio.gather(*[ask(match) for match in matches if match.supports(operation)])
    found, told = await asyncio.gather(local, asked)
    return found, [one for one in told if one is not None]


def _iris(terms: Any, names: Names) -> list[str]:
    return [names.iri(term) for term in terms]


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _use(body: Any, names: Names) -> AttributeUse:
    name = names.iri(body["attributeName"] if "attributeName" in body else body["id"])
    kinds = [kind for kind in body.get("attributeTypes") or () if isinstance(kind, str)]
    return AttributeUse(name, _number(body.get("attributeCount")), kinds, _iris(body.get("typeNames") or (), names))


def _has_type(match: Match, name: str) -> bool:
    return any(
        not one.entities or any(not info.types or name in info.types for info in one.entities)
        for one in match.information
    )


def _has_attribute(match: Match, name: str) -> bool:
    allowed = match.attributes()
    return allowed is None or name in allowed


def _allowed(match: Match, names: Sequence[str]) -> list[str]:
    return [name for name in names if _has_attribute(match, name)]


def _united(lists: Sequence[Sequence[AttributeUse]]) -> list[AttributeUse]:
    united: dict[str, AttributeUse] = {}
    for listed in lists:
        for use in listed:
            known = united.get(use.name)
            united[use.name] = (
                use
                if known is None
                else AttributeUse(
                    use.name,
                    known.count + use.count,
                    sorted({*known.kinds, *use.kinds}),
                    sorted({*known.types, *use.types}),
                )
            )
    return [united[name] for name in sorted(united)]
