"""The setting `retention`: its rules, which one decides, and errors for people."""

import pytest

from broker.history.retention import Rule, borders, parse_retention
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.durations import Duration, before, parse_duration

CAMERA = "https://uri.etsi.org/ngsi-ld/default-context/Camera"


def test_the_rule_that_names_most_comes_first():
    rules = parse_retention("P2Y; type=Camera P30D; tenant=chalons attribute=noise P90D; tenant=chalons P1Y;")

    assert [rule.duration for rule in rules] == [
        Duration(days=90),
        Duration(days=30),
        Duration(months=12),
        Duration(months=24),
    ]
    assert rules[1] == Rule(Duration(days=30), type=CAMERA)
    assert rules[0].attribute == "https://uri%2Eetsi%2Eorg/ngsi-ld/default-context/noise"


def test_no_rules():
    assert parse_retention("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "2Y",
        "type=Camera",
        "typ=Camera P1D",
        "type= P1D",
        "P0D",
        "Camera P1D",
        "type=A type=B P1D",
        "P2Y hourly",
        "P2Y weekly P3Y",
        "P2Y daily P1Y",
        "P1Y daily P3Y hourly P4Y",
    ],
)
def test_what_is_no_rule_is_named(text):
    with pytest.raises(ValueError, match="retention"):
        parse_retention(text)


def test_a_year_before_is_the_same_day_of_the_calendar():
    now = instants.read("2026-11-23T12:00:00Z")

    assert instants.show(before(now, parse_duration("P1Y", "it"))) == "2025-11-23T12:00:00Z"
    assert instants.show(before(now, parse_duration("P1M", "it"))) == "2026-10-23T12:00:00Z"
    assert instants.show(before(now, parse_duration("P1W", "it"))) == "2026-11-16T12:00:00Z"


def test_sums_are_kept_longer():
    (rule,) = parse_retention("type=Camera P1Y daily P12Y hourly P5Y")

    assert rule == Rule(Duration(12), type=CAMERA, hourly=Duration(60), daily=Duration(144))
    limits = borders(rule, instants.read("2026-11-23T12:00:00Z"))
    days = [instants.show(day * instants.DAY)[:10] for day in (limits.values, limits.hourly, limits.daily)]
    assert days == ["2025-11-23", "2021-11-23", "2014-11-23"]
