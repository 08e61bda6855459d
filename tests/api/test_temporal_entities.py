"""/temporal/entities and what is below it (6.18 to 6.22): what clients provide, what is recorded of their writes."""

import asyncio

import pytest

ID = "urn:ngsi-ld:Sensor:1"
PATH = f"/temporal/entities/{ID}"


def at(hour, value, **members):
    return {"type": "Property", "value": value, "observedAt": f"2026-11-23T{hour:02d}:00:00Z", **members}


SENSOR = {"id": ID, "type": "Sensor", "temperature": [at(10, 5), at(11, 7)]}


@pytest.fixture
async def sensor(api):
    await api.delete(PATH)
    assert (await api.post("/temporal/entities", SENSOR)).status == 201
    return PATH


async def values(api, path, name="temperature", **parameters):
    answer = await api.get(path, options="temporalValues", **parameters)
    return answer.json[name]["values"]


async def test_create_tells_where_it_is(api):
    await api.delete(PATH)

    answer = await api.post("/temporal/entities", SENSOR)

    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Location"] == f"/ngsi-ld/v1{PATH}"


async def test_a_second_time_instances_are_added_and_types_united(api, sensor):
    more = {"id": ID, "type": "Device", "temperature": [at(12, 9)]}

    answer = await api.post("/temporal/entities", more)

    assert answer.status == 204
    assert set((await api.get(sensor)).json["type"]) == {"Sensor", "Device"}
    assert [value for value, _ in await values(api, sensor)] == [5, 7, 9]


async def test_what_a_gateway_sends_again_replaces_and_does_not_double(api, sensor):
    before = (await api.get(sensor, options="sysAttrs")).json["temperature"]

    await api.post("/temporal/entities", {**SENSOR, "temperature": [at(11, 7.5), at(12, 8)]})

    after = (await api.get(sensor, options="sysAttrs")).json["temperature"]
    assert [one["value"] for one in after] == [5, 7.5, 8]
    assert after[1]["instanceId"] == before[1]["instanceId"]
    assert after[1]["createdAt"] == before[1]["createdAt"]
    assert after[1]["modifiedAt"] > before[1]["modifiedAt"]


async def test_late_values_stand_at_their_time(api, sensor):
    await api.post(f"{sensor}/attrs", {"temperature": [at(9, 3)]})

    assert [value for value, _ in await values(api, sensor)] == [3, 5, 7]


async def test_many_instances_in_one_request(api):
    path = "/temporal/entities/urn:ngsi-ld:Sensor:many"
    instances = [
        {
            "type": "Property",
            "value": n,
            "observedAt": f"2026-11-{1 + n // 1440:02d}T{n // 60 % 24:02d}:{n % 60:02d}:00Z",
        }
        for n in range(3000)
    ]
    await api.delete(path)
    await api.post("/temporal/entities", {"id": "urn:ngsi-ld:Sensor:many", "type": "Sensor", "temperature": instances})
    await api.post("/temporal/entities", {"id": "urn:ngsi-ld:Sensor:many", "type": "Sensor", "temperature": instances})

    assert [value for value, _ in await values(api, path)] == list(range(3000))
    assert [value for value, _ in await values(api, path, lastN=3)] == [2997, 2998, 2999]


async def test_attributes_are_added_to_what_is_known_only(api, sensor):
    added = await api.post(f"{sensor}/attrs", {"humidity": [at(10, 0.4)]})
    unknown = await api.post("/temporal/entities/urn:ngsi-ld:Sensor:none/attrs", {"humidity": [at(10, 0.4)]})

    assert (added.status, unknown.status) == (204, 404)
    assert (await values(api, sensor, "humidity"))[0][0] == 0.4


async def test_delete_an_attribute_or_one_of_its_datasets(api, sensor):
    both = [at(10, 1, datasetId="urn:ngsi-ld:Dataset:a"), at(10, 2, datasetId="urn:ngsi-ld:Dataset:b")]
    await api.post(f"{sensor}/attrs", {"temperature": both, "humidity": [at(10, 0.4)]})

    one = await api.delete(f"{sensor}/attrs/temperature", datasetId="urn:ngsi-ld:Dataset:a")
    left = (await api.get(sensor)).json["temperature"]
    everything = await api.delete(f"{sensor}/attrs/temperature", deleteAll="true")
    again = await api.delete(f"{sensor}/attrs/temperature", deleteAll="true")

    assert (one.status, everything.status, again.status) == (204, 204, 404)
    assert [(item["value"], item.get("datasetId")) for item in left] == [
        (5, None),
        (7, None),
        (2, "urn:ngsi-ld:Dataset:b"),
    ]
    assert "temperature" not in (await api.get(sensor)).json


