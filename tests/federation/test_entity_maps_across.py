"""EntityMaps and snapshots of what several sources have (5.14.4.4, 5.7.1.4, 5.16.1.4)."""

import asyncio

import pytest

from tests.federation.conftest import vehicle


def numbers(answer):
    assert answer.status in (200, 201), answer.body
    return [int(one["id"].rpartition(":")[2]) for one in answer.json]


def of(place):
    return {"NGSILD-EntityMap": place}


@pytest.fixture
async def territory(tenant, register):
    """A front with vehicle 1, two sources with 2 and 3, and 4 in parts at both; the ids of their registrations."""
    front, left, right = [await tenant(f"maps-{name}-") for name in ("front", "left", "right")]
    await front.post("/entities", vehicle(1, speed=10))
    await left.post("/entityOperations/create", [vehicle(2, speed=20), vehicle(4, speed=40)])
    await right.post("/entityOperations/create", [vehicle(3, speed=30), vehicle(4, brand="A")])
    return front, left, right, await register(front, left), await register(front, right)


async def test_a_map_says_who_has_what_and_links_the_maps_of_sources(territory):
    front, left, _, at_left, at_right = territory

    made = await front.get("/entityMaps", type="Vehicle")

    assert made.status == 201, made.body
    assert {one: sorted(sources) for one, sources in made.json["entityMap"].items()} == {
        "urn:ngsi-ld:Vehicle:1": ["@none"],
        "urn:ngsi-ld:Vehicle:2": [at_left],
        "urn:ngsi-ld:Vehicle:3": [at_right],
        "urn:ngsi-ld:Vehicle:4": sorted([at_left, at_right]),
    }
    linked = made.json["linkedMaps"]
    assert linked.keys() == {at_left, at_right}
    of_left = await left.get(f"/entityMaps/{linked[at_left]}")
    assert of_left.json["entityMap"].keys() == {"urn:ngsi-ld:Vehicle:2", "urn:ngsi-ld:Vehicle:4"}


async def test_pages_of_a_map_are_asked_of_those_who_have_the_entities(territory):
    front, left, right, *_ = territory
    first = await front.get("/entities", type="Vehicle", entityMap="true", limit="2")
    place = first.headers["NGSILD-EntityMap"]
    await left.post("/entities", vehicle(5, speed=50))
    await right.delete("/entities/urn:ngsi-ld:Vehicle:3")

    second = await front.get("/entities", type="Vehicle", limit="2", offset="2", count="true", headers=of(place))

    assert (first.status, numbers(first)) == (201, [1, 2])
    assert (second.status, numbers(second)) == (200, [4])
    assert {"speed", "brand"} <= second.json[0].keys()
    assert second.headers["NGSILD-Results-Count"] == "3"
    assert len((await front.get(place.removeprefix("/ngsi-ld/v1"))).json["entityMap"]) == 3


async def test_filters_are_checked_again_where_entities_are_in_parts(territory):
    front, left, *_ = territory
    asked = {"type": "Vehicle", "q": 'speed==40;brand=="A"', "splitEntities": "true"}

    made = await front.get("/entities", **asked, entityMap="true")
    place = made.headers["NGSILD-EntityMap"]
    again = await front.get("/entities", **asked, headers=of(place))
    await left.patch("/entities/urn:ngsi-ld:Vehicle:4/attrs/speed", {"value": 41})

    assert (numbers(made), numbers(again)) == ([4], [4])
    assert numbers(await front.get("/entities", **asked, headers=of(place))) == []
    assert (await front.get(place.removeprefix("/ngsi-ld/v1"))).json["entityMap"] == {}


async def test_a_retrieval_asks_only_whom_the_map_names(territory):
    front, _, right, at_left, at_right = territory
    one = "/entities/urn:ngsi-ld:Vehicle:2"

    first = await front.get(one, entityMap="true")
    place = first.headers["NGSILD-EntityMap"]
    await right.post("/entities", vehicle(2, brand="late"))
    again = await front.get(one, headers=of(place))

    assert (await front.get(place.removeprefix("/ngsi-ld/v1"))).json["entityMap"] == {
        "urn:ngsi-ld:Vehicle:2": [at_left]
    }
    assert "brand" not in again.json
    assert "brand" in (await front.get(one)).json
    assert at_right


