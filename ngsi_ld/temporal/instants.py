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


def show(number: int) -> str:
    """The canonical text: `2026-11-23T17:02:00Z`, `2026-11-23T17:02:00.25Z`."""
    days, rest = divmod(number, DAY)
    seconds, fraction = divmod(rest, SECOND)
    minutes, seconds = divmod(seconds, 60)
    text = f"{_day(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else f"{text}Z"


def show_milliseconds(number: int) -> str:
    """The text of a system time, of constant width: `2026-11-23T17:02:00.250Z`."""
    days, rest = divmod(number // 1000, DAY // 1000)
    seconds, fraction = divmod(rest, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{_day(days)}T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.{fraction:03d}Z"


@lru_cache(maxsize=4096)
def _day(days: int) -> str:
    # Texts are put together from parts, since there may be tens of thousands of instants in one answer.
    return (_EPOCH + timedelta(days=days)).date().isoformat()
