"""open311: a town's service that is polled, and the service that citizens' applications post to."""

import json
import re

import aiohttp
import pytest
from aiohttp import web
from lxml import etree

from tests.adapters.peer import free_port, until
from tests.adapters.profiles import FOLDER

REQUESTS = json.loads((FOLDER / "open311/samples/1-requests.json").read_text())


async def test_client_requests_become_entities_and_change_with_them(runs, vendor, reader):
    asked = []
    requests = [dict(REQUESTS[0]), {**REQUESTS[1], "email": "a@example.org", "first_name": "Ada"}]

    def answer(request):
        asked.append(dict(request.query))
        return web.json_response(requests)

    await vendor.serve(**{"v2__requests.json": answer})

    runs("open311", {"url": f"{vendor.url}/v2", "jurisdiction": "chalons.example", "interval": 0.2})

    found = await reader.entities("service_requests", 2)
    lamp = found["urn:ngsi-ld:service_requests:chalons-638344"]
    assert lamp["service_request_id"]["value"] == "638344"
    assert lamp["status"]["value"] == "closed"
    assert lamp["requested_datetime"]["value"].startswith("2026-10-02T16:37:38")
    assert lamp["location"]["value"]["coordinates"] == [4.3631, 48.9566]
    assert lamp["media_url"]["value"] == "https://photos.example/638344.jpg"
    assert asked[0].keys() == {"jurisdiction_id", "start_date"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", asked[0]["start_date"])
    road = found["urn:ngsi-ld:service_requests:chalons-638349"]
    assert "Ada" not in json.dumps(road)

    requests[1] |= {"status": "closed", "updated_datetime": "2026-10-05T11:00:00+02:00"}

    name = "urn:ngsi-ld:service_requests:chalons-638349"
    await reader.entities("service_requests", 2, lambda entities: entities[name]["status"]["value"] == "closed")


@pytest.fixture
async def service(runs, broker, tenant, log):
    port = free_port()
    source = {
        "kind": "open311",
        "port": port,
        "site": "chalons",
        "api_keys": ["k1"],
        "notice": "Nous répondons sous trois jours.",
        "services": [{"service_code": "001", "service_name": "Éclairage public", "group": "rue"}],
        "broker": {"url": broker.url, "tenant": tenant},
    }
    runs("open311", source=source)
    await until(lambda: "listening" in log())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


REPORT = {
    "api_key": "k1",
    "service_code": "001",
    "lat": "48.9566",
    "long": "4.3631",
    "description": "Lampadaire éteint",
    "email": "ada@example.org",
    "last_name": "Lovelace",
}


async def test_server_a_report_becomes_an_entity_and_its_status_is_read_back(service, reader, broker, tenant):
    async with service.post("/requests.json", data=REPORT) as answer:
        assert answer.status == 200
        (accepted,) = await answer.json()
    assert accepted["service_notice"] == "Nous répondons sous trois jours."
    number = accepted["service_request_id"]
    name = f"urn:ngsi-ld:service_requests:chalons-{number}"

    entity = (await reader.entities("service_requests", 1))[name]
    assert entity["status"]["value"] == "open"
    assert entity["description"]["value"] == "Lampadaire éteint"
    assert entity["location"]["value"]["coordinates"] == [4.3631, 48.9566]
    assert "Lovelace" not in json.dumps(entity)
    assert "ada@" not in json.dumps(entity)

    change = {
        "status": {"type": "Property", "value": "closed"},
        "status_notes": {"type": "Property", "value": "Réparé."},
    }
    async with (
        aiohttp.ClientSession(headers=reader._headers) as session,
        session.patch(f"{broker.url}/ngsi-ld/v1/entities/{name}/attrs", json=change) as answer,
    ):
        assert answer.status == 204, await answer.text()

    async with service.get(f"/requests/{number}.json") as answer:
        (shown,) = await answer.json()
    assert (shown["status"], shown["status_notes"]) == ("closed", "Réparé.")
    assert (shown["lat"], shown["long"]) == (48.9566, 4.3631)
    async with service.get(f"/requests/{number}.xml") as answer:
        root = etree.fromstring(await answer.read())
    assert root.findtext("request/status_notes") == "Réparé."
    async with service.get("/requests.json", params={"status": "open"}) as answer:
        assert await answer.json() == []
    async with service.get("/requests.json", params={"status": "closed,open", "service_code": "001"}) as answer:
        assert [each["service_request_id"] for each in await answer.json()] == [number]


async def test_server_its_services(service):
    async with service.get("/services.json") as answer:
        (shown,) = await answer.json()
    assert (shown["service_code"], shown["service_name"], shown["metadata"]) == ("001", "Éclairage public", False)
    async with service.get("/services.xml") as answer:
        assert etree.fromstring(await answer.read()).findtext("service/metadata") == "false"


NOT_RIGHT = [
    ({"api_key": "other"}, 403, "the api_key is not one"),
    ({"service_code": "9"}, 404, "service_code must be one of 001, not '9'"),
    ({"lat": "", "long": ""}, 400, "needs lat and long, or an address_string"),
    ({"lat": "489566"}, 400, "must be a place on earth"),
    ({"lat": "x"}, 400, "must be numbers"),
    ({"lat": "nan"}, 400, "must be a place on earth"),
    ({"media_url": "javascript:alert(1)"}, 400, "media_url must be a URL"),
    ({"description": "x" * 4001}, 400, "at most 4000 characters"),
]


async def test_server_what_is_not_right_is_told(service):
    for change, status, told in NOT_RIGHT:
        async with service.post("/requests.json", data=REPORT | change) as answer:
            assert answer.status == status
            (error,) = await answer.json()
        assert error["code"] == status
        assert told in error["description"]

    for path, status in (
        ("/requests/none.json", 404),
        ("/requests.json?status=lost", 400),
        ('/requests.json?service_code=1"', 400),
    ):
        async with service.get(path) as answer:
            assert answer.status == status, await answer.text()
            assert (await answer.json())[0]["code"] == status
