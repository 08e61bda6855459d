"""EntityMaps (5.5.9.3, 5.5.14, 5.14): which entities a query is about stays, what they are is read anew."""

import asyncio
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from tests.api.conftest import Client
from tests.conftest import Broker

BAD = "https://uri.etsi.org/ngsi-ld/errors/BadRequestData"
MISSING = "https://uri.etsi.org/ngsi-ld/errors/ResourceNotFound"


def meter(number, level=1, kind="Meter"):
    return {"id": f"urn:ngsi-ld:Meter:{number}", "type": kind, "level": {"type": "Property", "value": level}}


def numbers(answer):
    assert answer.status in (200, 201), answer.body
    return [int(one["id"].rpartition(":")[2]) for one in answer.json]


def of(place):
    return {"NGSILD-EntityMap": place}


async def content(api, place):
    """The ids of a map, by their numbers, in order."""
    shown = await api.get(place.removeprefix("/ngsi-ld/v1"))
    assert shown.status == 200, shown.body
    return [int(one.rpartition(":")[2]) for one in shown.json["entityMap"]]


@pytest.fixture
async def meters(api):
    """Six meters, made one after the other, at the start of each test."""
    await api.delete("/entities", type="Meter")
    for number in range(6):
        await api.post("/entities", meter(number))


