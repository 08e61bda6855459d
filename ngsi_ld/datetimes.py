"""Date-times (4.6.3): `YYYY-MM-DDThh:mm:ss[.ffffff]Z`, always UTC, kept as text in canonical form.

In canonical form (a point for the fraction, no zeros at its end) equal instants are equal texts, and a text without
its final Z sorts by time.
"""

import re
from datetime import UTC, datetime

from ngsi_ld.errors import bad_request_data

_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?Z")


def parse_date_time(text: str) -> datetime | None:
    """The instant, or None where the text is not a date-time of NGSI-LD."""
    if not _DATE_TIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.replace(",", "."))
    except ValueError:
        return None


def checked_date_time(value: object, where: str) -> str:
    """The canonical form of `value`; else BadRequestData that names `where` it stood."""
    if isinstance(value, str) and (match := _DATE_TIME.fullmatch(value)) and parse_date_time(value) is not None:
        seconds, fraction = match.groups()
        fraction = fraction.rstrip("0") if fraction else ""
        return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"
    raise bad_request_data(f"{where} must be a UTC date-time such as 2026-11-23T17:02:00Z, not {value!r}")


def format_date_time(instant: datetime) -> str:
    """System times: `2026-11-23T17:02:01.250Z`, to the millisecond, of constant width so that texts sort by time."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
