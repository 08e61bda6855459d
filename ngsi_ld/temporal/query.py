"""The temporal query (4.11, 5.2.21): which instances of the past are asked for.

`before` has an exclusive bound, `after` an inclusive one, `between` includes its start and excludes its end.
"""

from dataclasses import dataclass
from typing import Any

from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.errors import bad_request_data
from ngsi_ld.temporal import instants

TIMERELS = ("before", "after", "between")
TIME_PROPERTIES = ("observedAt", "createdAt", "modifiedAt", "deletedAt")


@dataclass(frozen=True, slots=True)
class TemporalQuery:
    """An interval of `timeproperty`, in microseconds, `start` inclusive and `end` exclusive; None: unbounded.

    `timerel` is None where no interval was asked for. `filtered` tells whether an instance must have `timeproperty`
    at all: it must where an interval or the property itself was named. `last_n`: so many latest per attribute.
    """

    timerel: str | None = None
    start: int | None = None
    end: int | None = None
    timeproperty: str = "observedAt"
    last_n: int | None = None
    filtered: bool = False

    def includes(self, time: int | None) -> bool:
        """Whether an instance is asked for that has its `timeproperty` at `time`, None where it has none."""
        if time is None:
            return not self.filtered
        return (self.start is None or time >= self.start) and (self.end is None or time < self.end)


def parse_temporal_query(
    *,
    timerel: Any = None,
    time_at: Any = None,
    end_time_at: Any = None,
    timeproperty: Any = None,
    last_n: Any = None,
    required: bool = False,
) -> TemporalQuery:
    """The query of these members; `required` where the operation cannot do without an interval (5.7.4.4).

    Raises BadRequestData that names the member at fault.
    """
    if timeproperty is not None and timeproperty not in TIME_PROPERTIES:
        raise bad_request_data(f"timeproperty must be one of {', '.join(TIME_PROPERTIES)}, not {timeproperty!r}")
    if last_n is not None and (type(last_n) is not int or last_n < 1):
        raise bad_request_data(f"lastN must be a whole number from 1 on, not {last_n!r}")
    named = timeproperty or "observedAt"
    if timerel is None:
        if time_at is not None or end_time_at is not None:
            given = "timeAt" if time_at is not None else "endTimeAt"
            raise bad_request_data(f"{given} needs timerel, one of {', '.join(TIMERELS)}")
        if required:
            raise bad_request_data("timerel and timeAt are missing: say which time is asked for (5.7.4)")
        return TemporalQuery(timeproperty=named, last_n=last_n, filtered=timeproperty is not None)
    if timerel not in TIMERELS:
        raise bad_request_data(f"timerel must be one of {', '.join(TIMERELS)}, not {timerel!r}")
    if time_at is None:
        raise bad_request_data(f"timerel={timerel} needs timeAt")
    at = instants.read(checked_date_time(time_at, "timeAt"))
    if timerel != "between":
        if end_time_at is not None:
            raise bad_request_data(f"endTimeAt goes with timerel=between only, not with {timerel}")
        start, end = (None, at) if timerel == "before" else (at, None)
    else:
        if end_time_at is None:
            raise bad_request_data("timerel=between needs endTimeAt")
        start, end = at, instants.read(checked_date_time(end_time_at, "endTimeAt"))
        if end <= start:
            raise bad_request_data(f"endTimeAt must be later than timeAt, but {end_time_at} is not after {time_at}")
    return TemporalQuery(timerel, start, end, named, last_n, filtered=True)
