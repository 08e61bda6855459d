"""Batches and purges over this broker and its context sources (GS CIM 009 v1.9.1, 5.6.7 to 5.6.10, 5.6.20, 5.6.21)."""

import pytest
from aiohttp import web

from tests.federation.conftest import vehicle
from tests.federation.test_write_entity import EVERYTHING, property_of, values

V1, V2, V3 = (f"urn:ngsi-ld:Vehicle:{number}" for number in (1, 2, 3))
BATCHES = ["createBatch", "upsertBatch", "updateBatch", "mergeBatch", "deleteBatch"]
SINGLES = ["createEntity", "replaceEntity", "updateEntity", "appendAttrs", "mergeEntity", "deleteEntity"]


def info(entity_id, *names):
    return [{"entities": [{"id": entity_id, "type": "Vehicle"}], **({"propertyNames": list(names)} if names else {})}]


@pytest.fixture(params=["batch", "single"])
async def divided(request, tenant, register):
    """A front, a source that alone has the speed of Vehicle 1, and one that alone has Vehicle 2."""
    front, speeds, second = [await tenant(name) for name in ("front", "speeds", "second")]
    operations = BATCHES if request.param == "batch" else SINGLES
    await register(front, speeds, info(V1, "speed"), mode="exclusive", operations=operations)
    await register(front, second, info(V2), mode="redirect", operations=operations)
    return front, speeds, second


async def test_each_part_of_a_batch_goes_where_it_belongs(divided):
    front, speeds, second = divided
    batch = [vehicle(1, speed=1, brand="A"), vehicle(2, speed=2), vehicle(3, speed=3)]

    created = await front.post("/entityOperations/create", batch)
    assert (created.status, set(created.json)) == (201, {V1, V2, V3})
    assert [await values(front, one) for one in (V1, V2, V3)] == [{"brand": "A"}, None, {"speed": 3}]
    assert await values(speeds, V1) == {"speed": 1}
    assert await values(second, V2) == {"speed": 2}

    again = await front.post("/entityOperations/create", batch)
    assert again.status == 207
    assert again.json["success"] == []
    assert sorted(error["entityId"] for error in again.json["errors"]) == [V1, V1, V2, V3]
    assert sum("registrationId" in error for error in again.json["errors"]) == 2

    batch = [vehicle(1, speed=4, brand="B"), vehicle(2, seats=2), vehicle(3, speed=6)]
    assert (await front.post("/entityOperations/upsert", batch)).status == 204
    assert [await values(front, one) for one in (V1, V2, V3)] == [{"brand": "B"}, None, {"speed": 6}]
    assert await values(speeds, V1) == {"speed": 4}
    assert await values(second, V2) == {"seats": 2}

    batch = [vehicle(1, speed=5), vehicle(2, speed=7)]
    assert (await front.post("/entityOperations/upsert", batch, options="update")).status == 204
    assert await values(speeds, V1) == {"speed": 5}
    assert await values(second, V2) == {"seats": 2, "speed": 7}

    batch = [vehicle(1, speed=8, brand="C"), vehicle(2, speed=9)]
    assert (await front.post("/entityOperations/update", batch)).status == 204
    assert [await values(front, V1), await values(speeds, V1)] == [{"brand": "C"}, {"speed": 8}]
    assert await values(second, V2) == {"seats": 2, "speed": 9}

    kept = await front.post("/entityOperations/update", [vehicle(2, speed=0, doors=4)], options="noOverwrite")
    assert kept.status == 207
    assert await values(second, V2) == {"seats": 2, "speed": 9, "doors": 4}

    batch = [{"id": V1, "speed": 10}, {"id": V2, "doors": "urn:ngsi-ld:null"}]
    assert (await front.post("/entityOperations/merge", batch)).status == 204
    assert await values(speeds, V1) == {"speed": 10}
    assert await values(second, V2) == {"seats": 2, "speed": 9}

    gone = await front.post("/entityOperations/delete", [V1, V2, V3])
    assert gone.status == 204
    assert [await values(front, one) for one in (V1, V2, V3)] == [None, None, None]
    assert [await values(speeds, V1), await values(second, V2)] == [None, None]


async def test_inclusive_sources_get_copies_if_they_take_such(tenant, register):
    front, taking, other = [await tenant(name) for name in ("front", "taking", "other")]
    await register(front, taking, operations=BATCHES)
    await register(front, other)

    created = await front.post("/entityOperations/create", [vehicle(1, speed=1), vehicle(2, speed=2)])

    assert (created.status, sorted(created.json)) == (201, [V1, V2])
    assert [await values(one, V2) for one in (front, taking, other)] == [{"speed": 2}, {"speed": 2}, None]


