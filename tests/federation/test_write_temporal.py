"""Writes of temporal evolutions over this broker and its context sources (GS CIM 009 v1.9.1, 5.6.11 to 5.6.16)."""

import pytest

from tests.federation.conftest import vehicle
from tests.federation.test_write_entity import SPEED

V1 = "urn:ngsi-ld:Vehicle:1"
PAST = f"/temporal/entities/{V1}"
WRITES = [
    "upsertTemporal",
    "appendAttrsTemporal",
    "deleteAttrsTemporal",
    "updateAttrInstanceTemporal",
    "deleteAttrInstanceTemporal",
    "deleteTemporal",
]
SPEED_OF_IT = [{"entities": [{"id": V1, "type": "Vehicle"}], "propertyNames": ["speed"]}]


def observed(value, hour):
    return {"type": "Property", "value": value, "observedAt": f"2026-11-23T{hour:02}:00:00Z"}


async def history(client):
    """The values of each attribute in order of time; None where there is no history."""
    answer = await client.get(PAST, options="temporalValues", local="true")
    if answer.status == 404:
        return None
    return {
        name: [value for value, _ in series["values"]]
        for name, series in answer.json.items()
        if name not in ("id", "type")
    }


@pytest.fixture
async def divided(tenant, register):
    """A front, and a source that alone has the speed of a vehicle."""
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, SPEED_OF_IT, mode="exclusive", operations=WRITES)
    return front, source


async def test_each_part_of_the_past_goes_where_it_belongs(divided):
    front, source = divided
    body = vehicle(1) | {"speed": [observed(1, 8), observed(2, 9)], "level": [observed(5, 8)]}

    created = await front.post("/temporal/entities", body)
    assert (created.status, created.headers["Location"]) == (201, f"/ngsi-ld/v1{PAST}")
    assert await history(front) == {"level": [5]}
    assert await history(source) == {"speed": [1, 2]}

    again = await front.post("/temporal/entities", vehicle(1) | {"speed": [observed(3, 10)]})
    assert again.status == 204

    added = await front.post(f"{PAST}/attrs", {"speed": [observed(4, 11)], "level": [observed(6, 9)]})
    assert added.status == 204
    assert await history(front) == {"level": [5, 6]}
    assert await history(source) == {"speed": [1, 2, 3, 4]}

    first = (await source.get(PAST)).json["speed"][0]["instanceId"]
    assert (await front.patch(f"{PAST}/attrs/speed/{first}", observed(9, 8))).status == 204
    assert await history(source) == {"speed": [9, 2, 3, 4]}
    assert (await front.delete(f"{PAST}/attrs/speed/{first}")).status == 204
    assert await history(source) == {"speed": [2, 3, 4]}

    assert (await front.delete(f"{PAST}/attrs/speed")).status == 204
    assert await history(source) == {}
    assert (await front.delete(PAST)).status == 204
    assert [await history(front), await history(source)] == [None, None]


async def test_a_source_of_some_time_only_is_written_to(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    interval = {"startAt": "2026-01-01T00:00:00Z"}
    await register(front, source, mode="redirect", operations=WRITES, managementInterval=interval)

    body = vehicle(1) | {"speed": [observed(1, 8)], "scope": [observed("/a", 8)]}

    created = await front.post("/temporal/entities", body)

    assert created.status == 201
    assert await history(front) is None
    assert await history(source) == {"speed": [1], "scope": ["/a"]}


async def test_an_operation_that_the_source_does_not_take_is_a_conflict(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    registration = await register(front, source, SPEED_OF_IT, mode="exclusive")

    alone = await front.post("/temporal/entities", vehicle(1) | {"speed": [observed(1, 8)]})
    among = await front.post("/temporal/entities", vehicle(1) | {"speed": [observed(1, 8)], "level": [observed(5, 8)]})
    added = await front.post(f"{PAST}/attrs", {"speed": [observed(2, 9)], "level": [observed(6, 9)]})

    assert (alone.status, alone.json["type"]) == (409, "https://uri.etsi.org/ngsi-ld/errors/Conflict")
    assert among.status == 207
    assert [error["registrationId"] for error in among.json["errors"]] == [registration]
    assert added.status == 207
    assert [one["attributeName"] for one in added.json["notUpdated"]] == [SPEED]
    assert await history(front) == {"level": [5, 6]}


async def test_inclusive_sources_get_copies(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, operations=WRITES)

    await front.post("/temporal/entities", vehicle(1) | {"speed": [observed(1, 8)]})
    assert [await history(front), await history(source)] == [{"speed": [1]}, {"speed": [1]}]

    await front.delete(PAST)
    assert [await history(front), await history(source)] == [None, None]
    assert (await front.delete(PAST)).status == 404
