"""The resources `/csourceRegistrations` and `/csourceRegistrations/{id}` (5.9, 5.10.1, 5.10.2, 6.8, 6.9)."""

import asyncio
import itertools

import pytest

NUMBERS = itertools.count(1)
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"


def registration(*information, **members):
    body = {
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{next(NUMBERS)}",
        "type": "ContextSourceRegistration",
        "endpoint": "http://broker.suippes.example",
        "information": list(information) or [{"entities": [{"type": f"Type{next(NUMBERS)}"}]}],
    }
    return body | members


def of(entity, *attributes):
    return {"entities": [entity]} | ({"propertyNames": list(attributes)} if attributes else {})


@pytest.fixture
async def register(api):
    """Registers sources, and takes them away at the end."""
    made = []

    async def make(*information, **members):
        body = registration(*information, **members)
        answer = await api.post("/csourceRegistrations", body)
        assert answer.status == 201, answer.body
        made.append(answer.headers["Location"].rpartition("/")[2])
        return body

    yield make
    for one in made:
        await api.delete(f"/csourceRegistrations/{one}")


async def discovered(api, **parameters):
    answer = await api.get("/csourceRegistrations", **parameters)
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json]


async def test_a_registration_is_created_retrieved_and_deleted(api):
    body = registration(of({"type": "Streetlight", "idPattern": "^urn:"}, "powerState"), level=3)

    answer = await api.post("/csourceRegistrations", body)
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Location"] == f"/ngsi-ld/v1/csourceRegistrations/{body['id']}"
    assert (await api.post("/csourceRegistrations", body)).json["type"] == f"{ERRORS}AlreadyExists"

    path = f"/csourceRegistrations/{body['id']}"
    answer = await api.get(path)
    assert (answer.status, answer.json) == (200, body)
    assert 'rel="http://www.w3.org/ns/json-ld#context"' in answer.headers["Link"]
    assert (await api.get(path, headers={"Accept": "application/ld+json"})).json.keys() == body.keys() | {"@context"}
    assert {"createdAt", "modifiedAt"} <= (await api.get(path, options="sysAttrs")).json.keys()

    assert (await api.delete(path)).status == 204
    assert (await api.get(path)).status == (await api.delete(path)).status == 404


async def test_an_id_is_made_where_none_is_given(api):
    body = registration()
    del body["id"]

    location = (await api.post("/csourceRegistrations", body)).headers["Location"]

    assert (await api.get(location.removeprefix("/ngsi-ld/v1"))).json | body == body | {
        "id": location.rpartition("/")[2]
    }
    await api.delete(location.removeprefix("/ngsi-ld/v1"))


async def test_names_are_the_readers(api, register):
    body = await register(
        of({"type": "Lamp"}, "state"),
        **{"@context": {"Lamp": "https://ex.org/Lamp", "state": "https://ex.org/state", "kind": "https://ex.org/kind"}},
        kind="sensor",
    )

    answer = await api.get(f"/csourceRegistrations/{body['id']}")

    assert answer.json["information"] == [
        {"entities": [{"type": "https://ex.org/Lamp"}], "propertyNames": ["https://ex.org/state"]}
    ]
    assert answer.json["https://ex.org/kind"] == "sensor"
    assert await discovered(api, type="https://ex.org/Lamp", csf='https://ex.org/kind=="sensor"') == [body["id"]]


async def test_a_fragment_changes_a_registration_and_who_it_matches(api, register):
    body = await register(of({"type": "Before"}), description="x")
    path = f"/csourceRegistrations/{body['id']}"

    answer = await api.patch(path, {"information": [of({"type": "After"})], "description": None})

    assert answer.status == 204
    assert "description" not in (await api.get(path)).json
    assert (await discovered(api, type="Before"), await discovered(api, type="After")) == ([], [body["id"]])
    assert (await api.patch(path, {"endpoint": None})).json["type"] == f"{ERRORS}BadRequestData"
    assert (await api.patch(path, b"{", headers={"Content-Type": "application/json"})).status == 400
    assert (await api.patch("/csourceRegistrations/urn:none:1", {"description": "y"})).status == 404


@pytest.mark.parametrize(
    ("parameters", "detail"),
    [
        ({}, "the query is too wide"),
        ({"id": "urn:a:b"}, "the query is too wide"),
        ({"csf": 'endpoint~="x"'}, "the query is too wide"),
        ({"type": "A", "id": "x"}, "id must be an absolute URI"),
        ({"type": "A", "q": "a=="}, "q is wrong"),
        ({"type": "A", "csf": "a=="}, "csf is wrong"),
        ({"type": "A", "idPattern": "(("}, "idPattern"),
        ({"type": "A", "georel": "near"}, "geometry is missing"),
        ({"type": "A", "timerel": "before"}, "timerel=before needs timeAt"),
        ({"type": "A", "timeAt": "2025-01-01T00:00:00Z"}, "timeAt needs timerel"),
        ({"type": "A", "page": "1"}, "there is no parameter 'page'"),
        ({"type": "A", "limit": "-1"}, "limit must be a whole number"),
        ({"type": "A", "pick": "a,,b"}, "pick is wrong"),
    ],
)
async def test_discovery_refuses(api, parameters, detail):
    answer = await api.get("/csourceRegistrations", **parameters)

    assert answer.status == 400
    assert detail in answer.json["detail"]


