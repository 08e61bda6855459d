"""Date-times (4.6.3): `YYYY-MM-DDThh:mm:ss[.ffffff]Z`, always UTC, kept as it was given.

To compare them there is a canonical form (a point for the fraction, no zeros at its end): equal instants are equal
texts then, and a text without its final Z sorts by time.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from ngsi_ld.errors import bad_request_data

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?Z")

_WHOLE_SECONDS = len("2026-11-23T17:02:00Z")


def parse_date_time(text: str) -> datetime | None:
    """The instant, or None where the text is not a date-time of NGSI-LD."""
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None


def checked_date_time(value: object, where: str) -> str:
    """`value` if it is a date-time, with a point for the fraction; else BadRequestData that names where it stood."""
    if isinstance(value, str) and (text := _read(value)) is not None:
        return text
    raise bad_request_data(f"{where} must be a UTC date-time such as 2026-11-23T17:02:00Z, not {value!r}")


@lru_cache(maxsize=4096)
def _read(text: str) -> str | None:
    # Remembered, since the values of one reading of a sensor have the same time.
    return None if parse_date_time(text) is None else text.replace(",", ".")


def canonical_date_time(text: str) -> str:
    """The canonical form of a date-time: `2026-11-23T17:02:00,500Z` becomes `2026-11-23T17:02:00.5Z`."""
    if len(text) == _WHOLE_SECONDS:
        return text
    seconds, fraction = text[: _WHOLE_SECONDS - 1], text[_WHOLE_SECONDS:-1].rstrip("0")
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"


def format_date_time(instant: datetime) -> str:
    """System times: `2026-11-23T17:02:01.250Z`, to the millisecond, of constant width so that texts sort by time."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"
