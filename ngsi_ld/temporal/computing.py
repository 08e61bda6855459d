"""Aggregates computed in memory (4.5.19), of evolutions that several sources make together."""

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, cast

from ngsi_ld.attributes import KINDS
from ngsi_ld.entity import Instance
from ngsi_ld.temporal.aggregation import Aggregation, Summary, check_applicable
from ngsi_ld.temporal.durations import periods
from ngsi_ld.temporal.merging import moment
from ngsi_ld.temporal.query import TemporalQuery
from ngsi_ld.temporal.representation import Evolution, Series

_TARGETS = frozenset({"Relationship", "ListRelationship"})
_TIME_TYPES = frozenset({"Time", "https://uri.etsi.org/ngsi-ld/Time"})
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d{1,6})?)Z?")

Periods = dict[tuple[int, int], Summary]


def aggregates_of(
    evolution: Evolution, time: TemporalQuery, asked: Aggregation, most: int
) -> Mapping[Series, Mapping[tuple[int, int], Summary]]:
    """By series the summary of each period that has values; raises as the aggregates of this broker alone do."""
    values = [
        ((name, one.get("datasetId"), one["type"]), at, one)
        for name, instances in evolution.attributes.items()
        for one in instances
        if "deletedAt" not in one and (at := moment(one, time.timeproperty)) is not None
    ]
    if not values:
        return {}
    times = [at for _, at, _ in values]
    start = time.start if time.start is not None and time.timerel is not None else min(times)
    end = time.end if time.end is not None else max(times) + (0 if asked.duration.is_zero else 1)
    bounds = periods(start, end, asked.duration, asked.zone, most)
    found: dict[Series, Periods] = {}
    different: dict[tuple[Series, int], set[str]] = {}
    for series, at, one in values:
        number = _period(bounds, at)
        period = (bounds[number], bounds[number + 1])
        summary = found.setdefault(series, {}).setdefault(period, Summary(distinct=0))
        said = _add(summary, one)
        known = different.setdefault((series, number), set())
        known.add(said)
        summary.distinct = len(known)
    for series, by_period in found.items():
        check_applicable(series[0], frozenset().union(*[one.classes for one in by_period.values()]), asked.methods)
    return found


def _period(bounds: list[int], at: int) -> int:
    return max(0, min(bisect_right(bounds, at) - 1, len(bounds) - 2))


def _add(summary: Summary, instance: Instance) -> str:
    """Counts a value in; gives what it is by itself, as a text."""
    members = cast("dict[str, Any]", instance)
    value = members[KINDS[instance["type"]].member]
    typed = isinstance(value, dict) and isinstance(value.get("@value"), str)
    shown = value["@value"] if typed else value
    kind, number = _classified(instance["type"], shown, typed and value.get("@type") in _TIME_TYPES)
    summary.count += 1
    summary.classes |= {kind}
    bounded = shown if kind in ("text", "time") else number
    if number is not None:
        summary.total += number
        summary.squares += number * number
    if bounded is not None:
        summary.low = bounded if summary.low is None else min(summary.low, bounded, key=_order)
        summary.high = bounded if summary.high is None else max(summary.high, bounded, key=_order)
    return repr(value)


def _classified(attribute: str, value: Any, of_time: bool) -> tuple[str, Any]:
    if attribute in _TARGETS:
        return "target", None
    if isinstance(value, bool):
        return "boolean", int(value)
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, str):
        match = _TIME.fullmatch(value) if of_time else None
        if match is None:
            return "text", None
        return "time", int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    return ("array", len(value)) if isinstance(value, list) else ("object", None)


def _order(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value
