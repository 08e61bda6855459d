"""The conditions of `q` as MongoDB filters (GS CIM 009 v1.9.1, 4.9), with the answers of `ngsi_ld.query.conditions`.

One instance of an attribute must satisfy a term whole, so a term is an `$elemMatch`; what is compared is `value`
(see `broker.store.targets`), which one index per attribute serves. MongoDB lets a comparison reach into arrays; where
the standard compares with the array itself they are excluded.
"""

from collections.abc import Iterator
from typing import Any

from bson.decimal128 import Decimal128
from bson.regex import Regex

from broker.store.filters.filter import Filter, Mongo, all_of, any_of, joined
from broker.store.names import key
from ngsi_ld.query.paths import LinkedPath, Path
from ngsi_ld.query.patterns import Pattern
from ngsi_ld.query.q import And, Condition, Equal, Exists, Literal, Match, Or, Order, Term, Within
from ngsi_ld.query.temporal import PCRE_FORMS, Instant
from ngsi_ld.query.values import RELATIONSHIPS

_NOT_ARRAY = {"$not": {"$type": "array"}}
_KINDS_OF_LINKS = sorted(RELATIONSHIPS)
_NO_LINK = {"$nin": _KINDS_OF_LINKS}
_THERE = {"$exists": True}
_OPERATORS = {">": "$gt", ">=": "$gte", "<": "$lt", "<=": "$lte"}
_INT64 = 1 << 63


def condition_filter(condition: Condition, live: Mongo) -> Filter:
    """The filter of a condition; `live` is what `expiresAt` must satisfy."""
    if isinstance(condition, And):
        return all_of([condition_filter(one, live) for one in condition.conditions])
    if isinstance(condition, Or):
        return any_of([condition_filter(one, live) for one in condition.conditions])
    path = condition.path
    if isinstance(path, LinkedPath):
        # What the other entities are like is beyond a filter: that there is a link is all that can be asked.
        linked = {f"attrs.{key(path.relationship)}": _one({"type": {"$in": _KINDS_OF_LINKS}}, live)}
        return Filter(linked, linked)
    if isinstance(condition, Exists) and condition.negated:
        return Filter({"$nor": [_term(Exists(path), path, live)]})
    return Filter(_term(condition, path, live))


def pattern(of: Pattern) -> Regex[str]:
    """The pattern for PCRE, where `.` is any character."""
    return Regex(of.pcre, "s")


def _term(term: Term, path: Path, live: Mongo) -> Mongo:
    if not path.names:
        return _on_field(term, path.member or "")
    if path.member is not None:
        instance = _on_field(term, path.member)
    elif path.inside == ("*",):
        instance = joined([{"type": "LanguageProperty"}, _on_value(term)])
    elif path.inside:
        instance = {"$or": list(_inside(term, path.inside))}
    else:
        instance = _on_value(term)
    for name in reversed(path.names[1:]):
        instance = {f"subs.{key(name)}": _one(instance, live)}
    return {f"attrs.{key(path.names[0])}": _one(instance, live)}


def _one(instance: Mongo, live: Mongo) -> Mongo:
    return {"$elemMatch": joined([instance, {"expiresAt": live}])}


def _on_value(term: Term) -> Mongo:
    """On the target value of an instance, by its kind; the texts of a LanguageProperty are compared each for itself."""
    if isinstance(term, Exists):
        return {}
    if isinstance(term, Equal):
        return _equality(term, "value")
    if isinstance(term, Match) and term.negated:
        unlike = {"$not": pattern(term.pattern)}
        text = {"value": {"$type": "string", **unlike}, "$and": [{"value": _NOT_ARRAY}], "type": _NO_LINK}
        return {"$or": [text, {"value": unlike, "value.0": _THERE, "type": "LanguageProperty"}]}
    scalars = _scalars(term)
    if _is_numeric(term):
        branches: list[Mongo] = [{"value": one | _NOT_ARRAY} for one in scalars]
    else:
        branches = [{"value": one | _NOT_ARRAY, "type": _NO_LINK} for one in scalars]
        branches += [{"value": {"$elemMatch": one}, "type": "LanguageProperty"} for one in scalars]
        branches += _typed(term, "value", scalars)
    return _negated(term, branches)