async def test_a_source_that_is_silent_keeps_its_place_in_the_map(tenant, register, server):
    from aiohttp import web

    front = await tenant("maps-silent-")
    await front.post("/entities", vehicle(1, speed=1))
    states = {"answers": True, "asked": []}

    async def source(request):
        states["asked"].append((request.path, dict(request.headers)))
        if not states["answers"]:
            return web.Response(status=500)
        if request.path.endswith("/entityMaps"):
            return web.Response(status=404)
        return web.json_response([vehicle(2, speed=2)])

    await register(front, await server(source))
    place = (await front.get("/entities", type="Vehicle", entityMap="true")).headers["NGSILD-EntityMap"]

    states["answers"] = False
    without = await front.get("/entities", type="Vehicle", headers=of(place))
    states["answers"] = True
    again = await front.get("/entities", type="Vehicle", headers=of(place))

    assert (numbers(without), numbers(again)) == ([1], [1, 2])
    assert "NGSILD-Warning" in without.headers


async def test_the_linked_map_goes_along(tenant, register, server):
    from aiohttp import web

    front = await tenant("maps-linked-")
    asked = []

    async def source(request):
        asked.append((request.path, request.headers.get("NGSILD-EntityMap")))
        if request.path.endswith("/entityMaps"):
            body = {"id": "urn:map:7", "type": "EntityMap", "entityMap": {"urn:ngsi-ld:Vehicle:7": ["@none"]}}
            return web.json_response(body, status=201, headers={"NGSILD-EntityMap": "/ngsi-ld/v1/entityMaps/urn:map:7"})
        return web.json_response([vehicle(7, speed=7)])

    registration = await register(front, await server(source))

    made = await front.get("/entityMaps", type="Vehicle")
    page = await front.get("/entities", type="Vehicle", headers=of(made.json["id"]))

    assert made.json["linkedMaps"] == {registration: "urn:map:7"}
    assert numbers(page) == [7]
    assert asked[0] == ("/ngsi-ld/v1/entityMaps", None)
    assert asked[-1] == ("/ngsi-ld/v1/entities", "/ngsi-ld/v1/entityMaps/urn:map:7")


async def test_a_snapshot_has_what_all_sources_answer_and_asks_them_no_more(territory):
    front, left, *_ = territory
    body = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Vehicle"}]}]}

    path = (await front.post("/snapshots", body)).headers["Location"].removeprefix("/ngsi-ld/v1")
    while (shown := (await front.get(path)).json)["snapshotStatus"] == "preparing":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    await left.delete("/entities/urn:ngsi-ld:Vehicle:2")

    assert shown["snapshotStatus"] == "success"
    found = await front.get("/entities", headers={"NGSILD-Snapshot": shown["id"]}, local="false")
    assert sorted(numbers(found)) == [1, 2, 3, 4]
    whole = await front.get("/entities/urn:ngsi-ld:Vehicle:4", headers={"NGSILD-Snapshot": shown["id"]})
    assert {"speed", "brand"} <= whole.json.keys()


async def test_a_snapshot_tells_which_source_did_not_answer(territory, register):
    front, *_ = territory
    await register(front, "http://127.0.0.1:9")
    body = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Vehicle"}]}]}

    path = (await front.post("/snapshots", body)).headers["Location"].removeprefix("/ngsi-ld/v1")
    while (shown := (await front.get(path)).json)["snapshotStatus"] == "preparing":  # noqa: ASYNC110
        await asyncio.sleep(0.02)

    (detail,) = shown["snapshotQueriesDetails"]
    assert detail["resultStatus"] == "success"
    assert "ContextSourceRegistration" in detail["problemDetails"]["detail"]


WINDOW = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}
MAPS_OF_THE_PAST = ["queryTemporal", "retrieveTemporal", "createEntityMapQueryTemporal"]


def past(number, *values, name="speed"):
    instances = [
        {"type": "Property", "value": value, "observedAt": f"2026-01-{day:02}T00:00:00Z"}
        for day, value in enumerate(values, 1)
    ]
    return {"id": f"urn:ngsi-ld:Vehicle:{number}", "type": "Vehicle", name: instances}


