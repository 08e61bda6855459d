"""The attribute projection language of pick, omit and attrs (GS CIM 009 v1.9.1, 4.21)."""

import pytest

from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import Projection, parse_attrs, parse_projection

TEMPERATURE, HUMIDITY, OBSERVATION = (
    f"https://example.org/{name}" for name in ("temperature", "humidity", "observation")
)


def test_examples(names):
    assert parse_projection("temperature", names, "pick") == Projection({TEMPERATURE: None})
    assert parse_projection("temperature,humidity", names, "pick") == Projection({TEMPERATURE: None, HUMIDITY: None})
    assert parse_projection("temperature|humidity", names, "pick") == Projection({TEMPERATURE: None, HUMIDITY: None})
    assert parse_projection("observation{temperature,humidity}", names, "pick") == Projection(
        {OBSERVATION: Projection({TEMPERATURE: None, HUMIDITY: None})}
    )


def test_members_arrays_and_depth(names):
    assert parse_projection(["id", "type", "humidity"], names, "pick") == Projection(
        {"id": None, "type": None, HUMIDITY: None}
    )
    assert parse_projection("a{b{c}},d{e}", names, "pick").depth == 2
    assert parse_projection("a", names, "pick").depth == 0
    assert parse_projection("observation{humidity}", names, "pick").linked(OBSERVATION) == Projection({HUMIDITY: None})
    assert parse_attrs("temperature,humidity", names) == {TEMPERATURE, HUMIDITY}


@pytest.mark.parametrize(
    "text", ["", "a,", ",a", "a,,b", "a{", "a{}", "a}", "a{b}c", "a b", "a,a", "a{b,b}", "-a", "a.b", "a{" * 40]
)
def test_bad(names, text):
    with pytest.raises(NgsiLdError, match="omit"):
        parse_projection(text, names, "omit")


def test_attrs_have_no_braces(names):
    with pytest.raises(NgsiLdError, match="without braces for linked entities"):
        parse_attrs("a{b}", names)
