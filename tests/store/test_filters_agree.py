"""One query, one answer: the filter that MongoDB runs and the test in memory select the same entities."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from broker.store.documents import document
from broker.store.filters import mongo_filter
from broker.store.targets import target_value
from ngsi_ld.entity import Entity
from ngsi_ld.query import (
    EntitySelector,
    Query,
    matches,
    parse_geo_query,
    parse_pattern,
    parse_q,
    parse_scope_q,
    parse_type_selection,
)
from ngsi_ld.query.temporal import parse_instant

NOW = "2026-11-23T17:02:01.250Z"


class Identity:
    """Names that are their own IRIs, with what MongoDB would trip over."""

    def iri(self, name):
        return {"a": "https://example.org/a", "b": "$b.%"}.get(name, name)

    def term(self, iri):
        return iri


NAMES = Identity()

times = st.sampled_from(
    [
        "2026-11-23T17:02:01Z",
        "2026-11-23T17:02:01.0Z",
        "2026-11-23T17:02:01.2Z",
        "2026-11-23T17:02:01.25Z",
        "2026-11-23T17:02:01.250Z",
        "2026-11-23T17:02:01.251Z",
        "2026-11-23T17:02:01.3Z",
        "2026-11-23T17:02:02Z",
        "2026-11-24T00:00:00Z",
    ]
)
canonical_times = times.filter(lambda text: "." not in text or not text[:-1].endswith("0"))
texts = st.sampled_from(["on", "off", "", "On", "é", "zebra", "urn:x:1", "urn:x:2", "x\ny", "2026-11", "a.b", "12"])
dates = st.sampled_from(["2026-11-22", "2026-11-23", "17:02:01Z", "17:02:01.5Z", "17:02:01.50Z"])
numbers = st.sampled_from([0, 1, 2, -1, 1.5, 2.0, 1e300, 2**53 + 1, 2**63, -0.0])
scalars = st.one_of(numbers, texts, times, dates, st.booleans())
typed = st.builds(lambda value: {"@type": "DateTime", "@value": value}, st.one_of(times, dates))
objects = st.dictionaries(
    st.sampled_from(["x", "y", "$in", "a.b", "en"]),
    st.one_of(
        scalars,
        st.none(),
        typed,
        st.lists(scalars, max_size=2),
        st.dictionaries(st.sampled_from(["x", "z"]), st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=2),
        st.lists(st.dictionaries(st.sampled_from(["x", "z"]), scalars, max_size=1), max_size=2),
    ),
    max_size=2,
)
values = st.one_of(
    scalars,
    typed,
    objects,
    st.lists(st.one_of(scalars, typed, objects, st.lists(scalars, max_size=1)), max_size=3),
)
uris = st.sampled_from(["urn:x:1", "urn:x:2", "urn:x:3"])
# Tenths of a degree and some that share an edge's line, so that touching, crossing and meeting all happen.
degrees = st.integers(0, 6).map(lambda tenth: 4 + tenth / 10)
positions = st.tuples(degrees, degrees.map(lambda d: d + 44)).map(list)


def ring(corner):
    (west, south), width, height = corner
    east, north = round(west + width / 10, 6), round(south + height / 10, 6)
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def bow_tie(corner):
    a, b, c, d, _ = ring(corner)
    return [a, c, b, d, a]


corners = st.tuples(positions, st.integers(1, 4), st.integers(1, 4))
geometries = st.one_of(
    positions.map(lambda p: {"type": "Point", "coordinates": p}),
    positions.map(lambda p: {"type": "Point", "coordinates": p}),
    st.lists(positions, min_size=1, max_size=3).map(lambda p: {"type": "MultiPoint", "coordinates": p}),
    st.lists(positions, min_size=2, max_size=3, unique_by=tuple).map(
        lambda p: {"type": "LineString", "coordinates": p}
    ),
    corners.map(lambda c: {"type": "Polygon", "coordinates": [ring(c)]}),
    corners.map(lambda c: {"type": "Polygon", "coordinates": [bow_tie(c)]}),
    corners.map(lambda c: {"type": "MultiPolygon", "coordinates": [[ring(c)], [ring(((9, 48), 1, 1))]]}),
)
kinds = st.one_of(
    values.map(lambda v: {"type": "Property", "value": v}),
    values.map(lambda v: {"type": "Property", "value": v}),
    geometries.map(lambda v: {"type": "GeoProperty", "value": v}),
    st.one_of(uris, st.lists(uris, min_size=1, max_size=2)).map(lambda v: {"type": "Relationship", "object": v}),
    st.dictionaries(
        st.sampled_from(["en", "fr", "@none"]), st.one_of(texts, times, st.lists(texts, max_size=2)), min_size=1
    ).map(lambda v: {"type": "LanguageProperty", "languageMap": v}),
    st.one_of(objects, st.lists(objects, max_size=1), scalars).map(lambda v: {"type": "JsonProperty", "json": v}),
    st.one_of(uris, st.lists(uris, min_size=1, max_size=2)).map(lambda v: {"type": "VocabProperty", "vocab": v}),
    st.lists(st.one_of(scalars, objects), max_size=3).map(lambda v: {"type": "ListProperty", "valueList": v}),
    st.lists(uris, max_size=2).map(
        lambda v: {"type": "ListRelationship", "objectList": [{"object": uri} for uri in v]}
    ),
)


@st.composite
def instances(draw, depth=0):
    made = []
    for dataset in draw(st.lists(st.sampled_from(["", "urn:d:1", "urn:d:2"]), min_size=1, max_size=2, unique=True)):
        instance = dict(draw(kinds)) | {"createdAt": "2026-11-23T17:02:01.200Z", "modifiedAt": NOW}
        if dataset:
            instance["datasetId"] = dataset
        for member, rarity, value in (
            ("observedAt", 2, canonical_times),
            ("expiresAt", 8, canonical_times),
            ("unitCode", 2, st.sampled_from(["CEL", "KEL"])),
        ):
            if draw(st.integers(1, rarity)) == rarity:
                instance[member] = draw(value)
        if depth < 2 and draw(st.booleans()):
            instance["subs"] = {NAMES.iri("b"): draw(instances(depth=depth + 1))}
        made.append(instance)
    return made


@st.composite
def entities(draw):
    names = draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2, unique=True))
    attributes = {NAMES.iri(name): draw(instances()) for name in names}
    if draw(st.booleans()):
        live = draw(st.lists(geometries, min_size=1, max_size=2))
        attributes["location"] = [
            {"type": "GeoProperty", "value": value, "createdAt": NOW, "modifiedAt": NOW}
            | ({"datasetId": f"urn:d:{number}"} if number else {})
            for number, value in enumerate(live)
        ]
    return Entity(
        id="",
        types=draw(st.lists(st.sampled_from(["T", "U", "V"]), min_size=1, max_size=2, unique=True)),
        attributes=attributes,
        scope=draw(st.lists(st.sampled_from(["/A", "/A/B", "/A/B/C", "/A/Bx", "/D/B"]), max_size=2, unique=True)),
        created_at=draw(st.sampled_from(["2026-11-23T17:02:01.200Z", NOW])),
        modified_at=NOW,
        expires_at=draw(st.one_of(st.none(), st.none(), st.none(), canonical_times)),
    )


paths = st.sampled_from(
    ["a", "b", "c", "a.b", "a.b.b", "a.observedAt", "a.unitCode", "a.b.observedAt", "a.type", "a.datasetId"]
    + ["createdAt", "expiresAt"]  # noqa: RUF005
    + ["a[x]", "a[x.z]", "a[y.x]", "a[$in]", "a[en]", "a[*]", "b[fr]", "a.b[x]", "c[@none]"]
)
quoted = texts.map(json.dumps)
comparable = st.one_of(numbers.map(json.dumps), quoted, times, dates, times.map(json.dumps))
same_type = st.one_of(
    st.tuples(numbers.map(json.dumps), numbers.map(json.dumps)),
    st.tuples(quoted, quoted).filter(lambda pair: not any("2026-11-2" in one for one in pair)),
    st.tuples(times, times),
)
patterns = st.sampled_from(["^o", "n$", "^$", "o(n|ff)", "[a-z]{2,}", ".", "^.*:1$", "\\d", "[^o]", "x.y", "zebra|On"])
terms = st.one_of(
    st.tuples(st.sampled_from(["", "", "!"]), paths).map("".join),
    st.tuples(paths, st.sampled_from([">", ">=", "<", "<="]), comparable).map("".join),
    st.tuples(
        paths,
        st.sampled_from(["==", "!="]),
        st.lists(st.one_of(comparable, st.sampled_from(["true", "false"]), uris), min_size=1, max_size=2).map(",".join),
    ).map("".join),
    st.tuples(paths, st.sampled_from(["==", "!="]), same_type.map("..".join)).map("".join),
    st.tuples(paths, st.sampled_from(["~=", "!~="]), patterns.map(lambda p: f'"{p}"')).map("".join),
)
qs = st.recursive(
    terms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(";".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({'|'.join(each)})"),
    ),
    max_leaves=4,
)


SHORT = {"https://example.org/a": "a", "$b.%": "b"}


@st.composite
def aimed(draw, stored):
    """A term whose path is in one of the entities and whose value is, as often as not, the one that is there."""
    iri, instances = draw(st.sampled_from([item for one in stored for item in one.attributes.items()]))
    instance, path = draw(st.sampled_from(instances)), SHORT.get(iri, iri)
    while "subs" in instance and draw(st.booleans()):
        instance, path = draw(st.sampled_from(instance["subs"]["$b.%"])), f"{path}.b"
    places = [(f"{path}.{member}", instance[member]) for member in ("observedAt", "unitCode") if member in instance]
    value = target_value(instance)
    if value is not None:
        places += [(path, value)] * 3
    if isinstance(inner := instance.get("json", instance.get("languageMap", value)), dict):
        places += [(f"{path}[{name}]", item) for name, item in inner.items() if "." not in name] * 3
        if "languageMap" in instance:
            places += [(f"{path}[*]", value)]
    path, value = draw(st.sampled_from(places or [(path, 1)]))
    if isinstance(value, list) and value:
        value = draw(st.sampled_from(value))
    if isinstance(value, dict):
        value = value.get("@value", "on")
    literal = json.dumps(value) if isinstance(value, str | int | float) else "2"
    operator = draw(st.sampled_from(["==", "!=", ">", ">=", "<", "<=", "~=", "!~="]))
    if operator in ("~=", "!~="):
        return f'{path}{operator}"{draw(patterns)}"'
    if literal in ("true", "false"):
        operator = "==" if operator in (">", "<") else "!="
    if operator in ("==", "!=") and literal not in ("true", "false") and draw(st.booleans()):
        ends = draw(same_type.filter(lambda pair: (pair[0][0] == '"') == (literal[0] == '"')))
        if literal[0] != '"':
            return (
                f"{path}{operator}{ends[0]}..{literal}" if re.fullmatch("[-0-9.e+]+", ends[0]) else f"{path}=={literal}"
            )
        if parse_instant(value) is None:
            return f"{path}{operator}{literal}..{ends[1]}"
    return path + operator + literal


geos = st.builds(
    lambda georel, geometry: parse_geo_query(
        NAMES, georel=georel, geometry=geometry["type"], coordinates=geometry["coordinates"]
    ),
    st.one_of(
        st.sampled_from(["within", "contains", "intersects", "overlaps", "equals", "disjoint"]),
        st.tuples(st.sampled_from(["max", "min"]), st.sampled_from([1, 5000, 12000, 30000, 6e6])).map(
            lambda pair: f"near;{pair[0]}Distance=={pair[1]}"
        ),
    ),
    geometries,
)
selectors = st.builds(
    EntitySelector,
    st.one_of(
        st.none(), st.sampled_from(["T", "T|U", "(T;U)", "(T;U),V"]).map(lambda t: parse_type_selection(t, NAMES))
    ),
    st.one_of(st.just(()), st.just(()), st.sampled_from([("urn:e:1",), ("urn:e:1", "urn:e:2", "urn:none")])),
    st.one_of(
        st.none(),
        st.none(),
        st.sampled_from(["[02468]$", "^urn:e:1", "x"]).map(lambda p: parse_pattern(p, "idPattern")),
    ),
)
queries = st.one_of(
    qs.map(lambda text: Query(q=parse_q(text, NAMES))),
    qs.map(lambda text: Query(q=parse_q(text, NAMES))),
    geos.map(lambda geo: Query(geo=geo)),
    st.builds(
        lambda chosen, attributes, scope, q: Query(tuple(chosen), frozenset(attributes), q, scope),
        st.lists(selectors, max_size=2),
        st.lists(st.sampled_from(["a", "c"]).map(NAMES.iri), max_size=2),
        st.one_of(
            st.none(),
            st.sampled_from(["/A", "/A/#", "/A/B/#", "/#", "/+/B", "(/A;/D/B)", "/A/+|/D/#", "/+/B/#,/A"]).map(
                parse_scope_q
            ),
        ),
        st.one_of(st.none(), terms.map(lambda text: parse_q(text, NAMES))),
    ),
)


@pytest.fixture(scope="module")
def collection(mongo_uri):
    with MongoClient(mongo_uri) as client:
        client.drop_database("filters_agree")
        made = client["filters_agree"]["entities"]
        made.create_index([("attrs.location.geo", "2dsphere")])
        made.create_index("attrs.https://example%2Eorg/a.value")
        yield made
        client.drop_database("filters_agree")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(
    stored=st.lists(entities(), min_size=4, max_size=12),
    asked=st.lists(queries, min_size=6, max_size=10),
    data=st.data(),
)
def test_memory_and_mongodb_select_the_same_entities(collection, stored, asked, data):
    asked += [Query(q=parse_q(text, NAMES)) for text in data.draw(st.lists(aimed(stored), min_size=6, max_size=10))]
    stored = [
        Entity(f"urn:e:{number}", e.types, e.attributes, e.scope, e.created_at, e.modified_at, e.expires_at)
        for number, e in enumerate(stored)
    ]
    collection.delete_many({})
    collection.insert_many([document(entity) for entity in stored])

    for query in asked:
        by_memory = {entity.id for entity in stored if matches(query, entity, NOW)}

        answer = mongo_filter(query, NOW)
        found = {one["_id"] for one in collection.find(answer.mongo, {"_id": 1})}
        certain = {one["_id"] for one in collection.find(answer.certain, {"_id": 1})}

        assert found >= by_memory, (query, answer)
        assert certain <= by_memory, (query, answer)
        if answer.doubt is None:
            assert found == by_memory, (query, answer)
