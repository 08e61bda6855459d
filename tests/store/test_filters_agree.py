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
from ngsi_ld.sphere import shape_of
from tests.store.generated_entities import NAMES, NOW, dates, entities, geometries, numbers, texts, times, uris

paths = st.sampled_from(
    [
        *("a", "b", "c", "a.b", "a.b.b", "a.observedAt", "a.unitCode", "a.b.observedAt", "a.type", "a.datasetId"),
        *("createdAt", "expiresAt"),
        *("a[x]", "a[x.z]", "a[y.x]", "a[$in]", "a[en]", "a[*]", "b[fr]", "a.b[x]", "c[@none]"),
    ]
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
    if isinstance(value, list):  # whose items have members, which a path does not reach
        places += [(f"{path}[{name}]", item[name]) for item in value if isinstance(item, dict) for name in item] * 3
        places = [place for place in places if "." not in place[0].partition("[")[2]]
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


relations = st.one_of(
    st.sampled_from(["within", "contains", "intersects", "overlaps", "equals", "disjoint"]),
    st.tuples(st.sampled_from(["max", "min"]), st.sampled_from([1, 5000, 12000, 30000, 6e6])).map(
        lambda pair: f"near;{pair[0]}Distance=={pair[1]}"
    ),
)


def geo_query(georel, geometry):
    return parse_geo_query(NAMES, georel=georel, geometry=geometry["type"], coordinates=geometry["coordinates"])


geos = st.builds(geo_query, relations, geometries)


@st.composite
def aimed_geos(draw, stored):
    """A geo-query whose reference is one of the geometries, or a box about one that it may touch."""
    there = [one["value"] for entity in stored for one in entity.attributes.get("location", ())]
    geometry = draw(st.sampled_from(there) if there else geometries)
    if draw(st.integers(0, 3)):
        west, south, east, north = shape_of(geometry).bounds
        low, high = (round(draw(st.sampled_from([0, 0.1, 0.3])), 1) for _ in range(2))
        west, south, east, north = west - low, south - low, east + high + 0.1, north + high + 0.1
        box = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        geometry = {"type": "Polygon", "coordinates": [box]}
    return geo_query(draw(relations), geometry)


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
        made.create_index([("places.location.geo", "2dsphere")])
        made.create_index("attrs.https://example%2Eorg/a.value")
        yield made
        client.drop_database("filters_agree")


@settings(
    max_examples=80,
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
    asked += [Query(geo=geo) for geo in data.draw(st.lists(aimed_geos(stored), min_size=3, max_size=6))]
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
