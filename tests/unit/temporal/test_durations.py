"""ISO 8601 durations and the periods that they cut a range into (4.5.19)."""

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.durations import Duration, checked_zone, parse_duration, periods

HOUR = 3600 * instants.SECOND


def bounds(start, end, duration, zone=None, most=1000):
    named = None if zone is None else checked_zone(zone, "timezone")
    cut = periods(instants.read(start), instants.read(end), parse_duration(duration, "it"), named, most)
    return [instants.show(bound) for bound in cut]


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT1H", Duration(exact=HOUR)),
        ("P1Y2M", Duration(months=14)),
        ("P2W", Duration(days=14)),
        ("P1DT12H", Duration(days=1, exact=12 * HOUR)),
        ("PT90M", Duration(exact=HOUR * 3 // 2)),
        ("PT0.25S", Duration(exact=250_000)),
        ("PT0S", Duration()),
        ("P0D", Duration()),
    ],
)
def test_durations(text, duration):
    assert parse_duration(text, "aggrPeriodDuration") == duration


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "1H", "PT1", "P1H", "PT1D", "-PT1H", "P1M1Y", "PT1.5H", "pt1h", "P9999999999D"]
)
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(NgsiLdError) as raised:
        parse_duration(text, "aggrPeriodDuration")

    assert raised.value.type is ErrorType.BAD_REQUEST_DATA
    assert raised.value.detail.startswith("aggrPeriodDuration must be an ISO 8601 duration such as PT1H")


def test_the_last_period_includes_the_end_of_the_range():
    assert bounds("2026-11-23T12:03:00Z", "2026-11-23T13:30:00Z", "PT1H") == [
        "2026-11-23T12:03:00Z",
        "2026-11-23T13:03:00Z",
        "2026-11-23T14:03:00Z",
    ]


def test_no_duration_is_one_period():
    assert bounds("2026-11-23T12:00:00Z", "2027-01-01T00:00:00Z", "PT0S") == [
        "2026-11-23T12:00:00Z",
        "2027-01-01T00:00:00Z",
    ]


def test_months_are_those_of_the_calendar_and_do_not_add_up_short_ones():
    assert bounds("2026-01-31T00:00:00Z", "2026-04-01T00:00:00Z", "P1M") == [
        "2026-01-31T00:00:00Z",
        "2026-02-28T00:00:00Z",
        "2026-03-31T00:00:00Z",
        "2026-04-30T00:00:00Z",
    ]


def test_years_know_leap_days():
    assert bounds("2024-02-29T00:00:00Z", "2026-01-01T00:00:00Z", "P1Y") == [
        "2024-02-29T00:00:00Z",
        "2025-02-28T00:00:00Z",
        "2026-02-28T00:00:00Z",
    ]


def test_days_in_a_time_zone_have_23_or_25_hours_when_the_clocks_change():
    spring = bounds("2026-03-27T23:00:00Z", "2026-03-30T00:00:00Z", "P1D", "Europe/Paris")
    autumn = bounds("2026-10-23T22:00:00Z", "2026-10-26T00:00:00Z", "P1D", "Europe/Paris")

    assert spring == ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]
    assert autumn == ["2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"]


def test_months_in_a_time_zone_begin_at_its_midnight():
    assert bounds("2025-12-31T23:00:00Z", "2026-04-02T00:00:00Z", "P1M", "Europe/Paris") == [
        "2025-12-31T23:00:00Z",
        "2026-01-31T23:00:00Z",
        "2026-02-28T23:00:00Z",
        "2026-03-31T22:00:00Z",
        "2026-04-30T22:00:00Z",
    ]


def test_hours_have_their_exact_length_in_any_time_zone():
    assert len(bounds("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "PT1H", "Europe/Paris")) == 24


def test_without_a_time_zone_a_day_has_24_hours():
    assert bounds("2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z", "P1D")[1:] == [
        "2026-03-29T00:00:00Z",
        "2026-03-30T00:00:00Z",
    ]


@pytest.mark.parametrize("duration", ["PT1S", "PT0.000001S", "PT59M"])
def test_too_many_periods_are_refused_with_the_limit(duration):
    with pytest.raises(NgsiLdError) as raised:
        bounds("1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", duration, most=500)

    assert raised.value.type is ErrorType.TOO_COMPLEX_QUERY
    assert "500" in raised.value.detail


def test_a_period_that_ends_after_the_year_9999_is_refused():
    with pytest.raises(NgsiLdError):
        bounds("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "P9000Y")


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(NgsiLdError, match="timezone must be a time zone such as Europe/Paris"):
        checked_zone("Europe/Chalons", "timezone")
    with pytest.raises(NgsiLdError):
        checked_zone("../etc/passwd", "timezone")
