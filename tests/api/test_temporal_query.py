"""Query Temporal Evolution of Entities (5.7.4): which entities, which instances, partial answers, aggregates."""

import json

import pytest

DAY = {"timerel": "between", "timeAt": "2026-11-23T00:00:00Z", "endTimeAt": "2026-11-24T00:00:00Z"}


def at(time, value, **members):
    return {"type": "Property", "value": value, "observedAt": f"2026-11-{time}:00Z", **members}


@pytest.fixture(scope="module")
async def sensors(api):
    for number in range(5):
        entity_id = f"urn:ngsi-ld:Sensor:{number}"
        await api.delete(f"/temporal/entities/{entity_id}")
        speeds = [at(f"23T{hour:02d}:00", number * 10 + hour) for hour in range(24)]
        await api.post(
            "/temporal/entities",
            {
                "id": entity_id,
                "type": "Sensor" if number < 4 else "Camera",
                "speed": [*speeds, at("20T00:00", 1000)],
                "state": [at("23T06:00", "on"), at("23T18:00", "off")],
            },
        )
    return api


def ids(answer):
    return [entity["id"].rpartition(":")[2] for entity in answer.json]


async def test_entities_are_chosen_by_type_and_time(sensors):
    assert ids(await sensors.get("/temporal/entities", type="Sensor", **DAY)) == ["0", "1", "2", "3"]
    before = {"timerel": "before", "timeAt": "2026-11-20T00:00:00Z"}
    assert ids(await sensors.get("/temporal/entities", type="Sensor", **before)) == []


async def test_values_are_looked_for_in_the_interval(sensors):
    assert ids(await sensors.get("/temporal/entities", type="Sensor", q="speed>50", **DAY)) == ["3"]
    after = {"timerel": "after", "timeAt": "2026-11-19T00:00:00Z"}
    assert ids(await sensors.get("/temporal/entities", type="Sensor", q="speed>50", **after)) == ["0", "1", "2", "3"]


async def test_pages_and_count(sensors):
    first = await sensors.get("/temporal/entities", type="Sensor", limit=3, count="true", **DAY)
    second = await sensors.get("/temporal/entities", type="Sensor", limit=3, offset=3, **DAY)

    assert (ids(first), ids(second)) == (["0", "1", "2"], ["3"])
    assert first.headers["NGSILD-Results-Count"] == "4"
    assert 'rel="next"' in str(first.headers.getall("Link"))
    assert 'rel="prev"' in str(second.headers.getall("Link"))


async def test_order_by_id(sensors):
    assert ids(await sensors.get("/temporal/entities", type="Sensor", orderBy="id;desc", **DAY)) == ["3", "2", "1", "0"]


async def test_the_last_ones_of_each_attribute(sensors):
    answer = await sensors.get(
        "/temporal/entities", type="Camera", lastN=2, options="temporalValues", pick="speed,state", **DAY
    )

    assert answer.json == [
        {
            "speed": {"type": "Property", "values": [[62, "2026-11-23T22:00:00Z"], [63, "2026-11-23T23:00:00Z"]]},
            "state": {"type": "Property", "values": [["on", "2026-11-23T06:00:00Z"], ["off", "2026-11-23T18:00:00Z"]]},
        }
    ]


async def test_a_query_in_a_body(sensors):
    body = {
        "type": "Query",
        "entities": [{"type": "Sensor"}, {"type": "Camera"}],
        "q": "speed>=60",
        "temporalQ": {**DAY, "lastN": 1},
    }

    answer = await sensors.post("/temporal/entityOperations/query", body)

    assert [[one["value"] for one in entity["speed"]] for entity in answer.json] == [[63]]


def aggregated(answer, method, name="speed"):
    return [value for value, _, _ in answer.json[name][method]]


async def test_every_method_by_periods_of_six_hours(sensors):
    answer = await sensors.get(
        "/temporal/entities/urn:ngsi-ld:Sensor:1",
        attrs="speed",
        options="aggregatedValues",
        aggrMethods="totalCount,distinctCount,sum,avg,min,max,stddev,sumsq",
        aggrPeriodDuration="PT6H",
        **DAY,
    )

    assert aggregated(answer, "totalCount") == [6, 6, 6, 6]
    assert aggregated(answer, "distinctCount") == [6, 6, 6, 6]
    assert aggregated(answer, "sum") == [75, 111, 147, 183]
    assert aggregated(answer, "avg") == [12.5, 18.5, 24.5, 30.5]
    assert aggregated(answer, "min") == [10, 16, 22, 28]
    assert aggregated(answer, "max") == [15, 21, 27, 33]
    assert aggregated(answer, "stddev") == pytest.approx([1.70782512766] * 4)
    assert aggregated(answer, "sumsq")[0] == sum(value**2 for value in range(10, 16))
    assert answer.json["speed"]["avg"][0][1:] == ["2026-11-23T00:00:00Z", "2026-11-23T06:00:00Z"]


