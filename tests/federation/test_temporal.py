"""Temporal evolutions over this broker and its context sources (GS CIM 009 v1.9.1, 5.7.3, 5.7.4)."""

import pytest
from aiohttp import web

from tests.federation.conftest import vehicle

PAST = ["retrieveTemporal", "queryTemporal"]
YEAR = {"timerel": "between", "timeAt": "2026-01-01T00:00:00Z", "endTimeAt": "2027-01-01T00:00:00Z"}


def hours(*values):
    """Instances of an attribute, one an hour: of these hours of a day, with the hour as value."""
    return [{"type": "Property", "value": hour, "observedAt": f"2026-03-01T{hour:02}:00:00Z"} for hour in values]


def past(number, **attributes):
    return {"id": f"urn:ngsi-ld:Vehicle:{number}", "type": "Vehicle", **attributes}


def values(body, name="speed"):
    listed = body.get(name, [])
    return [one["value"] for one in (listed if isinstance(listed, list) else [listed])]


@pytest.fixture
async def spread(tenant, register):
    """A front and two sources with parts of the past of Vehicles."""
    front, one, two = [await tenant(name) for name in ("front", "one", "two")]
    await front.post("/temporal/entities", past(1, speed=hours(1, 5)))
    await one.post("/temporal/entities", past(1, speed=hours(2, 5, 6), level=hours(1)))
    await one.post("/temporal/entities", past(3, speed=hours(3)))
    await two.post("/temporal/entities", past(2, speed=hours(2, 4)))
    for source in (one, two):
        await register(front, source, operations=PAST)
    return front


async def test_instances_of_all_are_in_order_and_each_once(spread):
    answer = await spread.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", **YEAR)
    local = await spread.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", local="true", **YEAR)

    assert (answer.status, values(answer.json), values(answer.json, "level")) == (200, [1, 2, 5, 6], [1])
    assert values(local.json) == [1, 5]


async def test_last_n_is_of_all_together(spread):
    answer = await spread.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", lastN="3")

    assert sorted(values(answer.json)) == [2, 5, 6]


async def test_what_only_a_source_has_is_found(spread):
    answer = await spread.get("/temporal/entities/urn:ngsi-ld:Vehicle:2", options="temporalValues", **YEAR)
    nothing = await spread.get("/temporal/entities/urn:ngsi-ld:Vehicle:9", **YEAR)

    assert [value for value, _ in answer.json["speed"]["values"]] == [2, 4]
    assert nothing.status == 404


async def test_queries_page_over_all_in_the_order_of_ids(spread):
    whole = await spread.get("/temporal/entities", type="Vehicle", count="true", **YEAR)
    second = await spread.get("/temporal/entities", type="Vehicle", limit="1", offset="1", **YEAR)

    assert [one["id"][-1] for one in whole.json] == ["1", "2", "3"]
    assert whole.headers["NGSILD-Results-Count"] == "3"
    assert [values(one) for one in whole.json] == [[1, 2, 5, 6], [2, 4], [3]]
    assert [one["id"][-1] for one in second.json] == ["2"]
    assert [link for link in second.headers.getall("Link") if 'rel="next"' in link]


async def test_queries_by_a_body_and_their_conditions(spread):
    body = {"type": "Query", "entities": [{"type": "Vehicle"}], "temporalQ": YEAR, "q": "speed==4"}

    apart = await spread.post("/temporal/entityOperations/query", body)
    together = await spread.post(
        "/temporal/entityOperations/query", body | {"q": "speed==1;speed==6", "splitEntities": True}
    )

    assert [one["id"][-1] for one in apart.json] == ["2"]
    assert [one["id"][-1] for one in together.json] == ["1"]


async def test_aggregates_are_computed_of_all(spread):
    asked = {"options": "aggregatedValues", "aggrMethods": "sum,totalCount,max,avg"}

    answer = await spread.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", attrs="speed", **asked, **YEAR)

    speed = answer.json["speed"]
    assert [speed[name][0][0] for name in ("sum", "totalCount", "max", "avg")] == [14, 4, 6, 3.5]
    assert speed["sum"][0][1:] == ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"]


