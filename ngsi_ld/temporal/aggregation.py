"""The aggregated representation (4.5.19): its methods, and to which values each applies.

The standard deviation is that of the population. A period without a value is left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.temporal.durations import Duration

METHODS = ("totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq")

WHOLE_RANGE = Duration()
"""The zero duration: one period."""

_ALWAYS = frozenset({"totalCount", "distinctCount"})
APPLICABLE: dict[str, frozenset[str]] = {
    "number": frozenset(METHODS),
    "boolean": frozenset(METHODS),
    "array": _ALWAYS | {"min", "max", "avg", "sum"},
    "text": _ALWAYS | {"min", "max"},
    "time": _ALWAYS | {"min", "max", "avg"},
    "long": frozenset({"totalCount"}),
    "object": _ALWAYS,
    "target": _ALWAYS,
}
"""By the class of the values: true counts as 1 and false as 0, an array by its size, a time of day by its seconds.

`time` is a value of the type Time, `target` that of a Relationship, `long` a text of which only the number was kept.
"""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What is computed of the instances of each period; the zero duration makes one period of the whole range.

    `zone` is the one that calendar periods are counted in, UTC if None.
    """

    methods: tuple[str, ...]
    duration: Duration = WHOLE_RANGE
    zone: ZoneInfo | None = None


@dataclass(slots=True)
class Summary:
    """What is known of the values of one period: enough for every method.

    `low` and `high` are numbers, sizes or texts; `distinct` the number of different values, None if not asked for.
    """

    count: int = 0
    classes: frozenset[str] = frozenset()
    total: float = 0
    squares: float = 0
    low: Any = None
    high: Any = None
    distinct: int | None = None


def parse_methods(given: Any) -> tuple[str, ...]:
    """The methods of `avg,max` or of `["avg", "max"]`; BadRequestData for one that there is not."""
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise bad_request_data(f"aggrMethods must be a list of methods, of {', '.join(METHODS)}, not {given!r}")
    wanted = tuple(dict.fromkeys(name.strip() for name in names))
    for name in wanted:
        if name not in METHODS:
            raise bad_request_data(f"aggrMethods has {name!r}; it knows {', '.join(METHODS)}")
    return wanted


def check_applicable(name: str, classes: frozenset[str], methods: Sequence[str]) -> None:
    """InvalidRequest where a method says nothing of values of these classes (5.7.3.4); `name` is the attribute's."""
    for kind in sorted(classes):
        if refused := [method for method in methods if method not in APPLICABLE[kind]]:
            raise invalid_request(
                f"aggrMethods has {', '.join(refused)}, which cannot be computed of {name}, whose values are"
                f" {_PLURALS[kind]}; leave {name} out by attrs or pick, or ask for"
                f" {', '.join(method for method in METHODS if method in APPLICABLE[kind])}"
            )

    if "time" in classes and len(classes) > 1 and "avg" in methods:
        others = " and ".join(_PLURALS[kind] for kind in sorted(classes))
        raise invalid_request(f"aggrMethods has avg, which cannot be computed of {name}, whose values are {others}")


def result(method: str, summary: Summary) -> Any:
    """The value of one method for one period."""
    mean = summary.total / summary.count
    computed: Mapping[str, Any] = {
        "totalCount": summary.count,
        "distinctCount": summary.distinct,
        "sum": summary.total,
        "avg": _time_of_day(mean) if summary.classes == {"time"} else mean,
        "min": summary.low,
        "max": summary.high,
        "sumsq": summary.squares,
        "stddev": math.sqrt(max(0.0, summary.squares / summary.count - mean * mean)) if summary.count else 0.0,
    }
    return computed[method]


def _time_of_day(seconds: float) -> str:
    """The text of a time that is so many seconds after midnight, to the microsecond: 08:30:15Z."""
    whole, micros = divmod(round(seconds * 1_000_000), 1_000_000)
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{micros:06d}".rstrip("0") + "Z" if micros else f"{text}Z"


_PLURALS = {
    "number": "numbers",
    "boolean": "truth values",
    "array": "arrays",
    "text": "texts",
    "time": "times of day",
    "long": "long texts, of which only the number is kept",
    "object": "objects",
    "target": "the targets of a Relationship",
}
