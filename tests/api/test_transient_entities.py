"""Transient entities and attributes (4.22): expiresAt on every kind; what has expired is not there."""

import asyncio
from datetime import UTC, datetime, timedelta

from ngsi_ld.attributes import KINDS

LATER = "2100-01-01T00:00:00Z"
VALUES = {
    "Property": {"value": 1, "sub": {"type": "Property", "value": 2, "expiresAt": LATER}},
    "GeoProperty": {"value": {"type": "Point", "coordinates": [4.36, 48.95]}},
    "Relationship": {"object": "urn:ngsi-ld:X:1"},
    "LanguageProperty": {"languageMap": {"en": "hi"}},
    "JsonProperty": {"json": {"a": 1}},
    "VocabProperty": {"vocab": "stopped"},
    "ListProperty": {"valueList": [1, 2]},
    "ListRelationship": {"objectList": ["urn:ngsi-ld:X:1"]},
}


def soon():
    return (datetime.now(UTC) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_every_kind_can_expire_and_says_so_when_asked(api):
    attributes = {f"a{kind}": {"type": kind, "expiresAt": LATER, **VALUES[kind]} for kind in KINDS}
    body = {"id": "urn:ngsi-ld:Transient:1", "type": "Transient", "expiresAt": LATER, **attributes}
    assert (await api.post("/entities", body)).status == 201

    shown = (await api.get("/entities/urn:ngsi-ld:Transient:1", options="sysAttrs")).json
    assert shown["expiresAt"] == LATER
    assert {name for name in attributes if shown[name]["expiresAt"] == LATER} == set(attributes)
    assert shown["aProperty"]["sub"]["expiresAt"] == LATER
    assert b"expiresAt" not in (await api.get("/entities/urn:ngsi-ld:Transient:1")).body


async def test_what_has_expired_is_not_there(api):
    one = "/entities/urn:ngsi-ld:Transient:2"
    instances = [{"value": 1}, {"value": 2, "datasetId": "urn:d:1", "expiresAt": soon()}]
    whole = {"id": "urn:ngsi-ld:Transient:3", "type": "Short", "expiresAt": soon(), "of": 1}
    lasting = {"id": "urn:ngsi-ld:Transient:2", "type": "Short", "speed": instances, "near": {"object": whole["id"]}}
    assert (await api.post("/entityOperations/create", [whole, lasting])).status == 201
    assert (await api.get(one, join="inline")).json["near"]["entity"]["id"] == whole["id"]

    await asyncio.sleep(1.2)

    shown = (await api.get(one, join="inline")).json
    assert shown["speed"] == {"type": "Property", "value": 1}
    assert "entity" not in shown["near"]
    assert (await api.get(f"/entities/{whole['id']}")).status == 404
    found = await api.get("/entities", type="Short", count="true")
    assert [entity["id"] for entity in found.json] == [lasting["id"]]
    assert found.headers["NGSILD-Results-Count"] == "1"
    assert (await api.get("/entities", type="Short", q="speed==2")).json == []
    assert (await api.get(f"{one}/attrs/speed/value", datasetId="urn:d:1")).status == 404


async def test_an_entity_made_too_late_is_never_seen(api):
    body = {"id": "urn:ngsi-ld:Transient:4", "type": "Transient", "expiresAt": "2020-01-01T00:00:00Z"}
    assert (await api.post("/entities", body)).status == 201

    assert (await api.get("/entities/urn:ngsi-ld:Transient:4")).status == 404
    assert (await api.post("/entities", body | {"expiresAt": LATER})).status == 201
