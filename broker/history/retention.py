"""Retention: how long the history of what is kept, value by value, as hourly and as daily sums.

    P2Y; type=https://uri.etsi.org/ngsi-ld/default-context/Camera P30D; attribute=noiseLevel P90D hourly P2Y daily P10Y

Rules are separated by semicolons: what it is for, a tenant, a type, an attribute, as IRIs or as names of the core
@context; an ISO 8601 duration; and where they are kept longer than the values, those of hourly and of daily sums. Of
the rules that fit, the one that names most decides; among equals an attribute counts more than a type, and that more
than a tenant. What no rule fits is kept for ever. Whole days in UTC go, by `observedAt`, or for lack of it by when the
value came. Of scopes nothing goes: the last one is valid still.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from broker.history.rows import SCOPE
from broker.store.names import key
from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.durations import Duration, before, parse_duration

_NAMES = ("tenant", "type", "attribute")
_SUMS = ("hourly", "daily")


@dataclass(frozen=True, slots=True)
class Rule:
    """For how long what it fits is kept; None fits all. `attribute` is a KEY, `type` an IRI; None: no such sums."""

    duration: Duration
    tenant: str | None = None
    type: str | None = None
    attribute: str | None = None
    hourly: Duration | None = None
    daily: Duration | None = None

    @property
    def weight(self) -> tuple[int, bool, bool]:
        """The greater, the more it decides."""
        named = [self.attribute is not None, self.type is not None, self.tenant is not None]
        return sum(named), named[0], named[1]


@dataclass(frozen=True, slots=True)
class Borders:
    """The days, since 1970, before which values, hourly and daily sums go; None where there are no such sums."""

    values: int
    hourly: int | None
    daily: int | None


def parse_retention(text: str) -> tuple[Rule, ...]:
    """The rules of a setting, the most decisive first; ValueError that says what is wrong where one is no rule."""
    return tuple(sorted(map(_rule, filter(None, map(str.strip, text.split(";")))), key=_weight, reverse=True))


def borders(rule: Rule, now: int) -> Borders:
    """What a rule comes to at `now`, in microseconds."""
    hourly, daily = (None if kept is None else before(now, kept) // instants.DAY for kept in (rule.hourly, rule.daily))
    return Borders(before(now, rule.duration) // instants.DAY, hourly, daily)


def ruled(rules: Sequence[Rule], types: Iterable[str], names: Iterable[str]) -> Mapping[Rule, list[str]]:
    """The attributes (KEYs) of an entity of these types by the rule that decides on them."""
    by_rule: dict[Rule, list[str]] = {}
    for name in sorted(set(names) - {SCOPE}):
        for rule in rules:
            if rule.type in (None, *types) and rule.attribute in (None, name):
                by_rule.setdefault(rule, []).append(name)
                break
    return by_rule


def _rule(text: str) -> Rule:
    words = text.split()
    named: dict[str, str] = {}
    while words and "=" in words[0]:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if not value or name not in _NAMES or name in named:
            raise ValueError(f"retention: {word!r} must be one of {', '.join(f'{one}=…' for one in _NAMES)}")
        named[name] = value
    kept = [_duration(words.pop(0) if words else text)]
    sums: dict[str, Duration] = {}
    while words:
        name = words.pop(0)
        if name not in _SUMS or name in sums or not words:
            raise ValueError(
                f"retention: {name!r} must be a time for sums after that of the values, as in"
                " P2Y hourly P5Y daily P12Y; rules are separated by semicolons"
            )
        sums[name] = _duration(words.pop(0))
    kept += [sums[name] for name in _SUMS if name in sums]
    if any(longer.approximate() <= shorter.approximate() for shorter, longer in pairwise(kept)):
        raise ValueError(f"retention: {text!r} must keep hourly sums longer than values, and daily ones longer still")
    return Rule(
        kept[0],
        named.get("tenant"),
        CORE.iri(named["type"]) if "type" in named else None,
        key(CORE.iri(named["attribute"])) if "attribute" in named else None,
        sums.get("hourly"),
        sums.get("daily"),
    )


def _duration(text: str) -> Duration:
    try:
        kept = parse_duration(text, "retention")
    except NgsiLdError as error:
        raise ValueError(error.detail) from None
    if kept.is_zero:
        raise ValueError(f"retention: {text} keeps nothing; to record nothing, set history to false")
    return kept


def _weight(rule: Rule) -> tuple[int, bool, bool]:
    return rule.weight
