"""Commands over HTTP, profile by profile: haystack's pointWrite, and open311 both ways."""

import json

import aiohttp
import pytest
from aiohttp import web

from tests.adapters.peer import free_port, until
from tests.adapters.profiles import FOLDER

GRID = (FOLDER / "haystack/samples/1-grid.json").read_text()
POINT = "urn:ngsi-ld:DeviceMeasurement:chalons-pt-conseil-t"
REPORT = "urn:ngsi-ld:service_requests:chalons-2026-7"


def commands():
    return {"port": free_port(), "poll": 5}


async def test_haystack_writes_points(runs, vendor, application):
    written = []

    async def write(request):
        written.append((request.headers["Authorization"], await request.json()))
        error = {"ver": "3.0", "err": {"_kind": "marker"}, "dis": "not writable"}
        refused = {"_kind": "grid", "meta": error, "rows": []}
        accepted = {"_kind": "grid", "meta": {"ver": "3.0"}, "cols": [{"name": "empty"}], "rows": []}
        return web.json_response(refused if len(written) > 1 else accepted)

    await vendor.serve(
        api__x__read=lambda request: web.Response(text=GRID, content_type="application/json"), api__x__pointWrite=write
    )
    runs("haystack", {"url": f"{vendor.url}/api/x", "token": "t"}, commands=commands())
    await application.exists(POINT)

    await application.command(POINT, "setValue", 19.5, requestedBy="pcc", level=8, minutes=90)
    await application.becomes(POINT, "setValue", "OK")
    ((token, grid),) = written
    assert token == "Bearer t"
    assert grid["_kind"] == "grid"
    assert [column["name"] for column in grid["cols"]] == ["id", "level", "val", "who", "duration"]
    assert grid["rows"] == [
        {
            "id": {"_kind": "ref", "val": "pt-conseil-t"},
            "level": 8,
            "val": {"_kind": "number", "val": 19.5, "unit": "°C"},
            "who": "pcc",
            "duration": {"_kind": "number", "val": 90, "unit": "min"},
        }
    ]

    await application.command(POINT, "setValue", 20)
    entity = await application.becomes(POINT, "setValue", "ERROR")
    assert entity["setValue_info"]["value"] == "not writable"
    assert (written[1][1]["rows"][0]["level"], written[1][1]["rows"][0]["who"]) == (16, "beffroi")


async def test_open311_forwards_a_report(runs, vendor, application):
    posted = []

    async def requests(request):
        if request.method == "GET":
            return web.json_response([])
        posted.append(dict(await request.post()))
        return web.json_response([{"service_request_id": 293944, "service_notice": "merci"}])

    await vendor.serve(**{"requests.json": requests})
    runs("open311", {"url": vendor.url, "api_key": "k"}, commands=commands())
    await application.create(
        {
            "id": REPORT,
            "type": "service_requests",
            "service_code": {"type": "Property", "value": "001"},
            "description": {"type": "Property", "value": "Lampadaire éteint"},
            "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.36, 48.95]}},
        }
    )

    await application.command(REPORT, "forward", True)

    entity = await application.becomes(REPORT, "forward", "OK")
    assert entity["forward_info"]["value"] == "number 293944"
    (form,) = posted
    assert form == {
        "api_key": "k",
        "service_code": "001",
        "description": "Lampadaire éteint",
        "lat": "48.95",
        "long": "4.36",
    }


async def test_open311_what_becomes_of_a_report_is_read_back(runs, application, broker, tenant, log):
    port = free_port()
    source = {
        "kind": "open311",
        "port": port,
        "site": "chalons",
        "services": [{"service_code": "001", "service_name": "Éclairage public"}],
        "broker": {"url": broker.url, "tenant": tenant},
    }
    runs("open311", source=source)
    url = f"http://127.0.0.1:{port}"

    async with aiohttp.ClientSession() as citizen:
        form = {"service_code": "001", "lat": "48.95", "long": "4.36", "description": "Lampadaire éteint"}
        await until(lambda: "listening" in log())
        async with citizen.post(f"{url}/requests.json", data=form) as answer:
            number = (await answer.json())[0]["service_request_id"]
        entity = f"urn:ngsi-ld:service_requests:chalons-{number}"
        await application.exists(entity)

        await application.write(entity, status="closed", status_notes="ampoule changée")

        async with citizen.get(f"{url}/requests/{number}.json") as answer:
            (seen,) = json.loads(await answer.text())
    assert (seen["status"], seen["status_notes"]) == ("closed", "ampoule changée")


async def test_fiware_devices_with_an_endpoint(runs, vendor, application, tmp_path, log):
    told = []

    async def take(request):
        told.append(await request.text())
        return web.json_response({"ping": "pong"})

    await vendor.serve(robot=take)
    devices = tmp_path / "devices.csv"
    devices.write_text(f"device,name,endpoint\nrobot-1,Robot,{vendor.url}/robot\n")
    port = free_port()
    request = {"topic": None, "url": "{lookup('devices', address.device).endpoint}"}
    runs(
        "fiware_iot",
        {"commands": ["ping"], "devices": str(devices)},
        source={"kind": "fiware_iot", "port": port},
        commands={**commands(), "send": {"kind": "http"}},
        entities={"device": {"commands": {"any": {"request": request, "outcomes": []}}}},
    )
    await until(lambda: "listening on" in log())
    async with (
        aiohttp.ClientSession() as device,
        device.post(f"http://127.0.0.1:{port}/iot/json?i=robot-1&k=k1", json={"t": 15}) as answer,
    ):
        assert answer.status == 200
    robot = "urn:ngsi-ld:Device:chalons-robot-1"
    await application.exists(robot)

    await application.command(robot, "ping", 22)

    done = await application.becomes(robot, "ping", "OK")
    assert done["ping_info"]["value"] == {"ping": "pong"}
    assert told == ['{"ping":22}']


@pytest.mark.parametrize(
    ("path", "measure", "told", "result"),
    [
        ("d", "t|15", "robot-1@turn|left#robot-1@ping|1", ("d", "robot-1@ping|pong")),
        ("json", '{"t": 15}', '{"turn":"left","ping":1}', ("json/commands", '{"ping": "pong"}')),
    ],
)
async def test_fiware_devices_that_ask_for_commands(runs, application, log, path, measure, told, result):
    port = free_port()
    runs(
        "fiware_iot",
        {"commands": ["ping", "turn"]},
        source={"kind": "fiware_iot", "port": port},
        commands={**commands(), "send": {"kind": "fiware_iot"}},
    )
    await until(lambda: "listening on" in log())
    robot = "urn:ngsi-ld:Device:chalons-robot-1"

    async with aiohttp.ClientSession() as device:

        async def said(path, payload, **parameters):
            url = f"http://127.0.0.1:{port}/iot/{path}"
            parameters = {"i": "robot-1", "k": "k1", **parameters}
            async with device.post(url, params=parameters, data=payload.encode()) as answer:
                assert answer.status == 200
                return await answer.text()

        await said(path, measure)
        await application.exists(robot)
        await application.command(robot, "turn", "left")
        await application.becomes(robot, "turn", "DELIVERED")
        await application.command(robot, "ping", 1)
        await application.becomes(robot, "ping", "DELIVERED")

        assert await said(path, measure, getCmd="1") == told
        assert await said(path, measure, getCmd="1") in ("", "{}")
        await said(*result)

    done = await application.becomes(robot, "ping", "OK")
    assert done["ping_info"]["value"] == "pong"