@pytest.fixture
async def histories(tenant, register):
    """A front with the past of vehicle 1, a source with that of 2; that of 3 is in parts at both."""
    front, source = [await tenant(f"maps-past-{name}-") for name in ("front", "source")]
    for one in (past(1, 10), past(3, 30)):
        await front.post("/temporal/entities", one)
    for one in (past(2, 20, 21), past(3, 31, name="brand")):
        await source.post("/temporal/entities", one)
    return front, source, await register(front, source, operations=MAPS_OF_THE_PAST)


async def test_a_map_of_the_past_over_sources(histories):
    front, source, registration = histories

    made = await front.get("/temporal/entityMaps", type="Vehicle", **WINDOW)
    place = made.headers["NGSILD-EntityMap"]
    await source.post("/temporal/entities", past(4, 40))
    first = await front.get("/temporal/entities", type="Vehicle", **WINDOW, limit="2", headers=of(place))
    second = await front.get(
        "/temporal/entities", type="Vehicle", **WINDOW, limit="2", offset="2", count="true", headers=of(place)
    )

    assert made.status == 201, made.body
    assert {one[-1]: sorted(sources) for one, sources in made.json["entityMap"].items()} == {
        "1": ["@none"],
        "2": [registration],
        "3": ["@none", registration],
    }
    linked = await source.get(f"/entityMaps/{made.json['linkedMaps'][registration]}")
    assert {one[-1] for one in linked.json["entityMap"]} == {"2", "3"}
    assert (numbers(first), numbers(second)) == ([1, 2], [3])
    assert {"speed", "brand"} <= second.json[0].keys()
    assert second.headers["NGSILD-Results-Count"] == "3"
    made_by_query = await front.get("/temporal/entities", type="Vehicle", **WINDOW, entityMap="true")
    assert (made_by_query.status, numbers(made_by_query)) == (201, [1, 2, 3, 4])


async def test_a_retrieval_of_the_past_asks_only_whom_the_map_names(histories):
    front, source, registration = histories
    one = "/temporal/entities/urn:ngsi-ld:Vehicle:1"

    first = await front.get(one, entityMap="true")
    place = first.headers["NGSILD-EntityMap"]
    await source.post("/temporal/entities", past(1, 11, name="brand"))
    again = await front.get(one, headers=of(place))
    other = await front.get("/temporal/entities/urn:ngsi-ld:Vehicle:2", headers=of(place))
    shared = (await front.get("/temporal/entities/urn:ngsi-ld:Vehicle:3", entityMap="true")).headers["NGSILD-EntityMap"]

    assert (first.status, again.status, other.status) == (200, 200, 404)
    assert "brand" not in again.json
    listed = (await front.get(shared.removeprefix("/ngsi-ld/v1"))).json["entityMap"]
    assert listed == {"urn:ngsi-ld:Vehicle:3": ["@none", registration]}


async def test_a_snapshot_has_the_past_of_all_sources(histories):
    front, source, _ = histories
    query = {"type": "Query", "entities": [{"type": "Vehicle"}], "temporalQ": WINDOW}

    made = await front.post("/snapshots", {"type": "Snapshot", "snapshotTemporalQueries": [query, query]})
    path = made.headers["Location"].removeprefix("/ngsi-ld/v1")
    while (shown := (await front.get(path)).json)["snapshotStatus"] == "preparing":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    there = (await source.get("/temporal/entities/urn:ngsi-ld:Vehicle:2")).json
    await source.delete("/temporal/entities/urn:ngsi-ld:Vehicle:2")
    scoped = {"NGSILD-Snapshot": shown["id"]}
    two, three = [
        (await front.get(f"/temporal/entities/urn:ngsi-ld:Vehicle:{number}", headers=scoped)).json for number in (2, 3)
    ]

    assert shown["snapshotTemporalQueriesDetails"] == [{"resultStatus": "success"}] * 2
    assert two == there
    assert {"speed", "brand"} <= three.keys()
    sums = await front.get(
        "/temporal/entities/urn:ngsi-ld:Vehicle:2", headers=scoped, aggrMethods="sum", format="aggregatedValues"
    )
    assert sums.json["speed"]["sum"][0][0] == 41
