"""Writes of one entity over this broker and its context sources (GS CIM 009 v1.9.1, 4.3.6, 5.6.1 to 5.6.6, 6.3.17)."""

import asyncio

import pytest
from aiohttp import web

from tests.federation.conftest import vehicle

V1 = "urn:ngsi-ld:Vehicle:1"
SPEED = "https://uri.etsi.org/ngsi-ld/default-context/speed"
COLOUR = "https://uri.etsi.org/ngsi-ld/default-context/colour"
EVERYTHING = ["redirectionOps"]


def speed_of(entity_id=V1):
    return [{"entities": [{"id": entity_id, "type": "Vehicle"}], "propertyNames": ["speed"]}]


def property_of(value):
    return {"type": "Property", "value": value}


async def values(client, entity_id=V1, **parameters):
    """The attributes of an entity by their values; None where it is not there."""
    answer = await client.get(f"/entities/{entity_id}", options="keyValues", local="true", **parameters)
    if answer.status == 404:
        return None
    return {name: value for name, value in answer.json.items() if name not in ("id", "type")}


@pytest.fixture
async def mixed(tenant, register):
    """A front where speed is exclusive, colour redirected, and all else inclusive."""
    front, exclusive, redirect, inclusive = [
        await tenant(name) for name in ("front", "exclusive", "redirect", "inclusive")
    ]
    await register(front, exclusive, speed_of(), mode="exclusive", operations=EVERYTHING)
    colours = [{"entities": [{"type": "Vehicle"}], "propertyNames": ["colour"]}]
    await register(front, redirect, colours, mode="redirect", operations=EVERYTHING)
    await register(front, inclusive, operations=EVERYTHING)
    return front, exclusive, redirect, inclusive


async def test_each_part_of_a_write_goes_where_it_belongs(mixed):
    front, exclusive, redirect, inclusive = mixed

    created = await front.post("/entities", vehicle(1, speed=1, colour="red", brand="M"))
    assert (created.status, created.headers["Location"]) == (201, f"/ngsi-ld/v1/entities/{V1}")
    assert await values(front) == {"brand": "M"}
    assert await values(exclusive) == {"speed": 1}
    assert await values(redirect) == {"colour": "red"}
    assert await values(inclusive) == {"brand": "M"}

    appended = await front.post(f"/entities/{V1}/attrs", {"speed": property_of(2), "seats": property_of(4)})
    assert appended.status == 204
    assert await values(front) == {"brand": "M", "seats": 4}
    assert await values(exclusive) == {"speed": 2}
    assert await values(inclusive) == {"brand": "M", "seats": 4}

    fragment = {"speed": property_of(3), "colour": property_of("blue"), "seats": property_of(5)}
    updated = await front.patch(f"/entities/{V1}/attrs", fragment)
    assert updated.status == 204
    assert await values(front) == {"brand": "M", "seats": 5}
    assert await values(exclusive) == {"speed": 3}
    assert await values(redirect) == {"colour": "blue"}
    assert await values(inclusive) == {"brand": "M", "seats": 5}

    merged = await front.patch(
        f"/entities/{V1}", {"speed": {"value": 4, "unitCode": "KMH"}, "seats": "urn:ngsi-ld:null"}
    )
    assert merged.status == 204
    assert await values(front) == {"brand": "M"}
    assert await values(exclusive) == {"speed": 4}
    assert await values(inclusive) == {"brand": "M"}

    assert (await front.patch(f"/entities/{V1}/attrs/speed", {"value": 5})).status == 204
    assert (await front.put(f"/entities/{V1}/attrs/colour", property_of("green"))).status == 204
    assert (await front.put(f"/entities/{V1}/attrs/brand", property_of("N"))).status == 204
    assert (await front.put(f"/entities/{V1}/attrs/speed/value", 6)).status == 204
    assert await values(front) == {"brand": "N"}
    assert await values(exclusive) == {"speed": 6}
    assert await values(redirect) == {"colour": "green"}
    assert await values(inclusive) == {"brand": "N"}

    replaced = await front.put(f"/entities/{V1}", vehicle(1, speed=7, colour="grey", weight=900))
    assert replaced.status == 204
    assert await values(front) == {"weight": 900}
    assert await values(exclusive) == {"speed": 7}
    assert await values(redirect) == {"colour": "grey"}
    assert await values(inclusive) == {"weight": 900}

    assert (await front.delete(f"/entities/{V1}/attrs/speed")).status == 204
    assert await values(exclusive) == {}

    assert (await front.delete(f"/entities/{V1}")).status == 204
    assert [await values(one) for one in mixed] == [None] * 4


