"""Retrieve Entity over this broker and its context sources (GS CIM 009 v1.9.1, 5.7.1, 4.3.6, 4.5.5)."""

import pytest

from tests.federation.conftest import vehicle


async def test_what_is_only_at_the_source_is_found(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=50))
    await register(front, source)

    there = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")
    local = await front.get("/entities/urn:ngsi-ld:Vehicle:1", local="true")

    assert there.json == {"id": "urn:ngsi-ld:Vehicle:1", "type": "Vehicle", "speed": 50}
    assert local.status == 404


async def test_both_parts_are_one_entity_and_the_latest_observation_stands(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    early = {"type": "Property", "value": 1, "observedAt": "2026-11-23T08:00:00Z"}
    late = {"type": "Property", "value": 2, "observedAt": "2026-11-23T09:00:00Z"}
    await source.post("/entities", vehicle(1, speed=late, level=early, colour="red"))
    await front.post("/entities", vehicle(1, speed=early, level=late, brand="M"))
    await register(front, source)

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")

    assert answer.json == vehicle(1) | {"speed": 2, "level": 2, "colour": "red", "brand": "M"}


async def test_what_was_modified_last_stands_where_nothing_was_observed(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=1))
    await front.post("/entities", vehicle(1, speed=2))
    await source.patch("/entities/urn:ngsi-ld:Vehicle:1/attrs", {"speed": {"value": 3}})
    await register(front, source)

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")

    assert answer.json["speed"] == 3


async def test_auxiliary_sources_fill_gaps_and_override_nothing(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await front.post("/entities", vehicle(1, speed=1))
    await source.post("/entities", vehicle(1, speed=2, colour="red"))
    await register(front, source, mode="auxiliary", operations=["retrieveOps"])

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")

    assert answer.json == vehicle(1) | {"speed": 1, "colour": "red"}


async def test_a_source_gives_what_it_is_registered_for_and_no_more(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=2, colour="red"))
    await source.post("/entities", {"id": "urn:ngsi-ld:Bike:1", "type": "Bike", "speed": {"value": 1}})
    await register(front, source, [{"entities": [{"type": "Vehicle"}], "propertyNames": ["speed"]}])

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")
    other = await front.get("/entities/urn:ngsi-ld:Vehicle:1", attrs="colour")
    bike = await front.get("/entities/urn:ngsi-ld:Bike:1")

    assert answer.json == vehicle(1) | {"speed": 2}
    assert other.status == 404
    assert bike.status == 404


@pytest.mark.parametrize("operation", ["retrieveEntity", "queryEntity", "queryBatch"])
async def test_a_source_is_asked_in_the_way_that_it_takes(tenant, register, operation):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=2))
    await register(front, source, operations=[operation])

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="keyValues")

    assert answer.json == vehicle(1) | {"speed": 2}


async def test_system_attributes_are_those_of_the_source(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=2))
    await register(front, source)

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", options="sysAttrs")
    there = await source.get("/entities/urn:ngsi-ld:Vehicle:1", options="sysAttrs")

    assert answer.json == there.json


async def test_links_are_followed_to_other_brokers(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    parked = {"type": "Relationship", "object": "urn:ngsi-ld:Parking:1"}
    await front.post("/entities", vehicle(1, parked=parked))
    await source.post("/entities", {"id": "urn:ngsi-ld:Parking:1", "type": "Parking", "places": {"value": 9}})
    await register(front, source, [{"entities": [{"type": "Parking"}]}])

    answer = await front.get("/entities/urn:ngsi-ld:Vehicle:1", join="inline")
    queried = await front.get("/entities", type="Vehicle", join="flat")

    assert answer.json["parked"]["entity"]["places"]["value"] == 9
    assert [one["id"] for one in queried.json] == ["urn:ngsi-ld:Vehicle:1", "urn:ngsi-ld:Parking:1"]


async def test_each_side_may_have_names_of_its_own(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    theirs = {"vitesse": "https://example.org/speed", "Voiture": "https://example.org/Vehicle"}
    ours = {"speed": "https://example.org/speed", "Vehicle": "https://example.org/Vehicle"}
    body = {"id": "urn:ngsi-ld:Vehicle:1", "type": "Voiture", "vitesse": {"value": 5}, "@context": theirs}
    await source.post("/entities", body)
    await register(front, source, [{"entities": [{"type": "https://example.org/Vehicle"}]}])
    selector = {"type": "Query", "entities": [{"type": "Vehicle"}], "q": "speed>4", "@context": ours}

    answer = await front.post("/entityOperations/query", selector, options="keyValues")

    assert (answer.headers.get("NGSILD-Warning"), answer.json) == (
        None,
        [{"id": "urn:ngsi-ld:Vehicle:1", "type": "Vehicle", "speed": 5}],
    )