async def test_what_a_source_alone_has_and_does_not_take_is_a_conflict_for_each_entity(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    registration = await register(front, source, info(V1), mode="redirect")

    answer = await front.post("/entityOperations/upsert", [vehicle(1, speed=1), vehicle(2, speed=2)])

    assert answer.status == 207
    assert answer.json["success"] == [V2]
    (error,) = answer.json["errors"]
    assert (error["entityId"], error["registrationId"], error["error"]["status"]) == (V1, registration, 409)
    assert error["error"]["type"] == "https://uri.etsi.org/ngsi-ld/errors/Conflict"


async def test_an_entity_that_exists_at_a_source_that_can_only_create(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=1))
    await register(front, source, mode="redirect", operations=["createEntity"])

    answer = await front.post("/entityOperations/upsert", [vehicle(1, speed=2), vehicle(2, speed=2)])

    assert answer.status == 207
    assert answer.json["success"] == [V2]
    assert answer.json["errors"][0]["error"]["type"] == "https://uri.etsi.org/ngsi-ld/errors/OperationNotSupported"


async def test_a_source_that_fails_costs_its_parts_only(tenant, register, server):
    async def failing(_request):
        return web.Response(status=500, text="<html>")

    front = await tenant("front")
    url = await server(failing)
    registration = await register(front, url, info(V1, "speed"), mode="exclusive", operations=BATCHES)
    unreadable = {"id": V3, "type": "Vehicle", "speed": {"type": "Property"}}

    answer = await front.post(
        "/entityOperations/create", [vehicle(1, speed=1, brand="A"), vehicle(2, speed=2), unreadable]
    )

    assert answer.status == 207
    assert answer.json["success"] == [V1, V2]
    errors = {error["entityId"]: error for error in answer.json["errors"]}
    assert (errors[V1]["registrationId"], errors[V1]["error"]["status"]) == (registration, 500)
    assert errors[V3]["error"]["status"] == 400
    assert await values(front, V1) == {"brand": "A"}


async def test_elements_may_each_have_names_of_their_own(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, mode="redirect", operations=BATCHES)
    one = vehicle(1, speed=property_of(1)) | {"@context": {"speed": "https://example.org/speed"}}
    other = vehicle(2, speed=property_of(2)) | {"@context": {"speed": "https://example.org/velocity"}}

    created = await front.post("/entityOperations/create", [one, other])

    assert created.status == 201
    assert await values(source, V1) == {"https://example.org/speed": 1}
    assert await values(source, V2) == {"https://example.org/velocity": 2}


async def test_a_purge_is_for_what_the_source_is_registered_for(tenant, register):
    front, one, all_of_them, no_purge = [await tenant(name) for name in ("front", "one", "all", "none")]
    for client in (front, one, all_of_them, no_purge):
        for number in (1, 2):
            await client.post("/entities", vehicle(number, speed=number, brand="M"))
    await register(front, one, info(V1, "seats"), mode="exclusive", operations=EVERYTHING)
    await register(front, all_of_them, operations=EVERYTHING)
    await register(front, no_purge)

    answer = await front.delete("/entities", type="Vehicle", q="speed>0")

    assert answer.status == 204
    assert [await values(front, V1), await values(front, V2)] == [None, None]
    assert [await values(one, V1), await values(one, V2)] == [None, {"speed": 2, "brand": "M"}]
    assert [await values(all_of_them, V1), await values(all_of_them, V2)] == [None, None]
    assert await values(no_purge, V1) == {"speed": 1, "brand": "M"}


async def test_a_purge_of_attributes_leaves_those_that_are_not_registered(tenant, register):
    front, dropping, keeping = [await tenant(name) for name in ("front", "dropping", "keeping")]
    for client in (dropping, keeping):
        await client.post("/entities", vehicle(1, speed=1, brand="M", seats=4))
    registered = [{"entities": [{"type": "Vehicle"}], "propertyNames": ["speed", "seats"]}]
    await register(front, dropping, registered, operations=EVERYTHING)

    await front.delete("/entities", type="Vehicle", drop="speed,brand")
    assert await values(dropping, V1) == {"brand": "M", "seats": 4}

    await front.delete("/entities", type="Vehicle", keep="speed")
    assert await values(dropping, V1) == {"brand": "M"}


async def test_a_purge_that_fails_at_a_source_says_so(tenant, register, server):
    async def failing(_request):
        return web.json_response({"title": "No", "detail": "not you"}, status=403)

    front = await tenant("front")
    await front.post("/entities", vehicle(1, speed=1))
    registration = await register(front, await server(failing), operations=EVERYTHING)

    partly = await front.delete("/entities", type="Vehicle")
    wholly = await front.delete("/entities", type="Vehicle")

    assert partly.status == 207
    assert partly.json["success"] == [V1]
    assert partly.json["errors"][0]["registrationId"] == registration
    assert partly.json["errors"][0]["error"]["status"] == 403
    assert wholly.status == 502


async def test_a_purge_where_the_source_alone_has_it_and_takes_none(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, mode="redirect")

    answer = await front.delete("/entities", type="Vehicle")

    assert (answer.status, answer.json["type"]) == (409, "https://uri.etsi.org/ngsi-ld/errors/Conflict")
