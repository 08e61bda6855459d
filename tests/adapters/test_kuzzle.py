"""kuzzle: a platform whose WebSocket wants a key and a subscription."""

import io
import json

import pytest
from aiohttp import web

from adapters.decoding import Fault, open_decoder
from tests.adapters.peer import dead_letters, until
from tests.adapters.profiles import FOLDER

NOTIFICATIONS = [json.loads(path.read_text()) for path in sorted((FOLDER / "kuzzle/samples").iterdir())]
DEVICE = "urn:ngsi-ld:Device:chalons-ElsysErs-A81758FFFE0301F1"


async def platform(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    asked = await socket.receive_json()
    if asked.get("jwt") != "k1":
        await socket.send_json(
            {"status": 401, "error": {"message": "Invalid token", "status": 401}, "requestId": "beffroi"}
        )
    else:
        assert (asked["controller"], asked["action"], asked["collection"]) == ("realtime", "subscribe", "measures")
        await socket.send_json(
            {"status": 200, "error": None, "requestId": "beffroi", "result": {"roomId": "r", "channel": "c"}}
        )
        for notification in NOTIFICATIONS:
            await socket.send_json(notification)
    async for _ in socket:
        pass
    return socket


async def test_measures_become_devices_and_measurements(runs, vendor, reader, tmp_path):
    await vendor.serve(kuzzle=platform)
    url = f"ws://127.0.0.1:{vendor.port}/kuzzle"

    runs("kuzzle", {"url": url, "index": "engine-chalons", "api_key": "k1"})

    devices = await reader.entities(
        "Device", 1, lambda entities: {"location", "batteryLevel"} <= entities[DEVICE].keys()
    )
    assert devices[DEVICE]["batteryLevel"]["value"] == 0.87
    assert devices[DEVICE]["location"]["value"]["coordinates"] == [4.3645, 48.9567]
    assert devices[DEVICE]["controlledAsset"]["object"] == "urn:ngsi-ld:Building:chalons-Room-MairieSalle1"
    measurements = await reader.entities("DeviceMeasurement", 1)
    name = "urn:ngsi-ld:DeviceMeasurement:chalons-ElsysErs-A81758FFFE0301F1-ambientTemperature-temperature"
    temperature = measurements[name]["numValue"]
    assert (temperature["value"], temperature["unitCode"]) == (21.4, "CEL")
    assert temperature["observedAt"].startswith("2026-09-30T08:00:00")
    assert not dead_letters(tmp_path / "state/test")


async def test_a_wrong_key_is_told_in_the_platform_s_words(runs, vendor, tmp_path):
    await vendor.serve(kuzzle=platform)

    runs("kuzzle", {"url": f"ws://127.0.0.1:{vendor.port}/kuzzle", "index": "i", "api_key": "other"})

    await until(lambda: dead_letters(tmp_path / "state/test"))
    assert dead_letters(tmp_path / "state/test")[0]["reason"] == "Kuzzle refuses: Invalid token"


def decoded(message):
    decoder = open_decoder({"kind": "kuzzle"}, "test")
    return list(decoder.decode(io.BytesIO(json.dumps(message).encode()), {}))


def test_microseconds_and_last_measures():
    measure = {"measuredAt": 1790755200000000, "originId": "d", "type": "t", "name": "t", "values": {"t": 1}}

    (record,) = decoded({"status": 200, "result": {"t": measure}})

    assert (record["device"], record["time"]) == ("d", 1790755200000)


@pytest.mark.parametrize(
    "message", [{"message": "Authentication Token Expired", "type": "TokenExpired"}, {"a": 1}, [3], {"measuredAt": 1}]
)
def test_what_is_no_measure_is_a_fault(message):
    assert [type(record) for record in decoded(message)] == [Fault]