async def test_modify_and_delete_an_instance(api, sensor):
    first, second = (await api.get(sensor, options="sysAttrs")).json["temperature"]

    modified = await api.patch(f"{sensor}/attrs/temperature/{first['instanceId']}", at(8, 4, unitCode="CEL"))
    wrapped = await api.patch(f"{sensor}/attrs/temperature/{second['instanceId']}", {"temperature": [at(11, 6)]})
    after = (await api.get(sensor, options="sysAttrs")).json["temperature"]
    deleted = await api.delete(f"{sensor}/attrs/temperature/{first['instanceId']}")
    gone = await api.delete(f"{sensor}/attrs/temperature/{first['instanceId']}")

    assert (modified.status, wrapped.status, deleted.status, gone.status) == (204, 204, 204, 404)
    assert [(one["value"], one["observedAt"]) for one in after] == [
        (4, "2026-11-23T08:00:00Z"),
        (6, "2026-11-23T11:00:00Z"),
    ]
    assert (after[0]["instanceId"], after[0]["createdAt"]) == (first["instanceId"], first["createdAt"])
    assert after[0]["unitCode"] == "CEL"
    assert after[0]["modifiedAt"] > first["modifiedAt"]
    assert [value for value, _ in await values(api, sensor)] == [6]


async def test_delete_an_evolution(api, sensor):
    assert [(await api.delete(sensor)).status, (await api.delete(sensor)).status] == [204, 404]
    assert (await api.get(sensor)).status == 404


async def test_every_write_of_the_current_state_is_recorded_and_seen_at_once(api):
    path = "/entities/urn:ngsi-ld:Lamp:1"
    await api.delete(f"/temporal{path}")
    await api.delete(path)
    await api.post("/entities", {"id": "urn:ngsi-ld:Lamp:1", "type": "Lamp", "power": {"value": 0}, "scope": "/A"})
    for power in range(1, 20):
        await api.patch(f"{path}/attrs/power", {"value": power})
        (last,) = (await api.get(f"/temporal{path}", lastN=1)).json["power"]
        assert last["value"] == power

    evolution = (await api.get(f"/temporal{path}", options="sysAttrs")).json
    assert [one["value"] for one in evolution["power"]] == list(range(20))
    assert [one["createdAt"] for one in evolution["power"]] == sorted(one["createdAt"] for one in evolution["power"])
    (scope,) = evolution["scope"]
    assert (scope["value"], scope["observedAt"]) == ("/A", scope["modifiedAt"])


async def test_a_write_that_changes_nothing_adds_nothing(api):
    body = {"id": "urn:ngsi-ld:Lamp:2", "type": "Lamp", "power": {"value": 1}, "expiresAt": "2099-01-01T00:00:00Z"}
    for _ in range(3):
        await api.post("/entityOperations/upsert", [body])
    await api.patch("/entities/urn:ngsi-ld:Lamp:2/attrs", {"power": {"value": True}})

    assert [one["value"] for one in (await api.get("/temporal/entities/urn:ngsi-ld:Lamp:2")).json["power"]] == [1, True]


async def test_what_is_deleted_leaves_its_mark(api):
    path = "/entities/urn:ngsi-ld:Lamp:3"
    await api.post(
        "/entities",
        {"id": "urn:ngsi-ld:Lamp:3", "type": "Lamp", "power": {"value": 1}, "name": {"languageMap": {"fr": "Foch"}}},
    )
    await api.delete(f"{path}/attrs/name")
    (name,) = (await api.get(f"/temporal{path}", timeproperty="deletedAt")).json["name"]
    await api.delete(path)

    evolution = (await api.get(f"/temporal{path}", options="sysAttrs")).json
    assert name["languageMap"] == {"@none": "urn:ngsi-ld:null"}
    assert name["deletedAt"] > "2026"
    assert [one["value"] for one in evolution["power"]] == [1, "urn:ngsi-ld:null"]
    assert evolution["deletedAt"] == evolution["power"][1]["deletedAt"]


async def test_an_entity_made_anew_goes_on_with_its_history(api):
    path = "/entities/urn:ngsi-ld:Lamp:4"
    for power in (1, 2):
        await api.post("/entities", {"id": "urn:ngsi-ld:Lamp:4", "type": "Lamp", "power": {"value": power}})
        await api.delete(path)
    await api.post("/entities", {"id": "urn:ngsi-ld:Lamp:4", "type": "Lamp", "power": {"value": 3}})

    evolution = (await api.get(f"/temporal{path}", options="sysAttrs")).json
    assert [one["value"] for one in evolution["power"]] == [1, "urn:ngsi-ld:null", 2, "urn:ngsi-ld:null", 3]
    assert "deletedAt" not in evolution


