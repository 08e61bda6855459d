"""The query language: text to tree (GS CIM 009 v1.9.1, 4.9)."""

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query import Limits, parse_pattern, parse_q
from ngsi_ld.query.paths import LinkedPath, Path
from ngsi_ld.query.q import And, Equal, Exists, Match, Or, Order, Within
from ngsi_ld.query.temporal import Instant


def path(*names, member=None, inside=()):
    return Path(tuple(f"https://example.org/{name}" for name in names), member, inside)


EXAMPLES = {
    "temperature": Exists(path("temperature")),
    "temperature==20": Equal(path("temperature"), (20,)),
    'brandName!="Mercedes"': Equal(path("brandName"), ("Mercedes",), negated=True),
    'isParked=="urn:ngsi-ld:OffStreetParking:Downtown1"': Equal(
        path("isParked"), ("urn:ngsi-ld:OffStreetParking:Downtown1",)
    ),
    'speed>50;brandName!="Mercedes"': And(
        (Order(path("speed"), ">", 50), Equal(path("brandName"), ("Mercedes",), negated=True))
    ),
    'speed>50|rpm>3000;brandName=="Mercedes"': Or(
        (
            Order(path("speed"), ">", 50),
            And((Order(path("rpm"), ">", 3000), Equal(path("brandName"), ("Mercedes",)))),
        )
    ),
    '((speed>50|rpm>3000);brandName=="Mercedes")': And(
        (
            Or((Order(path("speed"), ">", 50), Order(path("rpm"), ">", 3000))),
            Equal(path("brandName"), ("Mercedes",)),
        )
    ),
    "(temperature>=20;temperature<=25)|capacity<=10": Or(
        (
            And((Order(path("temperature"), ">=", 20), Order(path("temperature"), "<=", 25))),
            Order(path("capacity"), "<=", 10),
        )
    ),
    "temperature.observedAt>=2017-12-24T12:00:00Z": Order(
        path("temperature", member="observedAt"), ">=", Instant("DateTime", "2017-12-24T12:00:00", "")
    ),
    'address[city]=="Berlin"': Equal(path("address", inside=("city",)), ("Berlin",)),
    "sensor.rawdata[airquality.particulate]==40": Equal(
        path("sensor", "rawdata", inside=("airquality", "particulate")), (40,)
    ),
    'parkingTickets[value]=="Overstay 60 minutes"': Equal(
        path("parkingTickets", inside=("value",)), ("Overstay 60 minutes",)
    ),
    "sensor{humidity}==40": Equal(LinkedPath("https://example.org/sensor", (), path("humidity")), (40,)),
    "sensor{Device:humidity}==40": Equal(
        LinkedPath("https://example.org/sensor", ("https://example.org/Device",), path("humidity")), (40,)
    ),
    "a{T,U:b{c}}": Exists(
        LinkedPath(
            "https://example.org/a",
            ("https://example.org/T", "https://example.org/U"),
            LinkedPath("https://example.org/b", (), path("c")),
        )
    ),
    'color=="black", "red"': Equal(path("color"), ("black", "red")),
    "temperature==10..20": Within(path("temperature"), 10, 20),
    "temperature!=1.5..2e3": Within(path("temperature"), 1.5, 2000.0, negated=True),
    'color[*]!="red"': Equal(path("color", inside=("*",)), ("red",), negated=True),
    'color[en-GB]=="red"': Equal(path("color", inside=("en-GB",)), ("red",)),
    "almostFull==false": Equal(path("almostFull"), (False,)),
    "flags==true,false": Equal(path("flags"), (True, False)),
    "locatedIn==urn:ngsi-ld:City:Pisa|x": Or((Equal(path("locatedIn"), ("urn:ngsi-ld:City:Pisa",)), Exists(path("x")))),
    'modifiedAt>"2020-01-01T00:00:00Z"': Order(
        Path((), "modifiedAt"), ">", Instant("DateTime", "2020-01-01T00:00:00", "")
    ),
    "day==2020-01-01..2020-02-01": Within(
        path("day"), Instant("Date", "2020-01-01", ""), Instant("Date", "2020-02-01", "")
    ),
    "opens<12:00:00,50Z": Order(path("opens"), "<", Instant("Time", "12:00:00", "5")),
    "!heading;speed>25": And((Exists(path("heading"), negated=True), Order(path("speed"), ">", 25))),
    "https://vocab.org/a.b#c==1": Equal(Path(("https://vocab.org/a.b#c",)), (1,)),
    'name=="a;b|c(d)\\"\\u00e9"': Equal(path("name"), ('a;b|c(d)"é',)),
    'name!~="^Eif.*"': Match(path("name"), parse_pattern("^Eif.*", "q"), negated=True),
    "name~=^(a|b);c": And((Match(path("name"), parse_pattern("^(a|b)", "q")), Exists(path("c")))),
    'name~="\\d+"': Match(path("name"), parse_pattern("\\d+", "q")),
    "n==18446744073709551615": Equal(path("n"), (18446744073709551615,)),
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_what_the_grammar_allows(names, text):
    assert parse_q(text, names) == EXAMPLES[text]


REFUSED = {
    "": "the name of an attribute",
    "x==": "a value",
    "x=1": "an operator",
    "5x": "the name of an attribute",
    "x;;y": "the name of an attribute",
    "x|": "the name of an attribute",
    "(x": ") to close the group",
    "x)": "an operator",
    "x y": "an operator",
    "a..b": "an operator",
    "x>4..5": "a range or a list goes with == or !=",
    "x>1,2": "a range or a list goes with == or !=",
    "x>true": "a number, a date-time or a text",
    "managedBy>urn:a": "a number, a date-time or a text",
    'x==1.."a"': "a range of two numbers",
    "x==1..": "a value",
    "x==1e400": "a number that is not beyond",
    'x=="a': 'a closing "',
    'x=="\\q"': "a text as JSON writes it",
    "x=='a'": 'a text in "double" quotes',
    "x[a": "] to close",
    "x[]": "the name of a member",
    "x.observedAt[a]": "no [] after observedAt",
    "x{a": "} to close",
    "a.b{c}": "the name of a Relationship alone",
    "!a{b}": "an attribute of the entity itself",
    "x~=": "a regular expression",
    'x~="(a+)+"': "must not hold another repetition",
    "x==1 2": "an operator",
    "\ud800": "not valid UTF-8",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_it_refuses_and_what_it_says(names, text):
    with pytest.raises(NgsiLdError) as refused:
        parse_q(text, names)

    assert refused.value.type is ErrorType.BAD_REQUEST_DATA
    assert REFUSED[text] in refused.value.detail


def test_an_error_says_where(names):
    with pytest.raises(NgsiLdError, match=r"csf is wrong at character 10 after 'speed>50;': expected .*, found '>3'"):
        parse_q("speed>50;>3", names, parameter="csf")


def test_limits(names):
    limits = Limits(length=100, depth=3, terms=5, pattern=8)

    assert parse_q("(((a)))", names, limits=limits) == Exists(path("a"))
    for text, problem in {
        "a" * 101: "101 characters",
        "((((a))))": "3 levels",
        "a;b;c;d;e;f": "5 terms",
        "a==1,2,3,4,5,6": "5 values",
        'a~="123456789"': "8 characters",
    }.items():
        with pytest.raises(NgsiLdError, match=problem):
            parse_q(text, names, limits=limits)


def test_deep_and_long_input_is_refused_at_once(names):
    for text in ("(" * 16000, "a{" * 8000, "a[" + "b." * 8000, "!" * 16000, "a==" + "1," * 8000):
        with pytest.raises(NgsiLdError):
            parse_q(text, names)


def test_expand_values_makes_names_of_texts(names):
    expanded = ("https://example.org/Male",)

    assert parse_q("gender==Male", names, expand_values=frozenset({"gender"})) == Equal(path("gender"), expanded)
    assert parse_q('gender=="Male"', names, expand_values=frozenset({"gender"})) == Equal(path("gender"), expanded)
    assert parse_q("gender==Male", names) == Equal(path("gender"), ("Male",))
    assert parse_q("a.objectType==Male", names) == Equal(path("a", member="objectType"), expanded)


def test_names_are_those_of_the_context(core):
    assert parse_q("location", core) == Exists(Path(("https://uri.etsi.org/ngsi-ld/location",)))
    assert parse_q("speed", core) == Exists(Path(("https://uri.etsi.org/ngsi-ld/default-context/speed",)))
