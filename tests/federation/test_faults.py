"""Sources that fail, each in its way: what is there is answered, a warning tells the rest, nobody hangs (6.3.17)."""

import asyncio
import time

import pytest
from aiohttp import web

from tests.federation.conftest import vehicle

LARGE = 17 * 1024 * 1024


def warnings(answer):
    """The codes of the warnings."""
    return [header.split(" ")[0] for header in answer.headers.getall("NGSILD-Warning", [])]


async def hanging(_):
    await asyncio.sleep(30)
    return web.Response()


async def dripping(request):
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for _ in range(100):
        await response.write(b"[")
        await asyncio.sleep(0.3)
    return response


async def breaking_off(request):
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'[{"id":')
    request.transport.close()
    return response


def answering(*arguments, **members):
    async def answer(_):
        return web.Response(*arguments, **members)

    return answer


def sending(body):
    async def answer(_):
        return web.json_response(body)

    return answer


FOREIGN = {"id": "urn:ngsi-ld:Bike:1", "type": "Bike", "speed": {"type": "Property", "value": 1}}
INVALID = {"id": "urn:ngsi-ld:Vehicle:2", "type": "Vehicle", "speed": {"type": "Property"}}

FAULTS = {
    "hangs": (hanging, "199"),
    "drips": (dripping, "199"),
    "breaks off": (breaking_off, "199"),
    "500": (answering(status=500, text="it broke"), "299"),
    "403": (answering(status=403), "299"),
    "redirects": (answering(status=302, headers={"Location": "http://127.0.0.1:1/"}), "299"),
    "nonsense": (answering(text="not json", content_type="application/json"), "111"),
    "html": (answering(text="<p>hello</p>", content_type="text/html"), "111"),
    "nothing": (answering(), "111"),
    "a text": (sending("hello"), "111"),
    "numbers": (sending([1, 2]), "111"),
    "foreign": (sending([FOREIGN]), "111"),
    "invalid": (sending([INVALID]), "111"),
    "too large": (answering(text=" " * LARGE + "[]", content_type="application/json"), "111"),
    "no such @context": (sending([vehicle(2) | {"@context": {"speed": 7}}]), "111"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_source_that_fails_takes_nothing_from_the_others(tenant, register, server, fault):
    front, good = await tenant("front"), await tenant("good")
    await front.post("/entities", vehicle(1, speed=1))
    await good.post("/entities", vehicle(3, speed=3))
    answer_with, code = FAULTS[fault]
    await register(front, good)
    await register(front, await server(answer_with), management={"timeout": 400})
    started = time.monotonic()

    queried = await front.get("/entities", type="Vehicle")
    retrieved = await front.get("/entities/urn:ngsi-ld:Vehicle:1")

    assert [one["id"] for one in queried.json] == ["urn:ngsi-ld:Vehicle:1", "urn:ngsi-ld:Vehicle:3"]
    assert warnings(queried) == [code]
    assert retrieved.json["speed"]["value"] == 1
    # An invalid entity in a list is one in the list.
    assert warnings(retrieved) == [code]
    assert time.monotonic() - started < 4


async def test_a_source_that_is_away_costs_its_time_and_then_nothing(tenant, register, server):
    front = await tenant("front")
    await front.post("/entities", vehicle(1))
    await register(front, await server(hanging), management={"timeout": 400, "cooldown": 60_000})

    times = []
    for _ in range(3):
        started = time.monotonic()
        answer = await front.get("/entities", type="Vehicle")
        times.append(time.monotonic() - started)
        assert (len(answer.json), warnings(answer)) == (1, ["199"])

    assert times[0] >= 0.4
    assert times[1] < 0.3


async def test_nobody_listens(tenant, register):
    front = await tenant("front")
    await register(front, "http://127.0.0.1:1")

    queried = await front.get("/entities", type="Vehicle")
    retrieved = await front.get("/entities/urn:ngsi-ld:Vehicle:1")

    assert (queried.json, warnings(queried)) == ([], ["199"])
    assert (retrieved.status, warnings(retrieved)) == (404, ["199"])


async def test_not_found_is_no_failure(tenant, register, server):
    front = await tenant("front")
    await register(front, await server(answering(status=404)))

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1")

    assert (answer.status, warnings(answer)) == (404, [])


async def test_two_that_register_each_other_do_not_ask_in_circles(tenant, register):
    one, two = await tenant("one"), await tenant("two")
    await one.post("/entities", vehicle(1))
    await two.post("/entities", vehicle(2))
    await register(one, two)
    await register(two, one)

    answer = await one.get("/entities", type="Vehicle")

    assert [each["id"] for each in answer.json] == ["urn:ngsi-ld:Vehicle:1", "urn:ngsi-ld:Vehicle:2"]
    assert warnings(answer) == ["199"]


async def test_nor_do_they_where_no_alias_is_registered(tenant, register, broker):
    one, two = await tenant("one"), await tenant("two")
    await one.post("/entities", vehicle(1))
    for here, there in ((one, two), (two, one)):
        await register(here, broker.url, tenant=there.tenant)

    answer = await one.get("/entities", type="Vehicle")

    assert [each["id"] for each in answer.json] == ["urn:ngsi-ld:Vehicle:1"]


async def test_what_a_source_is_asked(tenant, register, server):
    asked = []

    async def answer(request):
        asked.append((request.method, request.rel_url.raw_path_qs, dict(request.headers), await request.text()))
        return web.json_response([])

    front = await tenant("front")
    await register(
        front,
        f"{await server(answer)}/base",
        tenant="theirs",
        contextSourceInfo=[
            {"key": "X-Key", "value": "fixed"},
            {"key": "Authorization", "value": "urn:ngsi-ld:request"},
            {"key": "Via", "value": "1.1 nobody"},
        ],
        management={"localOnly": True},
    )
    headers = {"Authorization": "Bearer abc", "Via": "1.1 earlier, HTTP/1.1 before (Orion)", "X-Other": "no"}

    await front.get("/entities", headers=headers, type="Vehicle,Bike", q='speed>5;brand=="é"', limit="3")

    ((method, path, sent, _),) = asked
    assert method == "GET"
    assert path == (
        "/base/ngsi-ld/v1/entities?type=Vehicle&q=speed%3E5%3Bbrand%3D%3D%22%C3%A9%22&options=sysAttrs&local=true"
    )
    assert sent["Via"] == f"1.1 earlier, 1.1 before, 1.1 {front.alias}"
    assert sent["NGSILD-Tenant"] == "theirs"
    assert (sent["X-Key"], sent["Authorization"]) == ("fixed", "Bearer abc")
    assert "X-Other" not in sent


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_source_that_says_it_orders_and_does_not_is_read_whole(tenant, register, server, refuses):
    bodies = [vehicle(number, speed=1) for number in (5, 2, 9, 1)]

    async def answer(request):
        if "orderBy" in request.query and refuses:
            return web.json_response({"title": "no orderBy"}, status=400)
        offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 2))
        headers = {}
        if offset + limit < len(bodies):
            headers["Link"] = f'</ngsi-ld/v1/entities?type=Vehicle&offset={offset + limit}>; rel="next"'
        return web.json_response(bodies[offset : offset + limit], headers=headers)

    front = await tenant("front")
    current = [{"key": "ngsildConformance", "value": "1.9"}]
    await register(front, await server(answer), contextSourceInfo=current)

    answered = await front.get("/entities", type="Vehicle", limit="2", offset="1", count="true")

    assert [one["id"][-1] for one in answered.json] == ["2", "5"]
    assert answered.headers["NGSILD-Results-Count"] == "4"
    assert warnings(answered) == []