async def test_an_entity_that_is_all_elsewhere_leaves_nothing_here(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, mode="redirect", operations=EVERYTHING)

    answers = [
        await front.post("/entities", vehicle(1, speed=1)),
        await front.post(f"/entities/{V1}/attrs", {"scope": "/a"}),
        await front.patch(f"/entities/{V1}", {"speed": {"value": 2}}),
    ]

    assert [one.status for one in answers] == [201, 204, 204]
    assert await values(front) is None
    assert await values(source) == {"speed": 2, "scope": "/a"}


async def test_parameters_are_passed_on(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, mode="redirect", operations=EVERYTHING)
    await source.post("/entities", vehicle(1, speed=1, name={"type": "LanguageProperty", "languageMap": {"en": "a"}}))
    many = [{"value": 1}, {"value": 2, "datasetId": "urn:d"}]
    await source.post(f"/entities/{V1}/attrs", {"level": many})

    kept = await front.post(f"/entities/{V1}/attrs", {"speed": property_of(2)}, options="noOverwrite")
    merged = await front.patch(f"/entities/{V1}", {"name": "b", "speed": 3}, options="keyValues", lang="fr")
    deleted = await front.delete(f"/entities/{V1}/attrs/level", datasetId="urn:d")
    other = await front.delete(f"/entities/{V1}", type="Bike")

    assert kept.status == 207
    assert kept.json["updated"] == []
    assert [one["attributeName"] for one in kept.json["notUpdated"]] == [SPEED]
    assert [merged.status, deleted.status, other.status] == [204, 204, 404]
    assert await values(source) == {"speed": 3, "level": 1, "name": {"languageMap": {"en": "a", "fr": "b"}}}


async def test_local_true_writes_here_only(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, mode="redirect", operations=EVERYTHING)

    await front.post("/entities", vehicle(1, speed=1), local="true")

    assert await values(front) == {"speed": 1}
    assert await values(source) is None


async def test_auxiliary_sources_are_never_written_to(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, mode="auxiliary", operations=["retrieveOps"])

    assert (await front.post("/entities", vehicle(1, speed=1))).status == 201

    assert await values(source) is None


async def test_what_is_not_the_sources_by_its_type_stays_here_though_the_request_does_not_tell_the_type(
    tenant, register
):
    front, source = await tenant("front"), await tenant("source")
    await front.post("/entities", {"id": "urn:ngsi-ld:Bike:1", "type": "Bike", "speed": property_of(1)})
    await register(front, source, mode="redirect", operations=EVERYTHING)

    answer = await front.patch("/entities/urn:ngsi-ld:Bike:1/attrs", {"speed": property_of(2)})

    assert answer.status == 204
    assert await values(front, "urn:ngsi-ld:Bike:1") == {"speed": 2}


