"""/entities and /entities/{id} (6.4, 6.5): create, retrieve, query, replace, merge, delete."""

import asyncio

import pytest

from tests.api.conftest import CORE

LIGHT = {
    "id": "urn:ngsi-ld:Streetlight:1",
    "type": "Streetlight",
    "powerState": {"type": "Property", "value": "on", "observedAt": "2026-11-23T17:02:00Z"},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.364, 48.957]}},
    "refCabinet": {"type": "Relationship", "object": "urn:ngsi-ld:StreetlightControlCabinet:1"},
    "name": {"type": "LanguageProperty", "languageMap": {"fr": "Place Foch"}},
}


@pytest.fixture
async def light(api):
    await api.delete(f"/entities/{LIGHT['id']}")
    assert (await api.post("/entities", LIGHT)).status == 201
    return f"/entities/{LIGHT['id']}"


async def test_create(api):
    answer = await api.post("/entities/", {**LIGHT, "id": "urn:ngsi-ld:Streetlight:new"})

    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Location"] == "/ngsi-ld/v1/entities/urn:ngsi-ld:Streetlight:new"
    assert answer.headers["NGSILD-Tenant"] == api.tenant


async def test_create_twice(api, light):
    answer = await api.post("/entities", LIGHT)

    assert answer.status == 409
    assert answer.json["type"] == "https://uri.etsi.org/ngsi-ld/errors/AlreadyExists"
    assert LIGHT["id"] in answer.json["detail"]


async def test_of_many_that_create_at_once_one_succeeds(api):
    entity = {"id": "urn:ngsi-ld:Streetlight:race", "type": "Streetlight"}

    answers = await asyncio.gather(*(api.post("/entities", entity) for _ in range(20)))

    assert sorted(answer.status for answer in answers) == [201] + [409] * 19


async def test_retrieve_in_json(api, light):
    answer = await api.get(light)

    assert answer.status == 200
    assert answer.json == LIGHT
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Link"] == (
        f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    )


async def test_retrieve_in_json_ld(api, light):
    answer = await api.get(light, headers={"Accept": "application/ld+json"})

    assert answer.headers["Content-Type"] == "application/ld+json"
    assert answer.json == {**LIGHT, "@context": CORE}
    assert "Link" not in answer.headers


async def test_retrieve_in_geo_json(api, light):
    answer = await api.get(
        light, headers={"Accept": "application/geo+json"}, options="keyValues", attrs="powerState,location"
    )

    assert answer.headers["Content-Type"] == "application/geo+json"
    assert answer.json == {
        "id": LIGHT["id"],
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [4.364, 48.957]},
        "properties": {
            "type": "Streetlight",
            "powerState": "on",
            "location": {"type": "Point", "coordinates": [4.364, 48.957]},
        },
        "@context": CORE,
    }


@pytest.mark.parametrize(
    "form", [{"format": "simplified"}, {"options": "keyValues"}, {"format": "keyValues", "options": "normalized"}]
)
async def test_retrieve_simplified(api, light, form):
    answer = await api.get(light, attrs="powerState,refCabinet", **form)

    assert answer.json == {
        "id": LIGHT["id"],
        "type": "Streetlight",
        "powerState": "on",
        "refCabinet": "urn:ngsi-ld:StreetlightControlCabinet:1",
    }


async def test_retrieve_concise_with_system_attributes(api, light):
    answer = await api.get(light, format="concise", options="sysAttrs", pick="id,refCabinet,createdAt")

    assert sorted(answer.json) == ["createdAt", "id", "refCabinet"]
    assert sorted(answer.json["refCabinet"]) == ["createdAt", "modifiedAt", "object"]


async def test_numbers_come_back_exactly(api):
    numbers = [2**63 - 1, -(2**63), 2**64 - 1, 0.1, 1e300, 12345678901234567, -0.0]
    path = "/entities/urn:ngsi-ld:Numbers:1"

    await api.post("/entities", {"id": "urn:ngsi-ld:Numbers:1", "type": "Numbers", "n": numbers, "o": {"$x.y": 1}})

    simplified = (await api.get(path, format="simplified")).json
    assert simplified["n"] == numbers
    assert simplified["o"] == {"$x.y": 1}


async def test_delete(api, light):
    assert (await api.delete(light)).status == 204
    assert (await api.get(light)).status == 404
    assert (await api.delete(light)).status == 404


async def test_replace(api, light):
    created = (await api.get(light, options="sysAttrs")).json["createdAt"]

    assert (await api.put(light, {"type": "Streetlight", "powerState": "off"})).status == 204

    assert (await api.get(light, format="concise")).json == {
        "id": LIGHT["id"],
        "type": "Streetlight",
        "powerState": "off",
    }
    assert (await api.get(light, options="sysAttrs")).json["createdAt"] == created


async def test_merge(api, light):
    body = {"powerState": {"value": "off"}, "refCabinet": "urn:ngsi-ld:null", "level": 3}

    assert (await api.patch(light, body, headers={"Content-Type": "application/merge-patch+json"})).status == 204

    changed = (await api.get(light)).json
    assert changed["powerState"] == {"type": "Property", "value": "off", "observedAt": "2026-11-23T17:02:00Z"}
    assert changed["level"] == {"type": "Property", "value": 3}
    assert "refCabinet" not in changed


async def test_a_type_that_is_asked_for_must_match(api, light):
    assert (await api.get(light, type="Streetlight")).status == 200
    assert (await api.get(light, type="Building")).status == 404
    assert (await api.delete(light, type="Building")).status == 404


async def test_writers_of_one_entity_lose_nothing(api):
    path = "/entities/urn:ngsi-ld:Shared:1"
    await api.post("/entities", {"id": "urn:ngsi-ld:Shared:1", "type": "Shared"})

    answers = await asyncio.gather(*(api.post(f"{path}/attrs", {f"a{n}": n}) for n in range(50)))

    assert {answer.status for answer in answers} == {204}
    assert len((await api.get(path)).json) == 52


async def test_what_has_expired_is_gone_at_once_and_leaves_its_place(api):
    path = "/entities/urn:ngsi-ld:Short:1"
    entity = {"id": "urn:ngsi-ld:Short:1", "type": "Short", "expiresAt": "2020-01-01T00:00:00Z"}

    assert (await api.post("/entities", entity)).status == 201
    assert (await api.get(path)).status == 404
    assert (await api.get("/entities", type="Short")).json == []
    assert (await api.post("/entities", {"id": "urn:ngsi-ld:Short:1", "type": "Short"})).status == 201
    assert (await api.get(path)).status == 200


async def test_head_and_options(api, light):
    head = await api("HEAD", light)
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 100

    options = await api("OPTIONS", light)
    assert options.status == 204
    assert options.headers["Allow"] == "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"


async def test_browsers_may_call(api, light):
    preflight = await api(
        "OPTIONS", light, headers={"Origin": "https://ville.example", "Access-Control-Request-Method": "PATCH"}
    )
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]

    answer = await api.get(light, headers={"Origin": "https://ville.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
