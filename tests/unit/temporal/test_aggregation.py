"""Aggregation methods (4.5.19): which there are, to what they apply, what they come to."""

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.temporal.aggregation import METHODS, Summary, check_applicable, parse_methods, result

NUMBERS = Summary(count=4, classes=frozenset({"number"}), total=20.0, squares=120.0, low=2, high=8, distinct=4)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("totalCount", 4),
        ("distinctCount", 4),
        ("sum", 20.0),
        ("avg", 5.0),
        ("min", 2),
        ("max", 8),
        ("sumsq", 120.0),
        ("stddev", 5**0.5),
    ],
)
def test_results(method, value):
    assert result(method, NUMBERS) == pytest.approx(value)


def test_methods_come_as_a_text_or_as_a_list():
    assert parse_methods("avg, max,avg") == ("avg", "max")
    assert parse_methods(["avg", "max"]) == ("avg", "max")


@pytest.mark.parametrize("given", ["", "median", "avg,", [], [5], 5, None])
def test_unknown_methods_are_refused_with_those_there_are(given):
    with pytest.raises(NgsiLdError, match=r"aggrMethods.*totalCount") as raised:
        parse_methods(given)

    assert raised.value.type is ErrorType.BAD_REQUEST_DATA


def test_every_method_applies_to_numbers_and_truth_values():
    check_applicable("speed", frozenset({"number", "boolean"}), METHODS)


@pytest.mark.parametrize(
    ("kind", "refused"),
    [("text", "avg"), ("object", "min"), ("target", "max"), ("array", "stddev")],
)
def test_a_method_that_says_nothing_of_the_values_is_an_invalid_request(kind, refused):
    with pytest.raises(NgsiLdError, match=refused) as raised:
        check_applicable("name", frozenset({kind}), ["totalCount", refused])

    assert raised.value.type is ErrorType.INVALID_REQUEST