async def test_a_type_may_be_added_to_an_entity_that_is_elsewhere(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await source.post("/entities", vehicle(1, speed=1))
    await register(front, source, mode="redirect", operations=EVERYTHING)

    answer = await front.post(f"/entities/{V1}/attrs", {"type": "Taxi", "fare": property_of(3)})

    assert answer.status == 204
    assert (await source.get(f"/entities/{V1}")).json["type"] == ["Vehicle", "Taxi"]


async def test_an_operation_that_the_source_does_not_take_is_a_conflict_where_it_alone_has_the_data(tenant, register):
    front, source, other = [await tenant(name) for name in ("front", "source", "other")]
    await register(front, source, speed_of(), mode="exclusive", operations=["retrieveOps"])
    await register(front, other, operations=["retrieveOps"])

    alone = await front.post("/entities", vehicle(1, speed=1))
    among = await front.post("/entities", vehicle(1, speed=1, brand="M"))

    assert (alone.status, alone.json["type"]) == (409, "https://uri.etsi.org/ngsi-ld/errors/Conflict")
    assert among.status == 207
    assert among.json["success"] == [V1]
    (error,) = among.json["errors"]
    assert (error["entityId"], error["error"]["status"]) == (V1, 409)
    assert error["registrationId"].startswith("urn:ngsi-ld:ContextSourceRegistration:")
    assert await values(front) == {"brand": "M"}
    assert [await values(source), await values(other)] == [None, None]


async def test_two_redirects_both_get_it_and_the_one_that_fails_is_named(tenant, register):
    front, one, other = [await tenant(name) for name in ("front", "one", "other")]
    await other.post("/entities", vehicle(1, speed=9))
    await register(front, one, mode="redirect", operations=EVERYTHING)
    failing = await register(front, other, mode="redirect", operations=EVERYTHING)

    answer = await front.post("/entities", vehicle(1, speed=1))

    assert answer.status == 207
    assert answer.json["success"] == [V1]
    (error,) = answer.json["errors"]
    assert (error["registrationId"], error["error"]["status"]) == (failing, 409)
    assert error["error"]["type"] == "https://uri.etsi.org/ngsi-ld/errors/AlreadyExists"
    assert await values(one) == {"speed": 1}


async def test_a_malformed_write_reaches_no_source(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    await register(front, source, operations=EVERYTHING)

    answer = await front.post("/entities", vehicle(1, speed={"type": "Property"}))

    assert answer.status == 400
    assert await values(source) is None


async def test_each_side_may_have_names_of_its_own(tenant, register):
    front, source = await tenant("front"), await tenant("source")
    theirs = {"vitesse": "https://example.org/speed", "Voiture": "https://example.org/Vehicle"}
    ours = {"speed": "https://example.org/speed", "Vehicle": "https://example.org/Vehicle"}
    await register(
        front, source, [{"entities": [{"type": "https://example.org/Vehicle"}]}], mode="redirect", operations=EVERYTHING
    )

    created = await front.post("/entities", vehicle(1, speed=5) | {"@context": ours})
    there = await source.post(
        "/entityOperations/query", {"type": "Query", "entities": [{"type": "Voiture"}], "@context": theirs}
    )

    assert created.status == 201
    assert there.json[0]["vitesse"]["value"] == 5


async def test_what_goes_over_the_wire(tenant, register, server):
    front = await tenant("front")
    seen = []

    async def answering(request):
        seen.append((request.method, request.path_qs, dict(request.headers), await request.json()))
        return web.Response(status=201)

    url = await server(answering)
    info = [
        {"key": "Authorization", "value": "Bearer theirs"},
        {"key": "X-Trace", "value": "urn:ngsi-ld:request"},
        {"key": "contentType", "value": "application/ld+json"},
        {"key": "ngsildConformance", "value": "1.3"},
    ]
    await register(front, url, mode="redirect", operations=EVERYTHING, contextSourceInfo=info, tenant="ville")

    body = vehicle(1, label={"type": "LanguageProperty", "languageMap": {"fr": "oui"}}) | {"scope": "/a"}
    answer = await front.post("/entities", body, headers={"X-Trace": "7", "Authorization": "Bearer ours"})

    assert answer.status == 201
    ((method, path, headers, sent),) = seen
    assert (method, path) == ("POST", "/ngsi-ld/v1/entities")
    assert headers["Authorization"] == "Bearer theirs"
    assert headers["X-Trace"] == "7"
    assert headers["NGSILD-Tenant"] == "ville"
    assert headers["Content-Type"] == "application/ld+json"
    assert headers["Via"].startswith("1.1 ")
    assert sent.pop("@context")
    assert sent == {"id": V1, "type": "Vehicle", "label": {"type": "Property", "value": {"fr": "oui"}}}


def answer_with(status, text="", content_type="application/json"):
    async def answering(_request):
        return web.Response(status=status, text=text, content_type=content_type)

    return answering


async def hang(_request):
    await asyncio.sleep(30)


FAULTS = {
    "500": (answer_with(500), 502),
    "403": (answer_with(403, '{"title": "No", "detail": "not you"}'), 502),
    "404": (answer_with(404), 404),
    "redirection": (answer_with(302), 502),
    "nonsense": (answer_with(400, "<html>", "text/html"), 502),
    "hangs": (hang, 504),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_source_that_alone_has_the_data_and_fails_is_the_error(tenant, register, server, fault):
    front = await tenant("front")
    answering, status = FAULTS[fault]
    await register(front, await server(answering), mode="redirect", operations=EVERYTHING, management={"timeout": 300})

    created = await front.post("/entities", vehicle(1, speed=1))
    updated = await front.patch(f"/entities/{V1}/attrs", {"speed": property_of(2)})

    assert (created.status, updated.status) == (status, status)
    assert created.json["title"] != created.json["detail"]
    assert await values(front) is None


async def test_a_source_that_refuses_the_connection(tenant, register, server):
    front = await tenant("front")
    await register(front, "http://127.0.0.1:9", mode="redirect", operations=EVERYTHING)

    answer = await front.post("/entities", vehicle(1, speed=1))

    assert answer.status == 502


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_one_source_does_not_take_is_said_and_what_the_others_took_stays(tenant, register, server, fault):
    front, good = await tenant("front"), await tenant("good")
    answering, _ = FAULTS[fault]
    failing = await register(
        front,
        await server(answering),
        speed_of(),
        mode="exclusive",
        operations=EVERYTHING,
        management={"timeout": 300},
    )
    await register(
        front,
        good,
        [{"entities": [{"type": "Vehicle"}], "propertyNames": ["colour"]}],
        mode="redirect",
        operations=EVERYTHING,
    )

    created = await front.post("/entities", vehicle(1, speed=1, colour="red", brand="M"))
    updated = await front.patch(
        f"/entities/{V1}/attrs", {"speed": property_of(2), "colour": property_of("blue"), "brand": property_of("N")}
    )

    assert created.status == 207
    assert created.json["success"] == [V1]
    (error,) = created.json["errors"]
    assert (error["entityId"], error["registrationId"]) == (V1, failing)
    assert error["error"]["status"] >= 300
    assert updated.status == 207
    assert COLOUR in updated.json["updated"]
    (refused,) = updated.json["notUpdated"]
    assert (refused["attributeName"], refused["registrationId"]) == (SPEED, failing)
    assert await values(front) == {"brand": "N"}
    assert await values(good) == {"colour": "blue"}


async def test_an_answer_of_success_counts_whatever_stands_in_it(tenant, register, server):
    front = await tenant("front")
    url = await server(answer_with(201, "created!", "text/plain"))
    await register(front, url, mode="redirect", operations=EVERYTHING)

    assert (await front.post("/entities", vehicle(1, speed=1))).status == 201


async def test_what_a_source_did_in_part_is_told_in_part(tenant, register, server):
    front = await tenant("front")
    told = '{"updated": ["speed"], "notUpdated": [{"attributeName": "colour", "reason": "too red"}]}'
    registration = await register(front, await server(answer_with(207, told)), mode="redirect", operations=EVERYTHING)

    answer = await front.patch(f"/entities/{V1}/attrs", {"speed": property_of(2), "colour": property_of("blue")})

    assert answer.status == 207
    assert answer.json["updated"] == [SPEED]
    (refused,) = answer.json["notUpdated"]
    assert (refused["attributeName"], refused["registrationId"]) == (COLOUR, registration)
    assert "too red" in refused["reason"]


async def test_brokers_that_redirect_to_each_other_say_508(tenant, register):
    one, other = await tenant("one"), await tenant("other")
    await register(one, other, mode="redirect", operations=EVERYTHING)
    await register(other, one, mode="redirect", operations=EVERYTHING)

    answer = await one.post("/entities", vehicle(1, speed=1))
    direct = await other.post("/entities", vehicle(1, speed=1), headers={"Via": f"1.1 {one.alias}"})

    assert [answer.status, direct.status] == [508, 508]
    assert await values(one) is None


async def test_an_inclusive_loop_is_written_once_at_each(tenant, register):
    one, other = await tenant("one"), await tenant("other")
    await register(one, other, operations=EVERYTHING)
    await register(other, one, operations=EVERYTHING)

    answer = await one.post("/entities", vehicle(1, speed=1))

    assert answer.status == 201
    assert await values(one) == await values(other) == {"speed": 1}
