"""GET and PUT /entities/{id}/attrs/{name}/value: one value as bare JSON, in and out."""

import pytest

ROOM = "/entities/urn:ngsi-ld:Room:1"
VALUE = f"{ROOM}/attrs/{{}}/value".format


@pytest.fixture(autouse=True)
async def room(api):
    body = {
        "id": "urn:ngsi-ld:Room:1",
        "type": "Room",
        "temperature": [
            {"value": 21.5, "unitCode": "CEL", "observedAt": "2026-11-23T08:00:00Z"},
            {"value": 22, "datasetId": "urn:d:2"},
        ],
        "in": {"object": "urn:ngsi-ld:Floor:1"},
        "label": {"languageMap": {"fr": "Salle", "en": "Room"}},
        "use": {"vocab": "office"},
        "doors": {"objectList": ["urn:ngsi-ld:Door:1", "urn:ngsi-ld:Door:2"]},
        "scope": "/a",
    }
    await api.delete(ROOM)
    assert (await api.post("/entities", body)).status == 201


async def test_values_of_every_kind(api):
    assert (await api.get(VALUE("temperature"))).json == 21.5
    assert (await api.get(VALUE("temperature"), datasetId="urn:d:2")).json == 22
    assert (await api.get(VALUE("in"))).json == "urn:ngsi-ld:Floor:1"
    assert (await api.get(VALUE("label"))).json == {"fr": "Salle", "en": "Room"}
    assert (await api.get(VALUE("label"), lang="fr")).json == "Salle"
    assert (await api.get(VALUE("use"))).json == "office"
    assert (await api.get(VALUE("doors"))).json == ["urn:ngsi-ld:Door:1", "urn:ngsi-ld:Door:2"]


async def test_a_value_is_set_and_the_rest_stays(api):
    assert (await api.put(VALUE("temperature"), 23)).status == 204

    default, other = (await api.get(ROOM)).json["temperature"]
    assert default == {"type": "Property", "value": 23, "unitCode": "CEL"}
    assert other["value"] == 22


async def test_the_time_of_a_value_is_that_of_the_new_one(api):
    assert (await api.put(VALUE("temperature"), 23, observedAt="2026-11-23T09:00:00Z")).status == 204

    assert (await api.get(ROOM)).json["temperature"][0]["observedAt"] == "2026-11-23T09:00:00Z"


async def test_other_kinds_keep_their_kind(api):
    for name, value in [("in", "urn:ngsi-ld:Floor:2"), ("doors", ["urn:ngsi-ld:Door:3"]), ("use", "lab")]:
        assert (await api.put(VALUE(name), value)).status == 204
        assert (await api.get(VALUE(name))).json == value
    assert (
        await api.put(VALUE("label"), b'"Salon"', lang="fr", headers={"Content-Type": "application/json"})
    ).status == 204
    assert (await api.get(VALUE("label"))).json == {"fr": "Salon", "en": "Room"}


@pytest.mark.parametrize(
    ("name", "body", "status", "error"),
    [
        ("temperature", b"null", 400, "InvalidRequest"),
        ("temperature", b'"urn:ngsi-ld:null"', 400, "InvalidRequest"),
        ("temperature", b"", 400, "InvalidRequest"),
        ("in", b"5", 400, "BadRequestData"),
        ("doors", b'"urn:ngsi-ld:Door:3"', 400, "BadRequestData"),
        ("label", b'{"fr": 5}', 400, "BadRequestData"),
        ("scope", b'"/b"', 400, "BadRequestData"),
        ("nothing", b"5", 404, "ResourceNotFound"),
    ],
)
async def test_what_is_refused(api, name, body, status, error):
    before = (await api.get(ROOM, options="sysAttrs")).json

    answer = await api.put(VALUE(name), body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (status, error)
    assert (await api.get(ROOM, options="sysAttrs")).json == before


async def test_what_cannot_be_had(api):
    assert (await api.get(VALUE("nothing"))).status == 404
    assert (await api.get(VALUE("temperature"), datasetId="urn:d:3")).status == 404
    assert (await api.get(VALUE("temperature"), type="Hall")).status == 404
    assert (await api.get(VALUE("scope"))).status == 400
    assert (await api.get(VALUE("temperature"), headers={"Accept": "application/ld+json"})).status == 406
    assert (await api.put(VALUE("temperature"), 1, lang="fr")).status == 400
