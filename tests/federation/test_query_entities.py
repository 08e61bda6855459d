"""Query Entities over this broker and its context sources (GS CIM 009 v1.9.1, 5.7.2): pages and counts are exact."""

import random
import re

import pytest
from aiohttp import web

from tests.federation.conftest import vehicle


def ids(answer):
    return [one["id"].rpartition(":")[2] for one in answer.json]


async def every_page(client, limit, **parameters):
    """The ids as a client gets them that follows the links, and the counts that it is told."""
    path, found, counts = "/entities", [], []
    rest = {"limit": str(limit), **parameters}
    while path:
        answer = await client.get(path, **rest)
        assert answer.status == 200, answer.body
        assert len(answer.json) <= limit
        found += ids(answer)
        if "NGSILD-Results-Count" in answer.headers:
            counts.append(int(answer.headers["NGSILD-Results-Count"]))
        following = [link for link in answer.headers.getall("Link", []) if 'rel="next"' in link]
        path = re.search("<(.*?)>", following[0])[1].removeprefix("/ngsi-ld/v1") if following else None
        rest = {}
    return found, counts


@pytest.fixture
async def spread(tenant, register):
    """A front and three sources with a hundred entities, many of them at several places; one source is an old one."""
    front, *sources = [await tenant(name) for name in ("front", "one", "two", "old")]
    chance = random.Random(1)
    places = [front, *sources]
    bodies = {place.tenant: [] for place in places}
    for number in range(100):
        for place in chance.sample(places, chance.choice([1, 1, 2, 3])):
            bodies[place.tenant].append(vehicle(f"{number:03}", speed=number, place=place.tenant))
    for place in places:
        assert (await place.post("/entityOperations/create", bodies[place.tenant])).status == 201
    for source in sources:
        await register(front, source, current=source is not sources[-1])
    return front


@pytest.mark.parametrize("limit", [1, 7, 50, 100, 1000])
async def test_pages_have_every_entity_once_and_counts_are_exact(spread, limit):
    found, counts = await every_page(spread, limit, type="Vehicle", count="true")

    assert found == [f"{number:03}" for number in range(100)]
    assert set(counts) == {100}


async def test_any_offset_is_exact(spread):
    for offset in (0, 1, 10, 49, 99, 100, 500):
        answer = await spread.get("/entities", type="Vehicle", limit="10", offset=str(offset))

        assert ids(answer) == [f"{number:03}" for number in range(offset, min(offset + 10, 100))]


async def test_a_count_alone_is_exact(spread):
    answer = await spread.get("/entities", type="Vehicle", limit="0", count="true")

    assert (answer.json, answer.headers["NGSILD-Results-Count"]) == ([], "100")


async def test_filters_hold_everywhere(spread):
    found, counts = await every_page(spread, 5, type="Vehicle", q="speed>=20;speed<40", count="true")

    assert found == [f"{number:03}" for number in range(20, 40)]
    assert set(counts) == {20}


async def test_split_entities_are_tested_when_they_are_together(tenant, register):
    front, one, two = [await tenant(name) for name in ("front", "one", "two")]
    await front.post("/entities", vehicle(1, speed=10))
    await one.post("/entities", vehicle(1, level=5))
    await two.post("/entities", vehicle(1, colour="red"))
    await two.post("/entities", vehicle(2, colour="red", speed=10))
    for source in (one, two):
        await register(front, source)
    condition = 'speed==10;level==5;colour=="red"'

    apart = await front.get("/entities", type="Vehicle", q=condition)
    together = await front.get("/entities", type="Vehicle", q=condition, splitEntities="true", options="keyValues")
    counted = await front.get("/entities", type="Vehicle", q=condition, splitEntities="true", count="true", limit="0")

    assert apart.json == []
    assert together.json == [vehicle(1) | {"speed": 10, "level": 5, "colour": "red"}]
    assert counted.headers["NGSILD-Results-Count"] == "1"


async def test_conditions_reach_over_links_to_other_brokers(tenant, register):
    front, one, two = [await tenant(name) for name in ("front", "one", "two")]
    for number, place in ((1, front), (2, one)):
        parked = {"type": "Relationship", "object": f"urn:ngsi-ld:Parking:{number}"}
        await place.post("/entities", vehicle(number, parked=parked))
    await two.post("/entities", {"id": "urn:ngsi-ld:Parking:1", "type": "Parking", "places": {"value": 9}})
    await two.post("/entities", {"id": "urn:ngsi-ld:Parking:2", "type": "Parking", "places": {"value": 2}})
    await register(front, one)
    await register(front, two, [{"entities": [{"type": "Parking"}]}])

    answer = await front.get("/entities", type="Vehicle", q="parked{places}>5", join="flat")

    assert ids(answer) == ["1", "1"]


async def test_order_is_by_id_and_no_other(spread):
    by_id = await spread.get("/entities", type="Vehicle", orderBy="id", limit="3")
    other = await spread.get("/entities", type="Vehicle", orderBy="speed")
    here = await spread.get("/entities", type="Vehicle", orderBy="speed", local="true")

    assert ids(by_id) == ["000", "001", "002"]
    assert other.status == 400
    assert "local=true" in other.json["detail"]
    assert here.status == 200


async def test_only_sources_that_csf_selects_are_asked(tenant, register):
    front, one, two = [await tenant(name) for name in ("front", "one", "two")]
    await one.post("/entities", vehicle(1))
    await two.post("/entities", vehicle(2))
    await register(front, one, registrationName="one")
    await register(front, two, registrationName="two")

    answer = await front.get("/entities", type="Vehicle", csf='registrationName=="two"')

    assert ids(answer) == ["2"]


