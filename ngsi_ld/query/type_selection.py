"""The entity type selection language (GS CIM 009 v1.9.1, 4.17): `(Home;Vehicle)|Motorhome`, with `,` for `|`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ngsi_ld.names import Names, checked_name
from ngsi_ld.query.syntax import DEFAULT_LIMITS, Cursor, Limits, Same

TYPE = re.compile(r"[^|,;()\s]+")


@dataclass(frozen=True, slots=True)
class TypeSelection:
    """An entity is selected if it has every type (IRIs) of one of the `alternatives`, possibly among others."""

    alternatives: tuple[frozenset[str], ...]

    def selects(self, types: Iterable[str]) -> bool:
        """Whether an entity of these types is selected."""
        given = set(types)
        return any(alternative <= given for alternative in self.alternatives)


def parse_type_selection(
    text: str, names: Names, parameter: str = "type", limits: Limits = DEFAULT_LIMITS
) -> TypeSelection | None:
    """The selection; None for `*`, which is any type. Raises BadRequestData with the place."""
    return _parse(text, Same(names), parameter, limits)


@lru_cache(maxsize=2048)
def _parse(text: str, same: Same, parameter: str, limits: Limits) -> TypeSelection | None:
    names = same.names
    if text.strip() == "*":
        return None
    cursor = Cursor(text, parameter, limits)
    alternatives = []
    while True:
        if cursor.take("("):
            types = [_type(cursor, names)]
            # Beyond the grammar: a group of alternatives, (Building|Tower), which the ETSI suite writes.
            separators = "|," if cursor.text.startswith(("|", ","), cursor.position) else ";"
            while cursor.take_any(separators):
                types.append(_type(cursor, names))
            cursor.expect(")", "to close the group of types, all joined by ; or all by |")
            alternatives += [frozenset(types)] if separators == ";" else [frozenset([one]) for one in types]
        else:
            alternatives.append(frozenset([_type(cursor, names)]))
        if not cursor.take_any("|,"):
            break
    cursor.expect_end("| or , and another type (types joined by ; need parentheses)")
    return TypeSelection(tuple(dict.fromkeys(alternatives)))


def _type(cursor: Cursor, names: Names) -> str:
    cursor.count(1)
    cursor.skip_spaces()
    match = TYPE.match(cursor.text, cursor.position)
    if match is None:
        cursor.fail("the name of an entity type")
    cursor.position = match.end()
    return names.iri(checked_name(match[0], f"A type in {cursor.parameter}"))
