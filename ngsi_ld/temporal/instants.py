"""Instants as whole microseconds since 1970, in which a history compares, stores and counts them."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from ngsi_ld.datetimes import parse_date_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

SECOND = 1_000_000
DAY = 86_400 * SECOND


def micros(instant: datetime) -> int:
    """The microseconds of an aware datetime, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def instant(number: int) -> datetime:
    """The UTC datetime of microseconds."""
    return _EPOCH + number * _MICROSECOND


@lru_cache(maxsize=8192)
def read(text: str) -> int:
    """The microseconds of a date-time that has been checked: `2026-11-23T17:02:00Z`; ValueError for another text."""
    parsed = parse_date_time(text)
    if parsed is None:
        raise ValueError(f"{text!r} is no date-time")
    return micros(parsed)


@lru_cache(maxsize=8192)
def show(number: int) -> str:
    """The canonical text: `2026-11-23T17:02:00Z`, `2026-11-23T17:02:00.25Z`."""
    shown = instant(number)
    text = shown.strftime("%Y-%m-%dT%H:%M:%S") if shown.year > 999 else shown.replace(tzinfo=None).isoformat()[:19]
    fraction = f".{shown.microsecond:06d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"