async def test_a_map_of_a_query(api, meters):
    made = await api.get("/entityMaps", type="Meter", q="level==1", limit="2", entityMapLifetime="PT5M")

    assert made.status == 201
    place = made.headers["NGSILD-EntityMap"]
    assert place == f"/ngsi-ld/v1/entityMaps/{made.json['id']}"
    assert made.json["type"] == "EntityMap"
    assert made.json["entityMap"] == {f"urn:ngsi-ld:Meter:{number}": ["@none"] for number in range(6)}
    assert made.json["linkedMaps"] == {}
    lifetime = datetime.fromisoformat(made.json["expiresAt"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < lifetime <= timedelta(minutes=5)
    shown = await api.get(f"/entityMaps/{made.json['id']}")
    assert (shown.status, shown.json) == (200, made.json)
    query = {"type": "Query", "entities": [{"type": "Meter"}], "q": "level==1", "entityMapLifetime": "PT5M"}
    by_body = await api.post("/entityMaps", query)
    assert (by_body.status, by_body.json["entityMap"]) == (201, made.json["entityMap"])


async def test_pages_walk_the_entities_of_the_map(api, meters):
    first = await api.get("/entities", type="Meter", entityMap="true", limit="4")
    place = first.headers["NGSILD-EntityMap"]
    await api.post("/entities", meter(6))

    second = await api.get("/entities", type="Meter", limit="4", offset="4", count="true", headers=of(place))

    assert (first.status, second.status) == (201, 200)
    assert (numbers(first), numbers(second)) == ([0, 1, 2, 3], [4, 5])
    assert second.headers["NGSILD-EntityMap"] == place
    assert second.headers["NGSILD-Results-Count"] == "6"
    assert "offset=4" in ", ".join(first.headers.getall("Link"))
    links = ", ".join(second.headers.getall("Link"))
    assert 'rel="prev"' in links
    assert 'rel="next"' not in links
    # By its id alone, and by a body, it is the same map.
    by_body = await api.post(
        "/entityOperations/query",
        {"type": "Query", "entities": [{"type": "Meter"}]},
        headers=of(place.rpartition("/")[2]),
    )
    assert (by_body.status, numbers(by_body)) == (200, [0, 1, 2, 3, 4, 5])


async def test_what_matches_no_more_leaves_the_map_and_pages_fill_up(api, meters):
    place = (await api.get("/entities", type="Meter", q="level==1", entityMap="true")).headers["NGSILD-EntityMap"]
    await api.delete("/entities/urn:ngsi-ld:Meter:1")
    await api.patch("/entities/urn:ngsi-ld:Meter:3/attrs/level", {"value": 2})

    page = await api.get("/entities", type="Meter", q="level==1", limit="3", count="true", headers=of(place))
    following = await api.get("/entities", type="Meter", q="level==1", limit="3", offset="3", headers=of(place))

    assert (numbers(page), numbers(following)) == ([0, 2, 4], [5])
    assert page.headers["NGSILD-Results-Count"] == "4"
    assert await content(api, place) == [0, 2, 4, 5]
    # What was taken out does not come back, though it matches again.
    await api.patch("/entities/urn:ngsi-ld:Meter:3/attrs/level", {"value": 1})
    assert numbers(await api.get("/entities", type="Meter", q="level==1", headers=of(place))) == [0, 2, 4, 5]


async def test_another_query_takes_nothing_out_of_a_map(api, meters):
    place = (await api.get("/entities", type="Meter", entityMap="true")).headers["NGSILD-EntityMap"]

    other = await api.get("/entities", type="Meter", q="level>1", headers=of(place))
    some = await api.get("/entities", type="Meter", id="urn:ngsi-ld:Meter:4,urn:ngsi-ld:Meter:9", headers=of(place))

    assert numbers(other) == []
    assert numbers(some) == [4]
    assert await content(api, place) == [0, 1, 2, 3, 4, 5]


async def test_the_order_of_a_map_is_that_of_its_query(api, meters):
    for number in range(6):
        await api.patch(f"/entities/urn:ngsi-ld:Meter:{number}/attrs/level", {"value": -number})
    asked = {"type": "Meter", "orderBy": "level"}

    place = (await api.get("/entities", **asked, entityMap="true")).headers["NGSILD-EntityMap"]

    assert numbers(await api.get("/entities", **asked, limit="2", offset="2", headers=of(place))) == [3, 2]


async def test_an_unknown_map_is_replaced_by_a_new_one(api, meters):
    for dead in ("urn:ngsi-ld:EntityMap:dead", "/ngsi-ld/v1/entityMaps/urn:ngsi-ld:EntityMap:dead", "?"):
        answer = await api.get("/entities", type="Meter", headers=of(dead))
        assert (answer.status, numbers(answer)) == (201, [0, 1, 2, 3, 4, 5])
        assert "dead" not in answer.headers["NGSILD-EntityMap"]


async def test_a_map_of_one_entity(api, meters):
    one = "/entities/urn:ngsi-ld:Meter:2"

    first = await api.get(one, entityMap="true")
    place = first.headers["NGSILD-EntityMap"]
    again = await api.get(one, headers=of(place))
    other = await api.get("/entities/urn:ngsi-ld:Meter:3", headers=of(place))

    assert (first.status, again.status, other.status) == (200, 200, 404)
    assert again.headers["NGSILD-EntityMap"] == place
    assert await content(api, place) == [2]
    assert (await api.get("/entities/urn:ngsi-ld:Meter:9", entityMap="true")).status == 404


async def test_a_map_can_be_prolonged_ended_and_deleted(api, meters):
    made = (await api.get("/entityMaps", type="Meter")).json
    path = f"/entityMaps/{made['id']}"
    later = (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert (await api.patch(path, {"expiresAt": later, "entityMap": {}, "linkedMaps": {}})).status == 204
    changed = (await api.get(path)).json
    assert (changed["expiresAt"][:19], changed["entityMap"]) == (later[:19], made["entityMap"])
    assert (await api.patch(path, {"expiresAt": "2099-01-01T00:00:00Z"})).status == 204
    bounded = datetime.fromisoformat((await api.get(path)).json["expiresAt"]) - datetime.now(UTC)
    assert bounded <= timedelta(days=1)
    assert (await api.patch(path, {})).status == 204
    assert (await api.patch(path, {"expiresAt": "2020-01-01T00:00:00Z"})).status == 204
    assert (await api.get(path)).json["type"] == MISSING
    place = (await api.get("/entityMaps", type="Meter")).headers["NGSILD-EntityMap"]
    assert (await api.delete(place.removeprefix("/ngsi-ld/v1"))).status == 204
    assert (await api.delete(place.removeprefix("/ngsi-ld/v1"))).status == 404


async def test_a_map_is_over_when_its_time_is(api, meters):
    place = (await api.get("/entityMaps", type="Meter", entityMapLifetime="PT1S")).headers["NGSILD-EntityMap"]
    await asyncio.sleep(1.1)

    assert (await api.get(place.removeprefix("/ngsi-ld/v1"))).status == 404
    assert (await api.get("/entities", type="Meter", headers=of(place))).status == 201


async def test_a_map_belongs_to_its_tenant_and_to_its_snapshot(api, meters):
    place = (await api.get("/entityMaps", type="Meter")).headers["NGSILD-EntityMap"]
    path = place.removeprefix("/ngsi-ld/v1")
    other = Client(api.session, api.root, f"{api.tenant}-other")
    await other.post("/entities", meter(1))
    taken = {"type": "Snapshot", "snapshotQueries": [{"type": "Query", "entities": [{"type": "Meter"}]}]}
    snapshot = (await api.post("/snapshots", taken)).headers["Location"].removeprefix("/ngsi-ld/v1")
    while (await api.get(snapshot)).json["snapshotStatus"] == "preparing":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    scoped = {"NGSILD-Snapshot": snapshot.rpartition("/")[2]}

    assert (await other.get(path)).status == 404
    assert (await other.delete(path)).status == 404
    assert (await other.get("/entities", type="Meter", headers=of(place))).status == 201
    assert (await api.get(path, headers=scoped)).status == 404
    of_snapshot = await api.get("/entities", type="Meter", entityMap="true", headers=scoped)
    assert len(numbers(of_snapshot)) == 6
    inside = {**scoped, **of(of_snapshot.headers["NGSILD-EntityMap"])}
    assert (await api.get("/entities", type="Meter", headers=inside)).status == 200
    await api.delete(snapshot)


async def test_a_map_of_the_past(api, meters):
    window = {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z", "timeproperty": "createdAt"}
    past = "/temporal/entities"

    made = await api.get("/temporal/entityMaps", type="Meter", **window)
    query = {"type": "Query", "entities": [{"type": "Meter"}], "temporalQ": window}
    by_body = await api.post("/temporal/entityMaps", query)
    first = await api.get(past, type="Meter", **window, entityMap="true", limit="4")
    place = first.headers["NGSILD-EntityMap"]
    await api.post("/entities", meter(7))
    second = await api.get(past, type="Meter", **window, limit="4", offset="4", count="true", headers=of(place))
    none = await api.get(past, type="Meter", **{**window, "timeAt": "2100-01-01T00:00:00Z"}, headers=of(place))
    one = await api.get(f"{past}/urn:ngsi-ld:Meter:1", headers=of(place))
    new = await api.get(f"{past}/urn:ngsi-ld:Meter:7", headers=of(place))

    assert made.status == 201
    assert by_body.json["entityMap"] == made.json["entityMap"]
    assert {f"urn:ngsi-ld:Meter:{number}" for number in range(6)} <= made.json["entityMap"].keys()
    assert (first.status, numbers(first)) == (201, [0, 1, 2, 3])
    assert (second.status, numbers(second)[:2], 7 in numbers(second)) == (200, [4, 5], False)
    assert int(second.headers["NGSILD-Results-Count"]) == 4 + len(numbers(second))
    assert (none.status, numbers(none)) == (200, [])
    assert (one.status, new.status) == (200, 404)
    # A map of the one kind is none of the other.
    assert (await api.get("/entities", type="Meter", headers=of(place))).status == 201
    assert (await api.get("/temporal/entityMaps", type="Meter")).json["type"] == BAD


async def test_a_map_of_many(api):
    await api.delete("/entities", type="Meter")
    for start in range(0, 2500, 500):
        batch = [meter(number, kind="Crowd") for number in range(start, start + 500)]
        assert (await api.post("/entityOperations/create", batch)).status == 201
    first = await api.get("/entities", type="Crowd", entityMap="true", limit="1000")
    place = first.headers["NGSILD-EntityMap"]
    gone = [f"urn:ngsi-ld:Meter:{number}" for number in range(990, 1010)]
    await api.post("/entityOperations/delete", gone)

    seen, offset = [], 0
    while page := numbers(await api.get("/entities", type="Crowd", limit="300", offset=str(offset), headers=of(place))):
        seen += page
        offset += len(page)

    assert sorted(seen) == [number for number in range(2500) if not 990 <= number < 1010]
    assert sorted(await content(api, place)) == sorted(seen)
    counted = await api.get("/entities", type="Crowd", count="true", limit="0", headers=of(place))
    assert counted.headers["NGSILD-Results-Count"] == "2480"


WRONG = [
    ("/entityMaps", {"id": "urn:ngsi-ld:Meter:1"}),
    ("/entityMaps", {"type": "Meter", "entityMapLifetime": "1 hour"}),
    ("/entityMaps", {"type": "Meter", "entityMapLifetime": "PT0S"}),
    ("/entityMaps", {"type": "Meter", "q": "level>"}),
    ("/entityMaps", {"type": "Meter", "geometryProperty": "location"}),
    ("/entities", {"type": "Meter", "entityMap": "yes"}),
    ("/entities", {"type": "Meter", "entityMap": "true", "entityMapLifetime": "soon"}),
    ("/entities", {"type": "Meter", "entityMap": "true", "cursor": "WyIiLCIiXQ"}),
    ("/entityMaps/none", {}),
]


@pytest.mark.parametrize(("path", "parameters"), WRONG)
async def test_bad_input(api, meters, path, parameters):
    answer = await api.get(path, **parameters)

    assert (answer.status, answer.json["type"]) == (400, BAD), answer.body


async def test_bad_bodies(api, meters):
    path = f"/entityMaps/{(await api.get('/entityMaps', type='Meter')).json['id']}"

    assert (await api.post("/entityMaps", [])).json["type"].endswith("InvalidRequest")
    assert (await api.post("/entityMaps", {"type": "Query", "entityMap": "yes"})).json["type"] == BAD
    assert (await api.patch(path, [])).json["type"].endswith("InvalidRequest")
    for fragment in ({"expiresAt": "tomorrow"}, {"expiresAt": 7}, {"type": "Map"}, {"id": "urn:other:1"}):
        assert (await api.patch(path, fragment)).json["type"] == BAD
    assert (await api.patch("/entityMaps/none", {})).json["type"] == BAD
    assert (await api.patch("/entityMaps/urn:none", {"expiresAt": "2099-01-01T00:00:00Z"})).json["type"] == MISSING
    assert (await api.delete("/entityMaps/none")).json["type"] == BAD
    unknown = Client(api.session, api.root, "entity-maps-nobody")
    assert (await unknown.get("/entityMaps", type="Meter")).json["type"].endswith("NonexistentTenant")


async def test_limits(tmp_path):
    one = Broker(tmp_path, options=("--entity-maps", "2", "--entity-map-size", "5", "--entity-map-longest", "60"))
    await one.start()
    try:
        async with aiohttp.ClientSession(skip_auto_headers=["Content-Type", "Accept"]) as session:
            api = Client(session, f"{one.url}/ngsi-ld/v1", "")
            await api.post("/entityOperations/create", [meter(number) for number in range(5)])

            lifetimes = ("PT30S", "PT10S", "P1Y")
            places = [
                (await api.get("/entityMaps", type="Meter", entityMapLifetime=each)).headers["NGSILD-EntityMap"]
                for each in lifetimes
            ]
            shown = [await api.get(place.removeprefix("/ngsi-ld/v1")) for place in places]
            await api.post("/entities", meter(5))
            too_many = await api.get("/entities", type="Meter", entityMap="true")

            # The one that would have ended first made room.
            assert [answer.status for answer in shown] == [200, 404, 200]
            left = datetime.fromisoformat(shown[2].json["expiresAt"]) - datetime.now(UTC)
            assert left <= timedelta(minutes=1)
            assert (too_many.status, too_many.json["type"][-14:]) == (403, "TooManyResults")
    finally:
        await one.stop()