async def test_what_a_source_warns_of_is_passed_on(tenant, register, server):
    async def answer(_):
        return web.json_response([], headers={"NGSILD-Warning": '199 urn:x:1 "away"'})

    front = await tenant("front")
    await register(front, await server(answer))

    answered = await front.get("/entities", type="Vehicle")

    assert answered.headers.getall("NGSILD-Warning") == ['199 urn:x:1 "away"']


async def test_an_answer_may_be_used_again_for_a_while(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=1))
    await register(front, source, management={"cacheDuration": "PT1S"}, operations=["retrieveOps", "updateOps"])

    async def speed():
        answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")
        return answer.json["speed"], warnings(answer)

    fresh = await speed()
    await source.patch("/entities/urn:ngsi-ld:Vehicle:1/attrs", {"speed": {"value": 2}})
    stale = await speed()
    queried = await front.get("/entities", type="Vehicle")
    await asyncio.sleep(1.1)
    later = await speed()
    await front.patch("/entities/urn:ngsi-ld:Vehicle:1/attrs", {"speed": {"value": 3}})
    written = await speed()

    assert fresh == (1, [])
    assert stale == (1, ["110"])
    assert (queried.json[0]["speed"]["value"], warnings(queried)) == (2, [])
    assert later == (2, [])
    assert written == (3, [])
