"""/entityOperations (6.14 to 6.17, 6.31): each element its own outcome, in the standard's bodies."""

import pytest

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"


def lamp(n, **members):
    return {"id": f"urn:ngsi-ld:Lamp:{n}", "type": "Lamp", **members}


@pytest.fixture(autouse=True)
async def nothing(api):
    await api.delete("/entities", type="Lamp")


async def test_create(api):
    assert (await api.post("/entityOperations/create", [lamp(1), lamp(2)])).json == [lamp(1)["id"], lamp(2)["id"]]

    answer = await api.post("/entityOperations/create", [lamp(2), lamp(3), {"id": "urn:ngsi-ld:Lamp:4"}])

    assert answer.status == 207
    assert answer.json["success"] == [lamp(3)["id"]]
    assert sorted((one["entityId"], one["error"]["type"]) for one in answer.json["errors"]) == [
        ("urn:ngsi-ld:Lamp:2", f"{ERRORS}AlreadyExists"),
        ("urn:ngsi-ld:Lamp:4", f"{ERRORS}BadRequestData"),
    ]


async def test_upsert(api):
    first = await api.post("/entityOperations/upsert", [lamp(1, a=1, b=2)])
    assert (first.status, first.json) == (201, ["urn:ngsi-ld:Lamp:1"])

    second = await api.post("/entityOperations/upsert", [lamp(1, a=3), lamp(2)])
    assert (second.status, second.json) == (201, ["urn:ngsi-ld:Lamp:2"])
    assert (await api.get("/entities/urn:ngsi-ld:Lamp:1", format="concise")).json == lamp(1, a=3)

    third = await api.post("/entityOperations/upsert", [lamp(1, c=4)], options="update")
    assert (third.status, third.body) == (204, b"")
    assert (await api.get("/entities/urn:ngsi-ld:Lamp:1", format="concise")).json == lamp(1, a=3, c=4)


async def test_the_same_entity_twice_is_done_in_order(api):
    answer = await api.post("/entityOperations/upsert", [lamp(1, a=1), lamp(1, a=2), lamp(1, a=3)])

    assert answer.status == 201
    assert (await api.get("/entities/urn:ngsi-ld:Lamp:1", format="concise")).json == lamp(1, a=3)


async def test_update(api):
    await api.post("/entityOperations/create", [lamp(1, a=1)])

    answer = await api.post("/entityOperations/update", [lamp(1, a=2, b=3), lamp(9, a=1)])

    assert answer.status == 207
    assert answer.json["success"] == ["urn:ngsi-ld:Lamp:1"]
    assert answer.json["errors"][0]["error"]["type"] == f"{ERRORS}ResourceNotFound"
    assert (await api.get("/entities/urn:ngsi-ld:Lamp:1", format="concise")).json == lamp(1, a=2, b=3)


async def test_merge(api):
    await api.post("/entityOperations/create", [lamp(1, a={"value": {"x": 1, "y": 2}})])

    answer = await api.post("/entityOperations/merge", [lamp(1, a={"value": {"y": "urn:ngsi-ld:null"}})])

    assert answer.status == 204
    assert (await api.get("/entities/urn:ngsi-ld:Lamp:1", format="simplified")).json["a"] == {"x": 1}


async def test_delete(api):
    await api.post("/entityOperations/create", [lamp(1), lamp(2)])

    assert (await api.post("/entityOperations/delete", ["urn:ngsi-ld:Lamp:1"])).status == 204
    answer = await api.post("/entityOperations/delete", ["urn:ngsi-ld:Lamp:2", "urn:ngsi-ld:Lamp:9"])

    assert answer.status == 207
    assert answer.json["success"] == ["urn:ngsi-ld:Lamp:2"]


@pytest.mark.parametrize("body", [[], [None], {"id": "urn:x:1"}])
async def test_a_body_that_is_no_batch(api, body):
    answer = await api.post("/entityOperations/upsert", body)

    assert answer.status == 400
    assert answer.json["type"] == f"{ERRORS}BadRequestData"


async def test_a_batch_has_a_limit(api):
    answer = await api.post("/entityOperations/create", [lamp(n) for n in range(1001)])

    assert answer.status == 400
    assert "1000 at most" in answer.json["detail"]
