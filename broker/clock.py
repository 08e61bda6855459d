"""The one place that reads the clock for what is stored and shown."""

from datetime import UTC, datetime

from ngsi_ld.datetimes import format_date_time


def now() -> str:
    """The present as `2026-11-23T17:02:01.250Z`."""
    return format_date_time(datetime.now(UTC))