async def test_discovery_by_everything(api, register):
    place = {"type": "Point", "coordinates": [4.36, 48.95]}
    near = {"georel": "near;maxDistance==10", "geometry": "Point", "coordinates": "[4.36,48.95]"}
    here = await register(
        of({"type": "Lamp"}, "powerState"),
        location=place,
        scope="/Chalons",
        sourceType={"type": "Property", "value": 1},
    )
    past = await register(of({"type": "Lamp"}), observationInterval={"startAt": "2025-01-01T00:00:00Z"})
    then = {"timerel": "after", "timeAt": "2025-06-01T00:00:00Z"}

    assert await discovered(api, type="Lamp") == [here["id"]]
    assert await discovered(api, type="Lamp", **then) == [past["id"]]
    assert await discovered(api, type="Lamp", **then, timeproperty="modifiedAt") == []
    assert await discovered(api, attrs="powerState") == await discovered(api, q="powerState==1") == [here["id"]]
    assert await discovered(api, type="Lamp", pick="id,other") == []
    assert await discovered(api, type="Lamp", id="urn:ngsi-ld:Lamp:7", **near) == [here["id"]]
    assert await discovered(api, type="Lamp", scopeQ="/Chalons", csf="sourceType==1") == [here["id"]]
    assert await discovered(api, type="Lamp", csf="sourceType==2") == []


async def test_discovery_in_pages(api, register):
    made = [(await register(of({"type": "Paged"})))["id"] for _ in range(5)]

    answer = await api.get("/csourceRegistrations", type="Paged", limit="2", offset="2", count="true")

    assert [one["id"] for one in answer.json] == made[2:4]
    assert answer.headers["NGSILD-Results-Count"] == "5"
    links = ", ".join(answer.headers.getall("Link"))
    assert 'offset=0&type=Paged>; rel="prev"' in links
    assert 'offset=4&type=Paged>; rel="next"' in links
    only_count = await api.get("/csourceRegistrations", type="Paged", limit="0", count="true")
    assert (only_count.json, only_count.headers["NGSILD-Results-Count"]) == ([], "5")


async def test_an_exclusive_registration_conflicts(api, register):
    lamp = {"id": "urn:ngsi-ld:Lamp:exclusive", "type": "Exclusive"}
    first = await register(of(lamp, "powerState"), mode="exclusive")

    for mode, information in (
        ("exclusive", of(lamp, "powerState", "other")),
        ("redirect", of({"type": "Exclusive"})),
        ("redirect", of({"idPattern": "Lamp:exclusive$"})),
    ):
        answer = await api.post("/csourceRegistrations", registration(information, mode=mode))
        assert (answer.status, answer.json["type"]) == (409, f"{ERRORS}Conflict")
        assert first["id"] in answer.json["detail"]
    await register(of(lamp, "other"), mode="exclusive")
    inclusive = await register(of(lamp))
    answer = await api.patch(f"/csourceRegistrations/{inclusive['id']}", {"mode": "redirect"})
    assert answer.json["type"] == f"{ERRORS}Conflict"
    assert (await api.patch(f"/csourceRegistrations/{first['id']}", {"description": "x"})).status == 204


async def test_a_proxied_registration_conflicts_with_what_is_here(api, register):
    entity = {"id": "urn:ngsi-ld:Here:1", "type": "Here", "a": 1}
    assert (await api.post("/entities", entity)).status == 201

    for mode, information in (
        ("redirect", of({"type": "Here"})),
        ("redirect", of({"idPattern": "Here:1$"}, "a")),
        ("exclusive", of({"id": entity["id"]}, "a")),
    ):
        answer = await api.post("/csourceRegistrations", registration(information, mode=mode))
        assert (answer.status, answer.json["type"]) == (409, f"{ERRORS}Conflict")
        assert entity["id"] in answer.json["detail"]
    await register(of({"id": entity["id"]}, "b"), mode="exclusive")
    await register(of({"type": "Here"}))


async def test_one_of_two_that_conflict_is_registered(api):
    lamp = {"id": "urn:ngsi-ld:Lamp:race"}
    bodies = [registration(of(lamp, "powerState"), mode="exclusive") for _ in range(8)]

    answers = await asyncio.gather(*[api.post("/csourceRegistrations", body) for body in bodies])

    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
    for body in bodies:
        await api.delete(f"/csourceRegistrations/{body['id']}")


async def test_a_registration_is_gone_when_it_expires(api):
    from datetime import UTC, datetime, timedelta

    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body = registration(of({"type": "Transient"}), expiresAt=at)
    assert (await api.post("/csourceRegistrations", body)).status == 201
    assert await discovered(api, type="Transient") == [body["id"]]

    await asyncio.sleep(1.1)

    assert await discovered(api, type="Transient") == []
    assert (await api.get(f"/csourceRegistrations/{body['id']}")).status == 404
    assert (await api.post("/csourceRegistrations", body | {"expiresAt": "2099-01-01T00:00:00Z"})).status == 201
    assert (await api.delete(f"/csourceRegistrations/{body['id']}")).status == 204


async def test_tenants_have_their_own(api, register):
    body = await register(of({"type": "Owned"}))

    assert (await api.get("/csourceRegistrations", type="Owned", headers={"NGSILD-Tenant": ""})).json == []
    other = await api.get(f"/csourceRegistrations/{body['id']}", headers={"NGSILD-Tenant": "nobody"})
    assert other.json["type"] == f"{ERRORS}NonexistentTenant"


@pytest.mark.parametrize("body", [[], 1, None, "x", [registration()]])
async def test_what_is_no_registration_is_refused(api, body):
    answer = await api.post("/csourceRegistrations", b"null" if body is None else body)

    assert answer.status in (400, 415)
