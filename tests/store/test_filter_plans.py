"""The filters use the indexes that are there for them: what MongoDB's planner says of each."""

import pytest
from pymongo import MongoClient

from broker.store.documents import document
from broker.store.filters import mongo_filter
from broker.store.indexes import geo_path, value_path
from ngsi_ld.context import CORE
from ngsi_ld.entity import Entity
from ngsi_ld.query import (
    EntitySelector,
    Query,
    parse_geo_query,
    parse_pattern,
    parse_q,
    parse_scope_q,
    parse_type_selection,
)

NOW = "2026-11-23T17:02:01.250Z"
SPEED, NAME, LOCATION = (CORE.iri(name) for name in ("speed", "name", "location"))
COUNT = 3000


@pytest.fixture(scope="module")
def collection(mongo_uri):
    with MongoClient(mongo_uri) as client:
        made = client["filter_plans"]["entities"]
        made.create_index([("types", 1)])
        made.create_index([("scope", 1)])
        made.create_index([(value_path(SPEED), 1)])
        made.create_index([(value_path(NAME), 1)])
        made.create_index([(geo_path(LOCATION), "2dsphere")])
        made.insert_many([document(vehicle(number)) for number in range(COUNT)])
        yield made
        client.drop_database("filter_plans")


def vehicle(number):
    return Entity(
        f"urn:ngsi-ld:Vehicle:{number:05}",
        [CORE.iri(f"Type{number % 100}")],
        {
            SPEED: [{"type": "Property", "value": number}],
            NAME: [{"type": "LanguageProperty", "languageMap": {"fr": f"Auto {number:05}"}}],
            LOCATION: [
                {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4 + number / 10_000, 48.95]}}
            ],
        },
        [f"/Zone{number % 50}/Rue"],
    )


def q(text):
    return Query(q=parse_q(text, CORE))


def geo(georel, geometry, coordinates):
    return Query(geo=parse_geo_query(CORE, georel=georel, geometry=geometry, coordinates=coordinates))


SQUARE = [[[4.1, 48.9], [4.11, 48.9], [4.11, 49], [4.1, 49], [4.1, 48.9]]]

# each query with the number of its answers and how many documents MongoDB may read to find them
PLANS = {
    "type": (Query((EntitySelector(parse_type_selection("Type7,Type8", CORE)),)), 60, 60),
    "id": (Query((EntitySelector(ids=("urn:ngsi-ld:Vehicle:00042",)),)), 1, 1),
    "idPattern": (Query((EntitySelector(id_pattern=parse_pattern("^urn:ngsi-ld:Vehicle:0004", "idPattern")),)), 10, 10),
    "scope": (Query(scope_q=parse_scope_q("/Zone7/Rue")), 60, 60),
    "scope and below": (Query(scope_q=parse_scope_q("/Zone7/#")), 60, 60),
    "q number": (q("speed>2989"), 10, 10),
    "q equal": (q("speed==42"), 1, 1),
    "q range": (q("speed==40..49"), 10, 10),
    "q list": (q("speed==1,2,3"), 3, 3),
    "q and": (q("speed>10;speed<14"), 3, 30),
    "q or": (q('speed==1|name=="Auto 00002"'), 2, 4),
    "q text of any language": (q('name=="Auto 00042"'), 1, 1),
    "q text order": (q('name>="Auto 02990"'), 10, 10),
    "near": (geo("near;maxDistance==50", "Point", [4.1, 48.95]), 13, 60),
    "within": (geo("within", "Polygon", SQUARE), 99, 300),
    "intersects": (geo("intersects", "Polygon", SQUARE), 101, 300),
}


@pytest.mark.parametrize("name", PLANS)
def test_an_index_is_used(collection, name):
    query, answers, most_read = PLANS[name]
    condition = mongo_filter(query, NOW).certain

    plan = collection.database.command(
        "explain", {"find": collection.name, "filter": condition}, verbosity="executionStats"
    )

    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
    assert plan["executionStats"]["totalDocsExamined"] <= most_read
    assert abs(collection.count_documents(condition) - answers) <= 2
