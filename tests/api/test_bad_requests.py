"""Bad input (5.5.4, 6.3.4, 6.3.5): the standard's error, a sentence that names what is wrong, nothing written."""

import pytest

ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"
ENTITY = b'{"id": "urn:ngsi-ld:A:1", "type": "A"}'
JSON = {"Content-Type": "application/json"}
JSON_LD = {"Content-Type": "application/ld+json"}
LINK = '<http://127.0.0.1:9/none.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


@pytest.fixture(autouse=True)
async def nothing_is_written(api):
    yield
    assert (await api.get("/entities/urn:ngsi-ld:A:1")).status == 404


@pytest.mark.parametrize(
    ("body", "headers", "status", "error", "words"),
    [
        (b"", JSON, 400, "InvalidRequest", "empty"),
        (b'{"id": "urn:ngsi-ld:A:1",', JSON, 400, "InvalidRequest", "line 1"),
        (b'{"id": "urn:ngsi-ld:A:1", "type": "A", "a": NaN}', JSON, 400, "InvalidRequest", "column"),
        (b'"\xff"', JSON, 400, "InvalidRequest", "JSON"),
        (
            b'{"id": "urn:ngsi-ld:A:1", "type": "A", "a": {"value": 1, "value": 1}}',
            JSON,
            400,
            "InvalidRequest",
            "'value'",
        ),
        (b'{"id": "urn:ngsi-ld:A:1", "type": "A", "a": 1, "\\u0061": 2}', JSON, 400, "InvalidRequest", "'a' twice"),
        (b"[" * 300 + b"]" * 300, JSON, 400, "InvalidRequest", "levels"),
        (b"[" * 5000, JSON, 400, "InvalidRequest", "JSON"),
        (b"[]", JSON, 400, "InvalidRequest", "one JSON object"),
        (b'{"type": "A"}', JSON, 400, "BadRequestData", "id"),
        (b'{"id": "A 1", "type": "A"}', JSON, 400, "BadRequestData", "absolute URI"),
        (b'{"id": "urn:ngsi-ld:A:1"}', JSON, 400, "BadRequestData", "type is missing"),
        (b'{"id": "urn:ngsi-ld:A:1", "type": "A", "$a": 1}', JSON, 400, "BadRequestData", "$a"),
        (b'{"id": "urn:ngsi-ld:A:1", "type": "A", "a.b": 1}', JSON, 400, "BadRequestData", "a.b"),
        (ENTITY[:-1] + b', "@context": []}', JSON, 400, "BadRequestData", "@context"),
        (ENTITY, JSON_LD, 400, "BadRequestData", "@context"),
        (ENTITY[:-1] + b', "@context": 5}', JSON_LD, 400, "BadRequestData", "@context"),
        (ENTITY[:-1] + b', "@context": {"a": {"@id": "urn:a", "@context": {}}}}', JSON_LD, 400, "BadRequestData", "a"),
        (ENTITY, JSON | {"Link": LINK}, 504, "LdContextNotAvailable", "127.0.0.1:9"),
        (ENTITY, JSON | {"NGSILD-Tenant": "a/b"}, 400, "BadRequestData", "tenant"),
        (ENTITY, JSON | {"NGSILD-Tenant": "x" * 80}, 400, "BadRequestData", "tenant"),
    ],
)
async def test_bodies(api, body, headers, status, error, words):
    answer = await api.post("/entities", body, headers=headers)

    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json"
    problem = answer.json
    assert problem["type"] == ERRORS + error
    assert problem["title"] != problem["detail"]
    assert words in problem["detail"]


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "application/xml"}, {"Content-Type": "text/plain"}])
async def test_media_types_that_are_not_taken(api, headers):
    assert (await api.post("/entities", ENTITY, headers=headers)).status == 415


async def test_media_types_that_cannot_be_had(api):
    answer = await api.get("/entities", type="A", headers={"Accept": "text/html"})

    assert answer.status == 406
    assert "application/ld+json" in answer.json["detail"]


async def test_the_body_has_a_limit(api):
    answer = await api.post("/entities", b" " * (17 * 1024 * 1024), headers=JSON)

    assert answer.status == 413
    assert "16777216 bytes" in answer.json["detail"]


async def test_the_body_has_a_length(api):
    async def chunks():
        yield ENTITY

    async with api.session.post(f"{api.root}/entities", data=chunks(), headers=JSON) as answer:
        assert answer.status == 411


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/entities/urn:ngsi-ld:A:1/attrs", 405),
        ("POST", "/entities/urn:ngsi-ld:A:1", 405),
        ("DELETE", "/entities/urn:ngsi-ld:A:1/attrs/", 405),
        ("GET", "/nothing", 404),
        ("GET", "/entities/urn:ngsi-ld:A:1/attrs/a/b/c", 404),
    ],
)
async def test_resources_and_methods_that_are_not_there(api, method, path, status):
    answer = await api(method, path)

    assert answer.status == status
    assert ("Allow" in answer.headers) == (status == 405)


async def test_a_tenant_that_is_not_there(api):
    answer = await api.get("/entities", type="A", headers={"NGSILD-Tenant": "nobody"})

    assert answer.status == 404
    assert answer.json["type"] == f"{ERRORS}NonexistentTenant"