async def test_features_are_made_of_all_parts(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.36, 48.95]}}
    await front.post("/entities", vehicle(1, speed=1))
    await source.post("/entities", vehicle(1, location=place))
    await register(front, source)
    headers = {"Accept": "application/geo+json"}

    answer = await front.get("/entities", type="Vehicle", headers=headers)

    (feature,) = answer.json["features"]
    assert feature["geometry"] == place["value"]
    assert feature["properties"]["speed"]["value"] == 1


async def test_what_has_no_registration_stays_in_order_of_creation(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    for number in (3, 1, 2):
        await front.post("/entities", vehicle(number))
    await register(front, source, [{"entities": [{"type": "Bike"}]}])

    found, _ = await every_page(front, 1, type="Vehicle")

    assert found == ["3", "1", "2"]


async def test_types_and_attributes_are_those_of_all(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await front.post("/entities", vehicle(1, speed=1))
    await source.post("/entities", vehicle(2, speed=1, level=2))
    await source.post("/entities", {"id": "urn:ngsi-ld:Bike:1", "type": "Bike", "wheels": {"value": 2}})
    await register(front, source)

    types = await front.get("/types")
    details = await front.get("/types", details="true")
    info = await front.get("/types/Vehicle")
    attributes = await front.get("/attributes")
    attribute = await front.get("/attributes/level")

    assert types.json["typeList"] == ["Vehicle"]
    assert [one["attributeNames"] for one in details.json] == [["level", "speed"]]
    assert info.json["entityCount"] == 2
    assert [one["attributeName"] for one in info.json["attributeDetails"]] == ["level", "speed"]
    assert set(attributes.json["attributeList"]) >= {"level", "speed"}
    assert attribute.json["attributeCount"] == 1


async def test_pages_have_no_gaps_while_a_source_is_written_to(tenant, register, server):
    """What is there all the time is on some page, though others come and go before our place."""
    here = [f"{number:03}" for number in range(0, 60, 2)]
    asked = 0

    async def answer(request):
        nonlocal asked
        asked += 1
        # Entities come before our place, and are gone some requests later.
        now = sorted([*here, *([f"{number:03}" for number in range(1, 7, 2)] if asked % 6 > 2 else [])])
        offset, limit = int(request.query.get("offset", 0)), min(int(request.query["limit"]), 4)
        page = now[offset : offset + limit]
        headers = {"Link": '</ngsi-ld/v1/entities?offset=1>; rel="next"'} if offset + limit < len(now) else {}
        return web.json_response([vehicle(number) for number in page], headers=headers)

    front = await tenant("front")
    await register(front, await server(answer), contextSourceInfo=[{"key": "ngsildConformance", "value": "1.9"}])

    found = ids(await front.get("/entities", type="Vehicle", limit="100"))

    assert found == sorted(set(found))
    assert set(here) <= set(found)


async def test_every_type_is_asked_for_here_only(spread):
    local = await spread.get("/entities", type="*", q="speed>=0", count="true", limit="1000")
    body = {"type": "Query", "entities": [{"type": "*"}], "q": "speed>=0"}
    by_body = await spread.post("/entityOperations/query", body, limit="1000")

    assert {one["place"]["value"] for one in local.json} == {spread.tenant}
    assert by_body.json == local.json


@pytest.mark.parametrize("operation", ["queryEntity", "queryBatch"])
@pytest.mark.parametrize("current", [True, False])
async def test_attributes_that_are_registered_select_and_are_shown(tenant, register, operation, current):
    front, source = await tenant("front"), await tenant("source")
    bodies = [vehicle(number, **({"speed": number} if number % 2 else {}), level=1) for number in range(10, 40)]
    await source.post("/entityOperations/create", bodies)
    await front.post("/entityOperations/create", [vehicle(number, colour="red") for number in range(11, 20)])
    registered = [
        {"entities": [{"type": "Vehicle", "idPattern": "^urn:ngsi-ld:Vehicle:[12]"}], "propertyNames": ["speed"]}
    ]
    await register(front, source, registered, operations=[operation], current=current)

    found, counts = await every_page(front, 4, type="Vehicle", count="true")
    deep = await front.get("/entities", type="Vehicle", limit="2", offset="10", options="keyValues")
    fast = await front.get("/entities", type="Vehicle", q="speed>20", limit="1", count="true", options="keyValues")

    expected = sorted({*range(11, 20), *range(11, 30, 2)})
    assert (found, set(counts)) == ([str(number) for number in expected], {len(expected)})
    assert deep.json == [vehicle(number) | {"speed": number} for number in expected[10:12]]
    assert fast.json == [vehicle(21) | {"speed": 21}]
    assert fast.headers["NGSILD-Results-Count"] == "5"
    assert "NGSILD-Warning" not in fast.headers


async def test_sources_that_share_no_id_count_by_themselves(tenant, register):
    front, one, two = [await tenant(name) for name in ("front", "one", "two")]
    for name, place, many in (("a", one, 30), ("b", two, 20), ("c", front, 5)):
        bodies = [vehicle(f"{name}{number:02}", speed=number) for number in range(many)]
        await place.post("/entityOperations/create", bodies)
    # Not registered, so not counted.
    await one.post("/entities", vehicle("z1", speed=1))
    for name, place in (("a", one), ("b", two)):
        pattern = f"^urn:ngsi-ld:Vehicle:{name}"
        await register(front, place, [{"entities": [{"type": "Vehicle", "idPattern": pattern}]}])

    async def count(**more):
        answer = await front.get("/entities", type="Vehicle", limit="0", count="true", **more)
        return answer.headers["NGSILD-Results-Count"]

    apart, some = await count(), await count(q="speed>=10")
    # From here on this broker has one that a source has as well.
    await front.post("/entities", vehicle("a05", colour="red"))
    shared = await count()

    assert (apart, some, shared) == ("55", "30", "55")