async def test_they_are_what_one_broker_would_compute(tenant, register):
    front, source, alone = [await tenant(name) for name in ("front", "source", "alone")]
    instances = [
        *hours(1, 2, 5, 9),
        {"type": "Property", "value": 7.5, "datasetId": "urn:d:1", "observedAt": "2026-03-01T02:30:00Z"},
    ]
    texts = [
        {"type": "Property", "value": text, "observedAt": f"2026-03-01T0{n}:00:00Z"} for n, text in enumerate("bac")
    ]
    await alone.post("/temporal/entities", past(1, speed=instances, name=texts))
    await front.post("/temporal/entities", past(1, speed=instances[::2], name=texts[:1]))
    await source.post("/temporal/entities", past(1, speed=instances[1::2], name=texts[1:]))
    await register(front, source, operations=PAST)
    asked = {
        "options": "aggregatedValues",
        "aggrPeriodDuration": "PT4H",
        "aggrMethods": "totalCount,distinctCount,min,max",
    }
    more = asked | {
        "aggrMethods": "sum,avg,stddev,sumsq",
        "attrs": "speed",
        "timerel": "after",
        "timeAt": "2026-03-01T00:00:00Z",
    }

    for parameters in (asked, more):
        one = await alone.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", **parameters)
        across = await front.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", **parameters)

        assert across.json == one.json


async def test_a_partial_answer_of_a_source_makes_a_partial_answer(tenant, register, server):
    async def answer(_):
        ended = "date-time 2026-01-01T00:00:00Z-2026-03-01T03:00:00Z/*"
        return web.json_response([past(1, speed=hours(2, 3))], status=206, headers={"Content-Range": ended})

    front = await tenant("front")
    await front.post("/temporal/entities", past(1, speed=hours(1, 9)))
    await register(front, await server(answer), operations=PAST)

    answered = await front.get("/temporal/entities", type="Vehicle", **YEAR)

    assert answered.status == 206
    assert answered.headers["Content-Range"] == "date-time 2026-01-01T00:00:00Z-2026-03-01T03:00:00Z/*"
    assert values(answered.json[0]) == [1, 2, 3]


async def test_a_source_that_fails_takes_nothing_from_the_others(tenant, register, server):
    async def answer(_):
        return web.json_response([{"id": "urn:ngsi-ld:Vehicle:7", "type": "Vehicle", "speed": [{"type": "Property"}]}])

    front = await tenant("front")
    await front.post("/temporal/entities", past(1, speed=hours(1)))
    await register(front, await server(answer), operations=PAST)

    answered = await front.get("/temporal/entities", type="Vehicle", **YEAR)

    assert [one["id"][-1] for one in answered.json] == ["1"]
    assert answered.headers["NGSILD-Warning"].startswith("111 ")


async def test_the_past_of_what_is_written_now_is_read_too(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post(
        "/entities", vehicle(1, speed={"type": "Property", "value": 7, "observedAt": "2026-03-01T07:00:00Z"})
    )
    await register(front, source, operations=PAST)

    answer = await front.get("/temporal/entities/urn:ngsi-ld:Vehicle:1", **YEAR)

    assert values(answer.json) == [7]


@pytest.mark.parametrize("current", [True, False])
async def test_pages_have_every_entity_once(tenant, register, current):
    front, one, two = [await tenant(name) for name in ("front", "one", "two")]
    for number in range(12):
        for place in {(front, one, two)[number % 3], (one, two, one)[number % 3]}:
            await place.post("/temporal/entities", past(f"{number:02}", speed=hours(number)))
    for source in (one, two):
        await register(front, source, operations=PAST, current=current)

    pages = [
        await front.get("/temporal/entities", type="Vehicle", limit="5", offset=str(offset), count="true", **YEAR)
        for offset in (0, 5, 10)
    ]

    assert [one["id"][-2:] for page in pages for one in page.json] == [f"{number:02}" for number in range(12)]
    assert [page.headers["NGSILD-Results-Count"] for page in pages] == ["12"] * 3
    assert all(values(one) == [int(one["id"][-2:])] for page in pages for one in page.json)


async def test_a_source_that_gives_another_order_is_read_whole(tenant, register, server):
    async def answer(request):
        listed = [past(number, speed=hours(number)) for number in (4, 2, 9)]
        return web.json_response(listed)

    front = await tenant("front")
    await front.post("/temporal/entities", past(3, speed=hours(3)))
    current = [{"key": "ngsildConformance", "value": "1.9"}]
    await register(front, await server(answer), operations=PAST, contextSourceInfo=current)

    answered = await front.get("/temporal/entities", type="Vehicle", **YEAR)

    assert [one["id"][-1] for one in answered.json] == ["2", "3", "4", "9"]
