"""Templates: from one record to entities, value by value."""

from datetime import UTC, datetime

import jmespath
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from adapters.definition import load
from adapters.errors import DefinitionError, MappingError
from adapters.mapping import Mapper
from adapters.mapping.compiler import compiled
from adapters.mapping.expressions import MappingFunctions
from adapters.mapping.units import UNITS, conversion


@pytest.fixture
def mapper(tmp_path):
    """A mapper of one template: `mapper(attributes={…}, …)`."""

    def make(attributes, entity=None, **definition):
        template = {"id": "urn:x:{name}", "type": "Thing", "attributes": attributes, **(entity or {})}
        file = tmp_path / "test.yaml"
        file.write_text(
            yaml.safe_dump(
                {
                    "source": "file",
                    "broker": {"url": "http://localhost:1026"},
                    "entities": {"thing": template},
                    **definition,
                }
            )
        )
        made = Mapper(load(file, {}))
        made.begin(datetime(2026, 11, 23, tzinfo=UTC))
        return made

    return make


@pytest.fixture
def value(mapper):
    """What an attribute's options make of a value."""

    def of(options, given):
        entities = mapper({"x": {"value": "v", **options}}).entities({"name": "1", "v": given})
        return entities[0]["x"]["value"] if entities else None

    return of


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [
        ({}, "text", "text"),
        ({}, 0, 0),
        ({}, False, False),
        ({}, None, None),
        ({"drop": [-1, 9999999]}, -1, None),
        ({"drop": [-1, 9999999]}, "9999999", None),
        ({"drop": [-1, 9999999]}, 9999999.0, None),
        ({"drop": [-1]}, 1, 1),
        ({"type": "number"}, "13.74", 13.74),
        ({"type": "number"}, " 12 ", 12),
        ({"type": "integer"}, "12.0", 12),
        ({"type": "text"}, 12, "12"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, 0, False),
        ({"type": "time"}, "2026-03-29T08:30:00+02:00", "2026-03-29T06:30:00Z"),
        ({"type": "time"}, "2022-07-18T09:34:15.775023242+00:00", "2022-07-18T09:34:15.775023Z"),
        ({"type": "time"}, 1770000000, "2026-02-02T02:40:00Z"),
        ({"type": "time"}, 1770000000123, "2026-02-02T02:40:00.123Z"),
        ({"from_unit": "KWT", "unit": "WTT"}, 6.21, 6210),
        ({"from_unit": "P1", "unit": "C62"}, "13.74", 0.1374),
        ({"from_unit": "FAH", "unit": "CEL"}, 212, 100),
        ({"from_unit": "MTS", "unit": "KMH"}, 10, 36),
        ({"from_unit": "G42", "unit": "D10"}, 35, 0.0035),
        ({"map": {"freeFlow": False, "congested": True}}, "congested", True),
        ({"map": {True: "defectiveLamp", False: "ok"}}, True, "defectiveLamp"),
        ({"map": {0: "off", 1: "on"}}, 1, "on"),
        ({"bands": {0: "off", 99.999: "low", 100: "on"}}, 0, "off"),
        ({"bands": {0: "off", 99.999: "low", 100: "on"}}, 70, "low"),
        ({"bands": {0: "off", 99.999: "low", 100: "on"}}, 100, "on"),
        ({"digits": 1}, 3.14159, 3.1),
        ({"digits": 0}, 48.0, 48),
    ],
)
def test_values(value, options, given, expected):
    assert value(options, given) == expected


@pytest.mark.parametrize(
    ("options", "given", "reason"),
    [
        ({"type": "number"}, "hot", "'hot' is not a number"),
        ({"type": "number"}, True, "True is not a number"),
        ({"type": "number"}, "nan", "nan is not a number"),
        ({"type": "number"}, [1], "[1] is not a number"),
        ({"type": "integer"}, 1.5, "1.5 is not a whole number"),
        ({"type": "boolean"}, "perhaps", "'perhaps' is not true or false"),
        ({"type": "time"}, "yesterday", "'yesterday' is not a time such as 2026-11-23T17:02:00Z"),
        ({"type": "time"}, "2026-03-02T08:00:00", "says no offset; set time_zone"),
        ({"type": "time"}, "9999-12-31T23:59:59-14:00", "is not a time"),
        ({"type": "time"}, 1e300, "is not a time"),
        ({"range": [0, 100]}, 101, "101 is not between 0 and 100"),
        ({"map": {"a": 1}}, "b", "'b' is not one of a"),
        ({"bands": {100: "on"}}, 101, "101 is above the last band, 100"),
    ],
)
def test_values_that_cannot_be(value, options, given, reason):
    with pytest.raises(MappingError) as error:
        value(options, given)

    assert reason in str(error.value)
    assert str(error.value).startswith("entities.thing.x (v): ")


def test_local_times_have_the_time_zone_of_the_file(mapper):
    made = mapper({"x": {"value": "v", "type": "time"}}, time_zone="Europe/Paris")

    def at(local):
        return made.entities({"name": "1", "v": local})[0]["x"]["value"]

    assert at("2026-07-01T08:00:00") == "2026-07-01T06:00:00Z"
    assert at("2026-12-01T08:00:00") == "2026-12-01T07:00:00Z"
    assert at("2026-10-25T02:30:00") == "2026-10-25T00:30:00Z"  # the clock passes there twice: the first time
    assert at("2026-07-01T08:00:00+00:00") == "2026-07-01T08:00:00Z"


