"""The trees of a query written as parameters again, in the names of an @context: for a source that is asked the same.

    written_q(parse_q("speed>50", names), others)      speed>50      (or whatever `others` calls the speed)

What is written is read back as the same tree, which tests hold it to. Raises Unwritable where the query languages have
no way to say it, such as a name that is an IRI of a scheme that `q` does not take.
"""

from collections.abc import Sequence

import orjson

from ngsi_ld.names import Names
from ngsi_ld.query.geo import GeoQuery
from ngsi_ld.query.paths import IRI, NAME, AnyPath, LinkedPath
from ngsi_ld.query.q import NUMBER, QUOTED, And, Condition, Equal, Exists, Literal, Match, Or, Within
from ngsi_ld.query.scope_q import ScopePattern, ScopeQuery
from ngsi_ld.query.temporal import Instant
from ngsi_ld.query.type_selection import TYPE, TypeSelection
from ngsi_ld.representation import LOCATION

Parameter = tuple[str, str]

_PLAIN_PATTERN_STOPS = frozenset(';|()" ')


class Unwritable(ValueError):
    """A part of a query that no text says."""


def written_types(selection: TypeSelection, names: Names) -> str:
    """The parameter `type`: `Home,(Vehicle;Motorhome)`."""
    return ",".join([_alternative(one, names) for one in selection.alternatives])


def written_names(iris: Sequence[str] | frozenset[str], names: Names) -> str:
    """A list of attribute names, such as that of `attrs`, in order."""
    return ",".join(sorted([names.term(iri) for iri in iris]))


def written_q(condition: Condition, names: Names) -> str:
    """The parameter `q`."""
    if isinstance(condition, Or):
        return "|".join([_grouped(one, names, Or) for one in condition.conditions])
    if isinstance(condition, And):
        return ";".join([_grouped(one, names, And, Or) for one in condition.conditions])
    path = _path(condition.path, names)
    if isinstance(condition, Exists):
        return f"!{path}" if condition.negated else path
    if isinstance(condition, Match):
        return f"{path}{'!~=' if condition.negated else '~='}{_pattern(condition.pattern.text)}"
    if isinstance(condition, Equal):
        values = ",".join(map(_value, condition.values))
        return f"{path}{'!=' if condition.negated else '=='}{values}"
    if isinstance(condition, Within):
        operator = "!=" if condition.negated else "=="
        return f"{path}{operator}{_value(condition.low)}..{_value(condition.high)}"
    return f"{path}{condition.operator}{_value(condition.value)}"


def written_scope_q(query: ScopeQuery) -> str:
    """The parameter `scopeQ`."""
    alternatives = []
    for patterns in query.alternatives:
        text = ";".join(map(_scope, patterns))
        alternatives.append(f"({text})" if len(patterns) > 1 else text)
    return "|".join(alternatives)


def written_geo(query: GeoQuery, names: Names) -> list[Parameter]:
    """The parameters of a geo-query."""
    relation = query.relation
    if query.max_distance is not None:
        relation = f"near;maxDistance=={_metres(query.max_distance)}"
    elif query.min_distance is not None:
        relation = f"near;minDistance=={_metres(query.min_distance)}"
    written = [
        ("georel", relation),
        ("geometry", str(query.geometry["type"])),
        ("coordinates", orjson.dumps(query.geometry["coordinates"]).decode()),
    ]
    if query.geoproperty != LOCATION:
        written.append(("geoproperty", names.term(query.geoproperty)))
    return written


def _alternative(types: frozenset[str], names: Names) -> str:
    written = sorted([names.term(one) for one in types])
    if not all(TYPE.fullmatch(one) for one in written):
        raise Unwritable(f"type cannot name {written}")
    return written[0] if len(written) == 1 else f"({';'.join(written)})"


def _grouped(condition: Condition, names: Names, *in_parentheses: type) -> str:
    text = written_q(condition, names)
    return f"({text})" if isinstance(condition, in_parentheses) else text


def _path(path: AnyPath, names: Names) -> str:
    if isinstance(path, LinkedPath):
        types = ",".join([_name(one, names) for one in path.types])
        if types and not all(NAME.fullmatch(one) and ":" not in one for one in types.split(",")):
            raise Unwritable(f"a path cannot name the types {types}")
        inner = _path(path.path, names)
        if not types and ":" in inner.partition("{")[0].partition(".")[0]:
            raise Unwritable(f"what comes before : in {inner} would be a type")
        hint = f"{types}:" if types else ""
        return f"{_name(path.relationship, names)}{{{hint}{inner}}}"
    parts = [_name(one, names) for one in path.names]
    # An IRI takes the dots that follow for its own.
    ends = len(parts) if path.member is not None else len(parts) - 1
    if any(NAME.fullmatch(part) is None for part in parts[:ends]):
        raise Unwritable(f"q cannot name what is within {path.names[0]}")
    if path.member is not None:
        parts.append(path.member)
    inside = f"[{'.'.join(path.inside)}]" if path.inside else ""
    return ".".join(parts) + inside


def _name(iri: str, names: Names) -> str:
    term = names.term(iri)
    if NAME.fullmatch(term) or IRI.fullmatch(term):
        return term
    if IRI.fullmatch(iri):
        return iri
    raise Unwritable(f"q cannot name {iri}")


def _value(value: Literal) -> str:
    if isinstance(value, Instant):
        if value.form == "Date":
            return value.base
        return f"{value.base}.{value.fraction}Z" if value.fraction else f"{value.base}Z"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = orjson.dumps(value).decode()
    if not (QUOTED if isinstance(value, str) else NUMBER).fullmatch(text):
        raise Unwritable(f"q cannot say {text}")
    return text


def _pattern(text: str) -> str:
    if _PLAIN_PATTERN_STOPS.isdisjoint(text):
        return text
    quoted = '"{}"'.format(text.replace('"', '\\"'))
    if QUOTED.fullmatch(quoted) and quoted[1:-1].replace('\\"', '"') == text:
        return quoted
    raise Unwritable(f"q cannot say the pattern {text}")


def _scope(pattern: ScopePattern) -> str:
    levels = "".join([f"/{level}" for level in pattern.levels])
    return f"{levels}/#" if pattern.below else levels


def _metres(distance: float) -> str:
    return str(int(distance)) if distance.is_integer() else repr(distance)
