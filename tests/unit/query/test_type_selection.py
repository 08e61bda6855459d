"""The entity type selection language (GS CIM 009 v1.9.1, 4.17)."""

import pytest

from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import parse_type_selection


def test_any_of(names):
    for text in (
        "Building|House",
        "Building,House",
        " Building , House ",
        "(Building|House)",
        "Tower|(Building,House)",
    ):
        selection = parse_type_selection(text, names)

        assert selection.selects(["https://example.org/House", "https://example.org/Other"])
        assert not selection.selects(["https://example.org/Other"])


def test_all_of(names):
    selection = parse_type_selection("(Home;Vehicle)", names)

    assert selection.selects(["https://example.org/Vehicle", "https://example.org/Home"])
    assert not selection.selects(["https://example.org/Home"])


def test_all_of_or_one(names):
    for text in ("(Home;Vehicle)|Motorhome", "(Home;Vehicle),Motorhome"):
        selection = parse_type_selection(text, names)

        assert selection.selects(["https://example.org/Motorhome"])
        assert selection.selects(["https://example.org/Vehicle", "https://example.org/Home"])
        assert not selection.selects(["https://example.org/Vehicle"])


def test_iris_and_any(names):
    assert parse_type_selection("https://a.org/b#T", names).selects(["https://a.org/b#T"])
    assert parse_type_selection("*", names) is None


@pytest.mark.parametrize(
    "text", ["", "A;B", "(A;B", "A|", "|A", "()", "((A;B))", "A B", "A-B", "(A|B;C)", "(A;B|C)", "A)", "$x", "5A"]
)
def test_bad(names, text):
    with pytest.raises(NgsiLdError, match="type"):
        parse_type_selection(text, names)
