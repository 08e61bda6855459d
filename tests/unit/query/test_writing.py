"""What is written of a query is read back as the same query: `parse(write(tree)) == tree`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ngsi_ld.context import CORE, compile_context
from ngsi_ld.query.geo import parse_geo_query
from ngsi_ld.query.paths import LinkedPath, Path
from ngsi_ld.query.patterns import parse_pattern
from ngsi_ld.query.q import And, Equal, Exists, Match, Or, Order, Within, parse_q
from ngsi_ld.query.scope_q import ScopePattern, ScopeQuery, parse_scope_q
from ngsi_ld.query.temporal import parse_instant
from ngsi_ld.query.type_selection import TypeSelection, parse_type_selection
from ngsi_ld.query.writing import Unwritable, written_geo, written_q, written_scope_q, written_types

OURS = compile_context({"speed": "https://ours.example/v#speed", "city": "https://ours.example/city"}, {})
THEIRS = compile_context({"vitesse": "https://ours.example/v#speed", "ex": "https://ours.example/"}, {})

IRIS = st.sampled_from(
    [
        "https://ours.example/v#speed",
        "https://ours.example/city",
        "https://uri.etsi.org/ngsi-ld/default-context/brandName",
        "https://uri.etsi.org/ngsi-ld/location",
        "urn:example:level",
    ]
)
NAMES = st.sampled_from(["https://ours.example/v#speed", "https://uri.etsi.org/ngsi-ld/default-context/brandName"])
PATHS = st.one_of(
    st.builds(Path, st.tuples(IRIS)),
    st.builds(Path, st.tuples(NAMES, NAMES), st.sampled_from([None, "observedAt", "unitCode"])),
    st.builds(Path, st.just(()), st.sampled_from(["createdAt", "modifiedAt"])),
    st.builds(lambda name: Path((name,), None, ("geo", "city")), IRIS),
    st.builds(lambda link, path: LinkedPath(link, (), Path((path,))), NAMES, NAMES),
)
INSTANTS = st.sampled_from(["2026-11-23T17:02:00.25Z", "2026-11-23T17:02:00Z", "2026-11-23", "17:02:00Z"])
NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda text: parse_instant(text) is None)
VALUES = st.one_of(NUMBERS, TEXTS, INSTANTS.map(parse_instant))
PATTERNS = st.sampled_from(["^Mer.*", 'a "b"', "(a|b);c", "[;|]x", r"\d+", " "])
OWN_PATHS = PATHS.filter(lambda path: not isinstance(path, LinkedPath))
TERMS = st.one_of(
    st.builds(Exists, OWN_PATHS, st.booleans()),
    st.builds(Exists, PATHS),
    st.builds(
        Equal,
        PATHS,
        st.lists(st.one_of(VALUES, st.booleans()), min_size=1, max_size=3).map(tuple),
        st.booleans(),
    ),
    st.builds(Within, PATHS, st.integers(0, 9), st.integers(10, 99), st.booleans()),
    st.builds(Order, PATHS, st.sampled_from([">", ">=", "<", "<="]), VALUES),
    st.builds(Match, PATHS, PATTERNS.map(lambda text: parse_pattern(text, "q")), st.booleans()),
)
CONDITIONS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(CONDITIONS, st.sampled_from([OURS, THEIRS, CORE]))
def test_q_is_read_back_in_the_names_of_any_context(condition, names):
    try:
        text = written_q(condition, names)
    except Unwritable:
        return

    # 1 and 1.0 and True are equal in Python, and are not the same here.
    assert repr(parse_q(text, names)) == repr(condition)


def test_what_q_cannot_name_is_not_written():
    with pytest.raises(Unwritable):
        written_q(Exists(Path(("ftp://ours.example/speed",))), CORE)
    with pytest.raises(Unwritable):
        written_q(Exists(Path(("https://other.example/a", "https://other.example/b"))), CORE)


def test_names_are_those_of_the_reader():
    condition = parse_q('speed>50;(city=="Reims"|city=="Châlons")', OURS)

    assert written_q(condition, OURS) == 'speed>50;(city=="Reims"|city=="Châlons")'
    assert written_q(condition, THEIRS) == 'vitesse>50;(ex:city=="Reims"|ex:city=="Châlons")'


@given(st.lists(st.frozensets(IRIS, min_size=1, max_size=3), min_size=1, max_size=4, unique=True))
def test_type_selections_are_read_back(alternatives):
    selection = TypeSelection(tuple(alternatives))

    assert parse_type_selection(written_types(selection, OURS), OURS) == selection


LEVELS = st.lists(st.sampled_from(["Madrid", "+", "Gardens"]), min_size=1, max_size=3).map(tuple)
SCOPES = st.one_of(st.builds(ScopePattern, LEVELS, st.booleans()), st.just(ScopePattern((), True)))


@given(st.lists(st.lists(SCOPES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3).map(tuple))
def test_scope_queries_are_read_back(alternatives):
    query = ScopeQuery(alternatives)

    assert parse_scope_q(written_scope_q(query)) == query


@pytest.mark.parametrize("georel", ["near;maxDistance==2000", "near;minDistance==0.5", "within", "disjoint"])
@pytest.mark.parametrize("geoproperty", [None, "city"])
def test_geo_queries_are_read_back(georel, geoproperty):
    query = parse_geo_query(
        OURS,
        georel=georel,
        geometry="Polygon",
        coordinates="[[[8,40],[9,40],[9,41],[8,40]]]",
        geoproperty=geoproperty,
    )

    assert parse_geo_query(THEIRS, **{"geoproperty": None, **dict(written_geo(query, THEIRS))}) == query
