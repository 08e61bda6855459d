"""ISO 8601 durations and the consecutive periods that they cut a time range into (4.5.19).

Years and months are those of the calendar: a month after 31 January is the last day of February, two months after it
is 31 March. Days and weeks are calendar days too: where periods are counted in a time zone with daylight saving, a
day may have 23 or 25 hours. Hours, minutes and seconds always have their exact length. Without a time zone everything
is counted in UTC, where a day has 24 hours.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data
from ngsi_ld.temporal import instants

_DURATION = re.compile(
    r"P(?=.)(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?=.)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:[.,]\d{1,6})?)S)?)?"
)
_LONGEST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Duration:
    """Calendar months, calendar days, and an exact part in microseconds."""

    months: int = 0
    days: int = 0
    exact: int = 0

    @property
    def is_zero(self) -> bool:
        """Whether it has no length: then one period spans the whole range."""
        return not (self.months or self.days or self.exact)

    def fixed(self, zone: ZoneInfo | None) -> int | None:
        """Its length in microseconds where all periods of it are equally long; None where the calendar decides."""
        if self.months or (self.days and zone is not None):
            return None
        return self.days * instants.DAY + self.exact

    def approximate(self) -> int:
        """Its length in microseconds with months of 30 days: for limits."""
        return (self.months * 30 + self.days) * instants.DAY + self.exact


@lru_cache(maxsize=512)
def parse_duration(text: str, where: str) -> Duration:
    """The duration of `P1M`, `PT15M`, `P1DT12H`, `P2W`; BadRequestData that names the member it stood in."""
    found = _DURATION.fullmatch(text)
    if found is None or any(len(part) > _LONGEST_DIGITS for part in found.groups("")):
        raise bad_request_data(f"{where} must be an ISO 8601 duration such as PT1H, P1D or P1M, not {text!r}")
    whole = {name: int(part) for name, part in found.groupdict("0").items() if name != "seconds"}
    seconds, _, fraction = (found["seconds"] or "0").replace(",", ".").partition(".")
    exact = (whole["hours"] * 3600 + whole["minutes"] * 60 + int(seconds)) * instants.SECOND
    return Duration(
        whole["years"] * 12 + whole["months"],
        whole["weeks"] * 7 + whole["days"],
        exact + int(fraction.ljust(6, "0")),
    )


def checked_zone(name: str, where: str) -> ZoneInfo:
    """The time zone of a name such as Europe/Paris; BadRequestData for one that is not known."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise bad_request_data(f"{where} must be a time zone such as Europe/Paris, not {name!r}") from None


def periods(start: int, end: int, duration: Duration, zone: ZoneInfo | None, most: int) -> list[int]:
    """The bounds of the periods from `start` on until one includes `end` or ends there: one more than periods.

    TooComplexQuery where there would be more than `most`. A zero duration gives the one period from start to end.
    """
    if duration.is_zero or end <= start:
        return [start, max(end, start)]
    if (end - start) // duration.approximate() >= 2 * most:
        raise _too_many(most)
    bounds = [start]
    origin = instants.instant(start).astimezone(zone or UTC)
    while bounds[-1] < end:
        if len(bounds) > most:
            raise _too_many(most)
        try:
            bounds.append(_after(origin, start, duration, len(bounds), zone))
        except (OverflowError, ValueError):
            raise bad_request_data("aggrPeriodDuration leads beyond the year 9999") from None
    return bounds


def before(moment: int, duration: Duration) -> int:
    """The instant that is the duration before another, both in microseconds, by the calendar in UTC."""
    return _after(instants.instant(moment), moment, duration, -1, None)


def _after(origin: datetime, start: int, duration: Duration, count: int, zone: ZoneInfo | None) -> int:
    """Where the period number `count` ends. Counted from the origin each time, so that short months do not add up."""
    fixed = duration.fixed(zone)
    if fixed is not None:
        return start + count * fixed
    month = origin.year * 12 + origin.month - 1 + duration.months * count
    year, month = divmod(month, 12)
    last = calendar.monthrange(year, month + 1)[1]
    day = date(year, month + 1, min(origin.day, last)) + timedelta(days=duration.days * count)
    local = datetime.combine(day, origin.timetz())
    return instants.micros(local.astimezone(UTC)) + duration.exact * count


def _too_many(most: int) -> NgsiLdError:
    return NgsiLdError(
        ErrorType.TOO_COMPLEX_QUERY,
        f"aggrPeriodDuration cuts the range into more than {most} periods; ask for longer ones or a shorter range",
    )