def _on_field(term: Term, field: str) -> Mongo:
    """On a member of an instance, or of its value: any JSON."""
    if isinstance(term, Exists):
        return {field: _THERE}
    if isinstance(term, Equal):
        return joined([_equality(term, field), *([{field: _THERE}] if term.negated else [])])
    if isinstance(term, Match) and term.negated:
        return {field: {"$type": "string", "$not": pattern(term.pattern)}, "$and": [{field: _NOT_ARRAY}]}
    scalars = _scalars(term)
    branches: list[Mongo] = [{field: one | _NOT_ARRAY} for one in scalars]
    return joined([_negated(term, branches + _typed(term, field, scalars)), {field: _THERE}])


def _inside(term: Term, keys: tuple[str, ...]) -> Iterator[Mongo]:
    """On a member within the value, or a language: only objects have members, so there are no arrays on the way."""
    for root in ("value", "json", "languageMap"):
        steps = [root, *map(key, keys)]
        if root == "languageMap" and len(keys) > 1:
            continue
        guards = [{".".join(steps[:end]): _NOT_ARRAY} for end in range(1, len(steps))]
        kind = [{"type": "Property"}] if root == "value" else []
        yield joined([_on_field(term, ".".join(steps)), *guards, *kind])


def _negated(term: Term, branches: list[Mongo]) -> Mongo:
    if isinstance(term, Within) and term.negated:
        return {"$nor": branches}
    return branches[0] if len(branches) == 1 else {"$or": branches}


def _equality(term: Equal, field: str) -> Mongo:
    """`==` and `!=`: MongoDB compares with an array by its items, as the standard does."""
    texts = [text for literal in term.values if isinstance(literal, Instant) for text in literal.equal_texts()]
    plain = texts + [_stored(literal) for literal in term.values if not isinstance(literal, Instant)]
    operator = "$nin" if term.negated else "$in"
    if len(plain) == 1:
        direct: Mongo = {field: {"$ne" if term.negated else "$eq": plain[0]}}
    else:
        direct = {field: {operator: plain}}
    if not texts:
        return direct
    typed: Mongo = {f"{field}.@value": {operator: texts}}
    return direct | typed if term.negated else {"$or": [direct, typed]}


def _typed(term: Term, field: str, scalars: list[Mongo]) -> list[Mongo]:
    """The same on the text of a typed value, `{"@type": "DateTime", "@value": "2026-11-23T17:02:00Z"}`."""
    if not isinstance(term, Order | Within) or not isinstance(_literal(term), Instant):
        return []
    return [{f"{field}.@value": one | _NOT_ARRAY, field: _NOT_ARRAY} for one in scalars]


def _scalars(term: Term) -> list[Mongo]:
    """The conditions on a single value of which one must hold."""
    if isinstance(term, Match):
        return [{"$regex": term.pattern.pcre, "$options": "s"}]
    if isinstance(term, Order):
        return _ordered(term.operator, term.value)
    if isinstance(term, Within):
        return [low | high for low in _ordered(">=", term.low) for high in _ordered("<=", term.high)]
    return []


def _ordered(operator: str, literal: Literal) -> list[Mongo]:
    """The order of date-times is that of their texts, but for a Z, which sorts after digits and means no fraction."""
    if not isinstance(literal, Instant):
        return [{_OPERATORS[operator]: _stored(literal)}]
    form = {"$regex": PCRE_FORMS[literal.form]}
    earlier, equal = literal.earlier_texts_sorted_later(), literal.equal_texts()
    match operator:
        case ">=":
            return [{"$gte": literal.key, "$nin": earlier} | form]
        case ">":
            return [{"$gte": literal.key, "$nin": earlier + equal} | form]
        case "<":
            return [{"$lt": literal.key} | form, *([{"$in": earlier}] if earlier else [])]
        case _:
            return [{"$lt": literal.key} | form, {"$in": earlier + equal}]


def _literal(term: Order | Within) -> Literal:
    return term.value if isinstance(term, Order) else term.low


def _is_numeric(term: Term) -> bool:
    return isinstance(term, Order | Within) and isinstance(_literal(term), int | float)


def _stored(literal: int | float | bool | str) -> Any:
    """As the value would be stored: an integer beyond 64 bits is a Decimal128."""
    if type(literal) is int and not -_INT64 <= literal < _INT64:
        return Decimal128(str(literal))
    return literal