async def test_whole_days_come_to_the_same_as_their_parts(sensors):
    both = [
        await sensors.get(
            "/temporal/entities",
            type="Sensor",
            attrs="speed",
            options="aggregatedValues",
            aggrMethods=methods,
            aggrPeriodDuration="P1D",
            **DAY,
        )
        # distinctCount has to look at every value, the others take the sums of the bucket.
        for methods in ("avg,sum,min,max,totalCount,stddev", "avg,sum,min,max,totalCount,stddev,distinctCount")
    ]

    for whole, parts in zip(both[0].json, both[1].json, strict=True):
        assert parts["speed"].pop("distinctCount") == [[24, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"]]
        assert whole == parts
    assert [one["speed"]["avg"][0][0] for one in both[0].json] == [11.5, 21.5, 31.5, 41.5]


async def test_days_of_a_time_zone(sensors):
    answer = await sensors.get(
        "/temporal/entities/urn:ngsi-ld:Sensor:0",
        attrs="speed",
        options="aggregatedValues",
        aggrMethods="totalCount",
        aggrPeriodDuration="P1D",
        timezone="Europe/Paris",
        timerel="between",
        timeAt="2026-11-21T23:00:00Z",
        endTimeAt="2026-11-24T23:00:00Z",
    )

    assert answer.json["speed"]["totalCount"] == [
        [23, "2026-11-22T23:00:00Z", "2026-11-23T23:00:00Z"],
        [1, "2026-11-23T23:00:00Z", "2026-11-24T23:00:00Z"],
    ]


async def test_texts_are_counted_and_compared(sensors):
    answer = await sensors.get(
        "/temporal/entities/urn:ngsi-ld:Sensor:0",
        attrs="state",
        options="aggregatedValues",
        aggrMethods="totalCount,distinctCount,min,max",
        **DAY,
    )

    assert {method: value[0][0] for method, value in answer.json["state"].items() if method != "type"} == {
        "totalCount": 2,
        "distinctCount": 2,
        "min": "off",
        "max": "on",
    }


async def test_truth_values_and_arrays(api):
    await api.delete("/temporal/entities/urn:ngsi-ld:Sensor:mixed")
    body = {
        "id": "urn:ngsi-ld:Sensor:mixed",
        "type": "Mixed",
        "open": [at("23T01:00", True), at("23T02:00", False), at("23T03:00", True)],
        "seen": [at("23T01:00", ["a", "b"]), at("23T02:00", [])],
        "gone": [at("23T01:00", 5), at("23T02:00", "urn:ngsi-ld:null")],
    }
    await api.post("/temporal/entities", body)

    answer = await api.get(
        "/temporal/entities", type="Mixed", options="aggregatedValues", aggrMethods="sum,avg,max,totalCount", **DAY
    )

    (entity,) = answer.json
    assert [entity["open"][method][0][0] for method in ("sum", "max", "totalCount")] == [2, 1, 3]
    assert [entity["seen"][method][0][0] for method in ("sum", "avg", "max")] == [2, 1.0, 2]
    assert [entity["gone"][method][0][0] for method in ("sum", "totalCount")] == [5, 1]


async def test_times_of_day_have_an_average(api):
    await api.delete("/temporal/entities/urn:ngsi-ld:Car:1")
    times = ["08:30:00Z", "09:00:00Z", "08:00:00.5Z"]
    entered = [at(f"23T0{hour}:00", {"@type": "Time", "@value": time}) for hour, time in enumerate(times, 1)]
    left = [at(f"23T0{hour}:00", time) for hour, time in enumerate(times, 1)]
    await api.post("/temporal/entities", {"id": "urn:ngsi-ld:Car:1", "type": "Car", "entered": entered, "left": left})
    asked = {"options": "aggregatedValues", **DAY}

    answer = await api.get("/temporal/entities/urn:ngsi-ld:Car:1", attrs="entered", aggrMethods="avg,min,max", **asked)
    shown = {method: value[0][0] for method, value in answer.json["entered"].items() if method != "type"}
    assert shown == {"avg": "08:30:00.166667Z", "min": "08:00:00.5Z", "max": "09:00:00Z"}

    for name, methods in (("entered", "sum"), ("left", "avg")):
        answer = await api.get("/temporal/entities/urn:ngsi-ld:Car:1", attrs=name, aggrMethods=methods, **asked)
        assert (answer.status, answer.json["type"].rpartition("/")[2]) == (400, "InvalidRequest")
        assert name in answer.json["detail"]


async def test_whole_numbers_beyond_64_bits_are_summed_up(api):
    await api.delete("/temporal/entities/urn:ngsi-ld:Meter:1")
    body = {"id": "urn:ngsi-ld:Meter:1", "type": "Meter", "pulses": [at("23T01:00", 2**70), at("23T02:00", 2**70)]}
    await api.post("/temporal/entities", json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    answer = await api.get(
        "/temporal/entities/urn:ngsi-ld:Meter:1", options="aggregatedValues", aggrMethods="sum,avg,max,stddev", **DAY
    )

    shown = {method: value[0][0] for method, value in answer.json["pulses"].items() if method != "type"}
    assert shown == {"sum": 2.0**71, "avg": 2.0**70, "max": 2.0**70, "stddev": 0.0}


@pytest.mark.parametrize(
    ("parameters", "status", "error", "member"),
    [
        ({}, 400, "BadRequestData", "timerel"),
        ({"timerel": "after"}, 400, "BadRequestData", "timeAt"),
        ({"timeAt": "2026-11-23T00:00:00Z"}, 400, "BadRequestData", "timerel"),
        ({"timerel": "after", "timeAt": "2026-11-23T00:00:00"}, 400, "BadRequestData", "timeAt"),
        ({"timerel": "after", "timeAt": "2026-11-23"}, 400, "BadRequestData", "timeAt"),
        ({**DAY, "endTimeAt": "2026-11-22T00:00:00Z"}, 400, "BadRequestData", "endTimeAt"),
        ({**DAY, "lastN": "0"}, 400, "BadRequestData", "lastN"),
        ({**DAY, "lastN": "-1"}, 400, "BadRequestData", "lastN"),
        ({**DAY, "timeproperty": "bornAt"}, 400, "BadRequestData", "timeproperty"),
        ({**DAY, "orderBy": "speed"}, 400, "BadRequestData", "orderBy"),
        ({**DAY, "pick": "speed{x}"}, 400, "BadRequestData", "pick"),
        ({**DAY, "options": "aggregatedValues"}, 400, "BadRequestData", "aggrMethods"),
        ({**DAY, "options": "aggregatedValues", "aggrMethods": "median"}, 400, "BadRequestData", "aggrMethods"),
        (
            {**DAY, "options": "aggregatedValues", "aggrMethods": "avg", "aggrPeriodDuration": "1 hour"},
            400,
            "BadRequestData",
            "aggrPeriodDuration",
        ),
        (
            {**DAY, "options": "aggregatedValues", "aggrMethods": "avg", "timezone": "Mars"},
            400,
            "BadRequestData",
            "timezone",
        ),
        (
            {**DAY, "options": "aggregatedValues", "aggrMethods": "max", "aggrPeriodDuration": "PT0.01S"},
            403,
            "TooComplexQuery",
            "aggrPeriodDuration",
        ),
        ({**DAY, "options": "aggregatedValues", "aggrMethods": "avg"}, 400, "InvalidRequest", "aggrMethods"),
    ],
)
async def test_a_wrong_query_is_refused_by_the_name_of_the_member(sensors, parameters, status, error, member):
    answer = await sensors.get("/temporal/entities", type="Sensor", **parameters)

    assert answer.status == status
    assert answer.json["type"].endswith(error)
    assert member in answer.json["detail"]


@pytest.mark.parametrize(
    "temporal",
    [
        None,
        [],
        {"timerel": "after"},
        {**DAY, "lastN": "1"},
        {**DAY, "lastN": 1.5},
        {**DAY, "unknown": 1},
        {**DAY, "timeAt": 5},
    ],
)
async def test_a_wrong_temporal_query_in_a_body(sensors, temporal):
    body = {"type": "Query", "entities": [{"type": "Sensor"}], "temporalQ": temporal}

    answer = await sensors.post("/temporal/entityOperations/query", body)

    assert answer.status == 400
    assert answer.json["type"].endswith("BadRequestData")


async def test_periods_of_an_interval_without_start_begin_with_the_first_value(sensors):
    answer = await sensors.get(
        "/temporal/entities/urn:ngsi-ld:Sensor:0",
        attrs="state",
        options="aggregatedValues",
        aggrMethods="totalCount",
        aggrPeriodDuration="PT6H",
        timerel="before",
        timeAt="2026-11-23T19:00:00Z",
    )

    assert answer.json["state"]["totalCount"] == [
        [1, "2026-11-23T06:00:00Z", "2026-11-23T12:00:00Z"],
        [1, "2026-11-23T18:00:00Z", "2026-11-24T00:00:00Z"],
    ]


async def test_an_open_interval_ends_with_the_last_value(sensors):
    answer = await sensors.get(
        "/temporal/entities",
        type="Camera",
        attrs="speed",
        options="aggregatedValues",
        aggrMethods="totalCount",
        timerel="after",
        timeAt="2026-11-23T22:00:00Z",
    )

    assert answer.json[0]["speed"]["totalCount"] == [[2, "2026-11-23T22:00:00Z", "2026-11-23T23:00:00Z"]]
