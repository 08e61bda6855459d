"""The query language `q` (GS CIM 009 v1.9.1, 4.9): from text to a tree of conditions with names expanded.

    speed>50;brandName!="Mercedes"      And((Order(speed, ">", 50), Equal(brandName, ("Mercedes",), negated=True)))

Beyond the grammar: parentheses may nest (as example 6 does), names may have a prefix or be IRIs, `!attribute` asks that
an attribute be absent (common practice), and an unquoted word stands for itself (example 12).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

import orjson

from ngsi_ld.names import Names
from ngsi_ld.query.paths import NAMING_MEMBERS, AnyPath, LinkedPath, parse_path
from ngsi_ld.query.patterns import Pattern, parse_pattern
from ngsi_ld.query.syntax import DEFAULT_LIMITS, Cursor, Limits, Same
from ngsi_ld.query.temporal import Instant, parse_instant

Literal = int | float | bool | str | Instant
"""A compared value; a text that has the form of a date-time, date or time is an Instant, quoted or not."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The target element is there; with `negated`, it is not."""

    path: AnyPath
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Equal:
    """`==`: the value is one of `values` or an array that has one; `negated` is `!=`: there, and neither."""

    path: AnyPath
    values: tuple[Literal, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Within:
    """`==low..high`, both included; `negated` is `!=`."""

    path: AnyPath
    low: Literal
    high: Literal
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """`>`, `>=`, `<`, `<=` with a value of the same type."""

    path: AnyPath
    operator: str
    value: Literal


@dataclass(frozen=True, slots=True)
class Match:
    """`~=`, or with `negated` `!~=`, of a text."""

    path: AnyPath
    pattern: Pattern
    negated: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    conditions: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """Any of them."""

    conditions: "tuple[Condition, ...]"


Term = Exists | Equal | Within | Order | Match
Condition = Term | And | Or

_WORD = re.compile(r"(?!')[^;|(),\"<>{}\\^`\s]+")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_COMMA_FRACTION = re.compile(r"[^,]*:[0-9]{2},[0-9]{1,6}Z")
QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPERATORS = re.compile(r" *(==|!=|!~=|~=|>=|<=|>|<)")


def parse_q(
    text: str,
    names: Names,
    *,
    expand_values: frozenset[str] = frozenset(),
    json_keys: frozenset[str] = frozenset(),
    parameter: str = "q",
    limits: Limits = DEFAULT_LIMITS,
) -> Condition:
    """The condition that `text` states, for `q` or, with its `parameter`, for `csf`.

    `expand_values`: the attributes whose compared texts are names to be expanded. `json_keys` is accepted and without
    effect: members within values are kept, and so compared, as they were sent. Raises BadRequestData with the place.
    """
    return _parse(text, Same(names), expand_values, parameter, limits)


@lru_cache(maxsize=2048)
def _parse(text: str, names: Same, expand_values: frozenset[str], parameter: str, limits: Limits) -> Condition:
    return _Parser(text, names.names, expand_values, parameter, limits).whole()


class _Parser:
    def __init__(self, text: str, names: Names, expand: frozenset[str], parameter: str, limits: Limits) -> None:
        self.cursor = Cursor(text, parameter, limits)
        self.names = names
        self.expand = frozenset([names.iri(name) for name in expand])

    def whole(self) -> Condition:
        condition = self.alternatives(0)
        self.cursor.expect_end("an operator, ; or |")
        return condition

    def alternatives(self, depth: int) -> Condition:
        conditions = [self.conjunction(depth)]
        while self.cursor.take("|"):
            conditions.append(self.conjunction(depth))
        return conditions[0] if len(conditions) == 1 else Or(tuple(conditions))

    def conjunction(self, depth: int) -> Condition:
        conditions = [self.element(depth)]
        while self.cursor.take(";"):
            conditions.append(self.element(depth))
        return conditions[0] if len(conditions) == 1 else And(tuple(conditions))

    def element(self, depth: int) -> Condition:
        self.cursor.count(depth)
        if self.cursor.take("("):
            condition = self.alternatives(depth + 1)
            self.cursor.expect(")", "to close the group")
            return condition
        return self.term()

    def term(self) -> Condition:
        cursor = self.cursor
        if cursor.take("!"):
            path = parse_path(cursor, self.names)
            if isinstance(path, LinkedPath):
                cursor.fail("an attribute of the entity itself after ! (of a linked entity it cannot be asked)")
            return Exists(path, negated=True)
        path = parse_path(cursor, self.names)
        match = _OPERATORS.match(cursor.text, cursor.position)
        if match is None:
            return Exists(path)
        operator = match[1]
        cursor.position = match.end()
        cursor.skip_spaces()
        if operator in ("~=", "!~="):
            return Match(path, self.pattern(), negated=operator == "!~=")
        if operator in ("==", "!="):
            return self.equality(path, operator == "!=")
        start = cursor.position
        value, comparable = self.value(path)
        if not comparable:
            cursor.fail(f'a number, a date-time or a text in "" after {operator}', start)
        cursor.skip_spaces()
        if cursor.text.startswith("..", cursor.position) or cursor.text.startswith(",", cursor.position):
            cursor.fail(f"one value after {operator}; a range or a list goes with == or !=")
        return Order(path, operator, value)

    def equality(self, path: AnyPath, negated: bool) -> Condition:
        cursor = self.cursor
        start = cursor.position
        value, comparable = self.value(path)
        if cursor.take(".."):
            high, high_comparable = self.value(path)
            if not (comparable and high_comparable and _type(value) == _type(high)):
                cursor.fail("a range of two numbers, two texts in quotes or two dates", start)
            return Within(path, value, high, negated)
        values = [value]
        while cursor.take(","):
            values.append(self.value(path)[0])
            if len(values) > cursor.limits.terms:
                cursor.fail(f"at most {cursor.limits.terms} values in a list")
        return Equal(path, tuple(values), negated)

    def value(self, path: AnyPath) -> tuple[Literal, bool]:
        """The value that comes next, and whether > and ranges can have it."""
        cursor = self.cursor
        cursor.skip_spaces()
        text, position = cursor.text, cursor.position
        if text.startswith('"', position):
            literal = self.quoted()
            return parse_instant(literal) or self.expanded(literal, path), True
        match = _WORD.match(text, position)
        if match is None:
            self.no_value()
        word = match[0].partition("..")[0]
        if text.startswith(",", position + len(word)) and (with_comma := self.comma_fraction(word)):
            cursor.position += len(with_comma)
            instant = parse_instant(with_comma)
            if instant is not None:
                return instant, True
        cursor.position = position + len(word)
        if not word:
            cursor.fail("a value", position)
        if word in ("true", "false"):
            return word == "true", False
        if NUMBER.fullmatch(word):
            return self.number(word, position), True
        instant = parse_instant(word)
        return (self.expanded(word, path), False) if instant is None else (instant, True)

    def comma_fraction(self, word: str) -> str | None:
        match = _COMMA_FRACTION.match(self.cursor.text, self.cursor.position)
        return match[0] if match and match[0].startswith(word) else None

    def no_value(self) -> NoReturn:
        if self.cursor.text.startswith("'", self.cursor.position):
            self.cursor.fail('a text in "double" quotes')
        self.cursor.fail('a value: a number, true, false, a date-time, a URI, or a text in ""')

    def number(self, word: str, position: int) -> int | float:
        try:
            number: int | float = orjson.loads(word)
        except orjson.JSONDecodeError:
            self.cursor.fail("a number that is not beyond 1e308", position)
        return number

    def quoted(self) -> str:
        cursor = self.cursor
        match = QUOTED.match(cursor.text, cursor.position)
        if match is None:
            cursor.fail('a closing "')
        try:
            literal = orjson.loads(match[0])
        except orjson.JSONDecodeError:
            cursor.fail('a text as JSON writes it, such as "12\\" pipe"')
        cursor.position = match.end()
        return str(literal)

    def expanded(self, literal: str, path: AnyPath) -> str:
        while isinstance(path, LinkedPath):
            path = path.path
        if path.member in NAMING_MEMBERS or (self.expand and not self.expand.isdisjoint(path.names)):
            return self.names.iri(literal)
        return literal

    def pattern(self) -> Pattern:
        cursor = self.cursor
        text, start = cursor.text, cursor.position
        if text.startswith('"', start):
            match = QUOTED.match(text, start)
            if match is None:
                cursor.fail('a closing "')
            cursor.position = match.end()
            pattern = match[0][1:-1].replace('\\"', '"')
        else:
            cursor.position = _end_of_pattern(text, start)
            pattern = text[start : cursor.position]
        if not pattern:
            cursor.fail("a regular expression", start)
        return parse_pattern(pattern, cursor.parameter, cursor.limits)


def _type(value: Literal) -> str:
    if isinstance(value, Instant):
        return value.form
    return "text" if isinstance(value, str) else "number"


def _end_of_pattern(text: str, start: int) -> int:
    """Where an unquoted pattern ends: at a ; | or ) that is not within its own parentheses or brackets."""
    depth, position, bracket = 0, start, False
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif bracket:
            bracket = character != "]"
        elif character == "[":
            bracket = True
        elif character == "(":
            depth += 1
        elif character == ")" and depth:
            depth -= 1
        elif character in ";|)" and not depth:
            break
        position += 1
    return min(position, len(text))
