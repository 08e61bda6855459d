"""The scope query language (GS CIM 009 v1.9.1, 4.19): `(/Madrid/Districts;/CompanyA)|/Madrid/Gardens/#`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ngsi_ld.query.syntax import DEFAULT_LIMITS, Cursor, Limits

_LEVELS = re.compile(r"/?(?:\+|[^\W\d_]\w*)(?:/(?:\+|[^\W\d_]\w*))*")


@dataclass(frozen=True, slots=True)
class ScopePattern:
    """A scope by its levels, `+` for any one; with `below`, also everything below it. No levels: any scope (`/#`)."""

    levels: tuple[str, ...]
    below: bool

    def matches(self, scope: str) -> bool:
        """Whether a scope such as `/Madrid/Gardens` is meant."""
        levels = scope.split("/")[1:]
        if len(levels) < len(self.levels) or (len(levels) > len(self.levels) and not self.below):
            return False
        return all(wanted in ("+", level) for wanted, level in zip(self.levels, levels, strict=False))


@dataclass(frozen=True, slots=True)
class ScopeQuery:
    """An entity is meant if, for one of the `alternatives`, each pattern matches one of its scopes."""

    alternatives: tuple[tuple[ScopePattern, ...], ...]

    def matches(self, scopes: Sequence[str]) -> bool:
        """Whether an entity with these scopes is meant."""
        return any(
            all(any(pattern.matches(scope) for scope in scopes) for pattern in patterns)
            for patterns in self.alternatives
        )


@lru_cache(maxsize=1024)
def parse_scope_q(text: str, limits: Limits = DEFAULT_LIMITS) -> ScopeQuery:
    """The query that `text` states; the first slash of a scope may be left out, as example 5 does.

    The grammar wants parentheses about scopes joined by `;`. Without them it binds tighter than `|`, as it does in `q`,
    which can mean nothing else.
    """
    cursor = Cursor(text, "scopeQ", limits)
    alternatives = []
    while True:
        grouped = cursor.take("(")
        patterns = [_pattern(cursor)]
        while cursor.take(";"):
            patterns.append(_pattern(cursor))
        if grouped:
            cursor.expect(")", "to close the group of scopes joined by ;")
        alternatives.append(tuple(patterns))
        if not cursor.take_any("|,"):
            break
    cursor.expect_end("| or , or ; and another scope")
    return ScopeQuery(tuple(alternatives))


def _pattern(cursor: Cursor) -> ScopePattern:
    cursor.count(1)
    if cursor.take("/#"):
        return ScopePattern((), below=True)
    match = _LEVELS.match(cursor.text, cursor.position)
    if match is None:
        cursor.fail("a scope such as /Madrid/Gardens, /Madrid/+/ParqueNorte, /Madrid/# or /#")
    cursor.position = match.end()
    return ScopePattern(tuple(match[0].removeprefix("/").split("/")), below=cursor.take("/#"))