async def test_what_is_recorded_after_an_evolution_was_deleted_is_there(api):
    path = "/entities/urn:ngsi-ld:Lamp:5"
    await api.post("/entities", {"id": "urn:ngsi-ld:Lamp:5", "type": "Lamp", "power": {"value": 1}})
    assert (await api.delete(f"/temporal{path}")).status == 204

    await api.patch(f"{path}/attrs/power", {"value": 2})

    assert [one["value"] for one in (await api.get(f"/temporal{path}")).json["power"]] == [2]


async def test_every_kind_of_attribute_comes_back_as_it_was(api):
    members = {
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.364, 48.957]}},
        "partOf": {"type": "Relationship", "object": ["urn:ngsi-ld:A:1", "urn:ngsi-ld:A:2"]},
        "name": {"type": "LanguageProperty", "languageMap": {"fr": "Foch"}},
        "config": {"type": "JsonProperty", "json": {"a.b": {"$c": None}}},
        "category": {"type": "VocabProperty", "vocab": "street"},
        "steps": {"type": "ListProperty", "valueList": [1, 2]},
        "path": {"type": "ListRelationship", "objectList": [{"object": "urn:ngsi-ld:A:1"}]},
        "depth": {"type": "Property", "value": 2**60, "accuracy": {"type": "Property", "value": 0.1}},
    }
    await api.post("/entities", {"id": "urn:ngsi-ld:Lamp:6", "type": "Lamp", **members})

    evolution = (await api.get("/temporal/entities/urn:ngsi-ld:Lamp:6")).json
    for name, expected in members.items():
        (one,) = evolution[name]
        assert {member: value for member, value in one.items() if member != "instanceId"} == expected


async def test_values_that_mongodb_cannot_store_are_refused_and_large_ones_are_not(api):
    huge = {"id": "urn:ngsi-ld:Sensor:huge", "type": "Huge", "values": [at(10, [1] * 3_000_000)]}
    large = {"id": "urn:ngsi-ld:Sensor:large", "type": "Huge", "values": [at(hour, [1] * 300_000) for hour in range(8)]}

    assert (await api.post("/temporal/entities", huge)).status == 400
    assert (await api.post("/temporal/entities", large)).status in (201, 204)
    assert len((await api.get("/temporal/entities/urn:ngsi-ld:Sensor:large")).json["values"]) == 8


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/temporal/entities", {"id": "x", "type": "T"}, 400),
        ("POST", "/temporal/entities", {"id": ID}, 400),
        ("POST", "/temporal/entities", [], 400),
        ("POST", "/temporal/entities", {**SENSOR, "temperature": [{"type": "Property"}]}, 400),
        ("PATCH", f"{PATH}/attrs/temperature/x", at(8, 4), 400),
        ("PATCH", f"{PATH}/attrs/temperature/urn:x:1", at(8, 4), 404),
        ("PATCH", f"{PATH}/attrs/temperature/urn:ngsi-ld:Instance:zz", at(8, 4), 404),
        ("PATCH", f"{PATH}/attrs/temperature/urn:ngsi-ld:Instance:1", {"temperature": [at(8, 4), at(9, 4)]}, 400),
        ("PATCH", f"{PATH}/attrs/temperature/urn:ngsi-ld:Instance:1", {}, 400),
        ("DELETE", "/temporal/entities/x", None, 400),
        ("DELETE", f"{PATH}/attrs/scope", None, 400),
        ("GET", "/temporal/entities/x", None, 400),
        ("GET", f"{PATH}?pick=temperature,humidity&omit=temperature", None, 400),
        ("GET", f"{PATH}?pick=unknown", None, 404),
        ("GET", f"{PATH}?attrs=unknown", None, 404),
        ("GET", f"{PATH}?format=concise", None, 400),
        ("GET", f"{PATH}?options=temporalValues,aggregatedValues", None, 400),
    ],
)
async def test_bad_requests(api, sensor, method, path, body, status):
    answer = await api(method, path, body)

    assert answer.status == status
    assert answer.json["detail"]


async def test_many_requests_at_once_for_one_entity(api):
    path = "/temporal/entities/urn:ngsi-ld:Sensor:busy"
    await api.delete(path)
    bodies = [
        {
            "id": "urn:ngsi-ld:Sensor:busy",
            "type": "Sensor",
            "temperature": [
                {"type": "Property", "value": n, "observedAt": f"2026-11-{day:02d}T{n // 60:02d}:{n % 60:02d}:00Z"}
                for n in range(100)
            ],
        }
        for day in range(1, 25)
    ]

    answers = await asyncio.gather(*(api.post("/temporal/entities", body) for body in bodies))

    assert sorted(answer.status for answer in answers) == [201] + [204] * 23
    assert len(await values(api, path)) == 2400
