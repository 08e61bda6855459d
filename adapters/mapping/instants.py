"""observedAt of records: made canonical, and refused where no equipment could have seen it.

A time far ahead must not pass: the engine never lets older data overwrite newer, so one wrong clock would shut its
equipment out for as long as it is ahead.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from adapters.errors import MappingError
from adapters.mapping.compiler import Expression
from adapters.mapping.times import EARLIEST, parse_time, to_text

AHEAD = timedelta(hours=1)
"""How far the vendor's clock may be ahead of ours."""


@lru_cache(maxsize=4096)
def _canonical(value: str, zone: ZoneInfo | None) -> str:
    return to_text(parse_time(value, zone))


class Instants:
    """The check of times against now; `begin` says when now is, once for each batch."""

    def __init__(self) -> None:
        self._latest = ""
        self._earliest = to_text(EARLIEST)
        self.begin(datetime.now(UTC))

    def begin(self, now: datetime) -> None:
        """Times later than `now` and an hour are refused from here on."""
        self._latest = to_text(now + AHEAD)

    def of(self, expression: Expression, zone: ZoneInfo | None, text: str) -> Expression:
        """The expression's time in canonical form; None where it has none. MappingError names `text`."""

        def instant(record: Any) -> str | None:
            value = expression(record)
            if value is None:
                return None
            try:
                canonical = _canonical(value, zone) if isinstance(value, str) else to_text(parse_time(value, zone))
                if canonical[:-1] > self._latest[:-1] or canonical < self._earliest:
                    raise MappingError(f"{value!r} cannot be when it was observed: before 2000, or ahead of now")
            except MappingError as error:
                error.expression, error.attribute = text, "observedAt"
                raise
            return canonical

        return instant
