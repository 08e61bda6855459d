"""Times of vendors: RFC 3339 with any offset and fraction, local times of a time zone, seconds or milliseconds since
1970; all become NGSI-LD date-times, UTC with a Z (GS CIM 009 v1.9.1, 4.6.3)."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adapters.errors import MappingError

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No equipment reports of an earlier time: a clock that was never set."""


def parse_time(value: Any, zone: ZoneInfo | None = None) -> datetime:
    """The instant, in UTC.

    `zone`: of texts without an offset (the first of the two where clocks went back). Numbers are seconds since 1970,
    or milliseconds from 100,000,000,000 on. Raises MappingError with what would be right.
    """
    try:
        if isinstance(value, str):
            instant = datetime.fromisoformat(value.strip())
            if instant.tzinfo is None:
                if zone is None:
                    raise MappingError(f"{value!r} says no offset; set time_zone, such as Europe/Paris")
                instant = instant.replace(tzinfo=zone)
            return instant.astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise MappingError(f"{value!r} is not a time such as 2026-11-23T17:02:00Z")


def canonical_or_empty(value: Any) -> str:
    """The time in canonical form, in which later is greater; empty where it is none."""
    try:
        return to_text(parse_time(value, ZoneInfo("UTC")))
    except MappingError:
        return ""


def to_text(instant: datetime) -> str:
    """Canonical: `2026-11-23T17:02:00Z`, or `2026-11-23T17:02:00.25Z` (no zeros at the end of a fraction)."""
    text = instant.replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