def test_points(mapper):
    made = mapper({"location": {"point": ["lon", "lat"]}})

    assert made.entities({"name": "1", "lon": "4.36", "lat": 48.95})[0]["location"] == {
        "type": "GeoProperty",
        "value": {"type": "Point", "coordinates": [4.36, 48.95]},
    }
    assert made.entities({"name": "1"}) == []
    for lon, lat, reason in ((0, 0, "where nothing is"), (4, 91, "91 is not between -90 and 90"), (4, None, "None is")):
        with pytest.raises(MappingError, match=reason):
            made.entities({"name": "1", "lon": lon, "lat": lat})


def test_relationships_have_an_object_or_are_not_there(mapper):
    made = mapper({"refDevice": {"object": "urn:ngsi-ld:Device:{eui}"}, "n": {"value": "name"}})

    assert made.entities({"name": "1", "eui": "a b"})[0]["refDevice"] == {
        "type": "Relationship",
        "object": "urn:ngsi-ld:Device:a%20b",
    }
    assert "refDevice" not in made.entities({"name": "1"})[0]


def test_several_entities_of_a_record(mapper):
    made = mapper(
        {"n": {"value": "item.n"}, "time": "record.time"},
        {"each": "phases", "id": "urn:x:{record.name}-{item.id}", "when": "item.n"},
    )
    record = {"name": "m", "time": 1, "phases": [{"id": 1, "n": 7}, {"id": 2}, {"id": 3, "n": 0}]}

    assert [entity["id"] for entity in made.entities(record)] == ["urn:x:m-1", "urn:x:m-3"]
    assert made.entities({"name": "m"}) == []


@pytest.mark.parametrize("name", [None, "", True, 1.5, {"a": 1}])
def test_an_id_without_its_part_is_an_error(mapper, name):
    with pytest.raises(MappingError, match=r"entities.thing.id \(name\): has no text or whole number for the id"):
        mapper({"n": {"const": 1}}).entities({"name": name})


def test_lookups(mapper, tmp_path):
    (tmp_path / "sites.csv").write_text("\ufeffid;name;lon\nA1;Foch;4.3\nA2;;\n", encoding="utf-8")
    tables = {"sites": {"file": "sites.csv", "key": "id", "delimiter": ";"}}
    made = mapper({"label": "lookup('sites', name).name", "n": {"const": 1}}, tables=tables)

    assert made.entities({"name": "A1"})[0]["label"]["value"] == "Foch"
    assert "label" not in made.entities({"name": "A2"})[0]
    assert "label" not in made.entities({"name": "A3"})[0]


def test_a_record_that_is_no_object_makes_no_entity(mapper):
    for record in (7, "text", None, []):
        with pytest.raises(MappingError):
            mapper({"n": "name"}).entities(record)


@pytest.mark.parametrize("code", UNITS)
def test_every_unit_becomes_itself_and_those_of_its_quantity(code):
    assert conversion(code, code) == (1, 0)
    for other, unit in UNITS.items():
        there, back = conversion(code, other), conversion(other, code)
        assert (there is None) == (unit.quantity != UNITS[code].quantity)
        if there and back:
            assert (7 * there[0] + there[1]) * back[0] + back[1] == pytest.approx(7)


EXPRESSIONS = [
    "a",
    "a.b.c",
    "a || b",
    "a && b",
    "!a",
    "a == b",
    "a != `1`",
    "a < b",
    "a >= `2`",
    "a[0]",
    "a[-1].b",
    "a[1:3]",
    "a[*].b",
    "a[?b == `1`].c",
    "a[?b].c | [0]",
    "a[].b",
    "a.*",
    "{x: a, y: b.c}",
    "[a, b]",
    "a.{x: b}",
    "@",
    "`[1, 2]`",
    "'text'",
    "length(not_null(a, `[]`))",
    "type(a)",
    "to_string(a)",
    "not_null(a, b)",
    "contains(`[1, 2]`, a)",
    "sort_by(a[?b], &to_string(b))",
]
JSON = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 2.5, "", "1", "text"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from(EXPRESSIONS), st.dictionaries(st.sampled_from("abc"), JSON, max_size=3) | JSON)
def test_the_compiler_and_the_library_agree(text, record):
    functions = MappingFunctions()
    parsed = jmespath.compile(text)

    def outcome(evaluate):
        try:
            return repr(evaluate())
        except Exception as error:
            return type(error).__name__

    ours = outcome(lambda: compiled(parsed.parsed, functions)(record))
    theirs = outcome(lambda: parsed.search(record, jmespath.Options(custom_functions=functions)))

    assert ours == theirs


def test_lambert_93_becomes_longitude_and_latitude(mapper):
    made = mapper({"location": {"point": ["x", "y"], "crs": "EPSG:2154"}})

    def point(x, y):
        return made.entities({"name": "1", "x": x, "y": y})[0]["location"]["value"]["coordinates"]

    assert point("700000", "6600000") == [3.0, 46.5]  # the origin of the projection, by its definition
    assert point(798000.0, 6873000.0) == pytest.approx([4.3369, 48.9488], abs=0.01)
    for x, y in (("1e300", "1"), (0, 0), (6600000, 700000)):
        with pytest.raises(MappingError, match="is not where EPSG:2154 is used"):
            point(x, y)


def test_a_coordinate_system_that_is_none(mapper):
    with pytest.raises(DefinitionError, match="crs: 'EPSG:nothing' is not a coordinate reference system"):
        mapper({"location": {"point": ["x", "y"], "crs": "EPSG:nothing"}})


@pytest.mark.parametrize("options", [{"type": "integer"}, {"digits": 0}])
def test_a_whole_number_that_no_database_holds(mapper, options):
    made = mapper({"n": {"value": "n", **options}})

    assert made.entities({"name": "1", "n": 12.0})[0]["n"]["value"] == 12
    with pytest.raises(MappingError, match="is more than a whole number can be"):
        made.entities({"name": "1", "n": 1e30})
