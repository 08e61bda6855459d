"""Temporal queries (4.11): which members they need, what they include."""

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import parse_temporal_query

NOON = instants.read("2026-11-23T12:00:00Z")
ONE = instants.read("2026-11-23T13:00:00Z")


def test_after_includes_its_bound():
    query = parse_temporal_query(timerel="after", time_at="2026-11-23T12:00:00.000Z")

    assert [query.includes(time) for time in (NOON - 1, NOON, NOON + 1)] == [False, True, True]


def test_before_excludes_its_bound():
    query = parse_temporal_query(timerel="before", time_at="2026-11-23T12:00:00Z")

    assert [query.includes(time) for time in (NOON - 1, NOON)] == [True, False]


def test_between_includes_its_start_and_excludes_its_end():
    query = parse_temporal_query(timerel="between", time_at="2026-11-23T12:00:00Z", end_time_at="2026-11-23T13:00:00Z")

    assert [query.includes(time) for time in (NOON, ONE - 1, ONE)] == [True, True, False]


def test_an_instance_without_the_time_property_is_in_no_interval():
    assert not parse_temporal_query(timerel="after", time_at="2026-11-23T12:00:00Z").includes(None)
    assert not parse_temporal_query(timeproperty="deletedAt").includes(None)
    assert parse_temporal_query().includes(None)


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"time_at": "2026-11-23T12:00:00Z"}, "timerel"),
        ({"timerel": "after"}, "timeAt"),
        ({"timerel": "during", "time_at": "2026-11-23T12:00:00Z"}, "timerel"),
        ({"timerel": "between", "time_at": "2026-11-23T12:00:00Z"}, "endTimeAt"),
        ({"timerel": "after", "time_at": "2026-11-23T12:00:00"}, "timeAt"),
        ({"timerel": "after", "time_at": "2026-11-23T12:00:00+01:00"}, "timeAt"),
        ({"timerel": "after", "time_at": "2026-02-30T12:00:00Z"}, "timeAt"),
        ({"timerel": "after", "time_at": 5}, "timeAt"),
        (
            {"timerel": "between", "time_at": "2026-11-23T12:00:00Z", "end_time_at": "2026-11-23T12:00:00Z"},
            "endTimeAt",
        ),
        (
            {"timerel": "before", "time_at": "2026-11-23T12:00:00Z", "end_time_at": "2026-11-23T13:00:00Z"},
            "endTimeAt",
        ),
        ({"timeproperty": "bornAt"}, "timeproperty"),
        ({"last_n": 0}, "lastN"),
        ({"last_n": 1.5}, "lastN"),
        ({"last_n": True}, "lastN"),
        ({"required": True}, "timerel"),
    ],
)
def test_a_wrong_query_is_refused_by_the_name_of_the_member(members, member):
    with pytest.raises(NgsiLdError) as raised:
        parse_temporal_query(**members)

    assert raised.value.type is ErrorType.BAD_REQUEST_DATA
    assert member in raised.value.detail


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-23T17:02:00Z", "2026-11-23T17:02:00Z"),
        ("2026-11-23T17:02:00.500Z", "2026-11-23T17:02:00.5Z"),
        ("2026-11-23T17:02:00.000001Z", "2026-11-23T17:02:00.000001Z"),
        ("1969-12-31T23:59:59.9Z", "1969-12-31T23:59:59.9Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_instants_are_read_and_shown_exactly(text, shown):
    assert instants.show(instants.read(text)) == shown


def test_system_times_have_constant_width():
    assert instants.show_milliseconds(instants.read("2026-11-23T17:02:00.25Z")) == "2026-11-23T17:02:00.250Z"
