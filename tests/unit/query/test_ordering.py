"""The entity ordering language (GS CIM 009 v1.9.1, 4.23) and the order of types."""

import pytest

from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import OrderTerm, parse_order_by
from ngsi_ld.query.paths import Path
from ngsi_ld.query.sorting import sort_key

NAME, AGE = Path(("https://example.org/name",)), Path(("https://example.org/age",))

EXAMPLES = {
    "name": (OrderTerm(NAME),),
    "name,age": (OrderTerm(NAME), OrderTerm(AGE)),
    "name,age;desc": (OrderTerm(NAME), OrderTerm(AGE, descending=True)),
    "address[city]": (OrderTerm(Path(("https://example.org/address",), inside=("city",))),),
    "name.observedAt": (OrderTerm(Path(("https://example.org/name",), "observedAt")),),
    "type;asc,id;desc": (OrderTerm(Path((), "type")), OrderTerm(Path((), "id"), descending=True)),
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples(names, text):
    assert parse_order_by(text, names).terms == EXAMPLES[text]


def test_collation_and_distance(names):
    assert parse_order_by("name", names, collation="de-u-co-phonebk").collation == "de-u-co-phonebk"
    by_road = parse_order_by(["location;dist-desc"], names, order_from="[[8,40],[9,42]]", order_geometry="LineString")
    assert by_road.terms == (OrderTerm(Path(("https://example.org/location",)), descending=True, by_distance=True),)
    assert by_road.origin == {"type": "LineString", "coordinates": [[8, 40], [9, 42]]}


@pytest.mark.parametrize(
    ("text", "more", "problem"),
    [
        ("", {}, "the name of an attribute"),
        ("name;up", {}, "one of asc, desc, dist-asc, dist-desc"),
        ("name,", {}, "the name of an attribute"),
        ("name desc", {}, "; and a direction"),
        ("a{b}", {}, "not of a linked one"),
        ("location;dist-asc", {}, "needs orderFrom"),
        ("location;dist-asc", {"order_from": "[8"}, "orderFrom"),
        ("location;dist-asc", {"order_from": "[8,400]"}, "orderFrom"),
        ("location;dist-asc", {"order_from": [8, 40], "order_geometry": "Circle"}, "Circle"),
        ("name", {"collation": "!!nope"}, "collation"),
    ],
)
def test_bad(names, text, more, problem):
    with pytest.raises(NgsiLdError, match=problem):
        parse_order_by(text, names, **more)


def test_types_in_the_order_of_the_standard(names, now):
    values = [2, 10, "10", "a", {"x": 1}, [1], False, True, "10:00:00Z", "2026-01-01", "2026-01-01T00:00:00Z"]
    stored = [
        Entity(f"urn:{number}", ["T"], {"https://example.org/name": [{"type": "Property", "value": value}]})
        for number, value in enumerate(values)
    ]
    without = Entity("urn:-", ["T"])

    ascending = sorted([without, *reversed(stored)], key=sort_key(parse_order_by("name", names), now))
    descending = sorted([without, *stored], key=sort_key(parse_order_by("name;desc", names), now))

    assert ascending == [*stored, without]
    assert descending == [*reversed(stored), without]
