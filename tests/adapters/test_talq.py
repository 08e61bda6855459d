"""The talq profile: a gateway speaks TALQ 2.7.1 to the adapter, which is its CMS."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

import adapters.talq
from tests.adapters.peer import dead_letters, free_port, until

SAMPLES = Path(adapters.talq.__file__).parent / "samples"
ANNOUNCEMENT, UPDATE, LOG_REPORT = (
    json.loads((SAMPLES / name).read_text()) for name in ("1-announcement.json", "2-update.json", "3-log-report.json")
)
LAMP = "urn:ngsi-ld:Streetlight:chalons-CH-0412"
CABINET = "urn:ngsi-ld:StreetlightControlCabinet:chalons-ARM-12"
GATEWAY = "2f0d8a52-5a0c-4e0e-9c55-6f1f0c9b1a01"
REQUEST = "9d3c1f60-0d3b-4a0f-8a11-0c2f5d7e0001"


class Gateway:
    """A TALQ gateway: what it sends has the header and parameters that the protocol requires."""

    def __init__(self, port):
        self._url = f"http://127.0.0.1:{port}"

    async def send(self, method, path, body=None, headers=None, **parameters):
        headers = {"talq-api-version": "2.7.1"} if headers is None else headers
        parameters = {"clientAddress": GATEWAY, "talqRequestId": REQUEST, **parameters}
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        async with aiohttp.ClientSession() as session:
            answer = await session.request(method, self._url + path, data=data, headers=headers, params=parameters)
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def ready(self):
        async def attempt():
            try:
                return (await self.send("POST", "/services", [{"name": "ConfigurationService"}]))[0] == 201
            except aiohttp.ClientError:
                return False

        for _ in range(300):
            if await attempt():
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the adapter does not listen")


@pytest.fixture
def lighting(adapter_file):
    port = free_port()
    file = adapter_file({"profile": "talq", "settings": {"site": "chalons", "port": port}})
    return file, Gateway(port)


@pytest.fixture
async def gateway(lighting, adapter):
    file, gateway = lighting
    adapter(file)
    await gateway.ready()
    return gateway


async def test_announced_devices_become_lights_and_cabinets(gateway, peer):
    status, answer = await gateway.send("POST", "/devices", ANNOUNCEMENT)

    assert (status, answer) == (201, ANNOUNCEMENT)
    await peer.holds(2)
    lamp, cabinet = peer.entities[LAMP], peer.entities[CABINET]
    assert lamp["type"] == "Streetlight"
    assert lamp["location"] == {
        "type": "GeoProperty",
        "value": {"type": "Point", "coordinates": [4.36377, 48.95712]},
        "observedAt": "2026-10-05T09:00:00Z",
    }
    assert lamp["name"]["value"] == "Place Foch 3"
    assert lamp["streetPoleNum"]["value"] == "EP-0412"
    assert lamp["dateServiceStarted"]["value"] == "2025-04-13T22:00:00Z"
    assert lamp["status"]["value"] == "ok"
    assert cabinet["type"] == "StreetlightControlCabinet"
    assert cabinet["sdmStreetlighting:serialNumber"]["value"] == "SN-88120"


async def test_an_update_brings_measures_with_their_units_and_times(gateway, peer):
    await gateway.send("POST", "/devices", ANNOUNCEMENT)
    status, _ = await gateway.send("PATCH", "/devices", UPDATE)

    assert status == 200
    await until(lambda: "powerConsumption" in peer.entities.get(LAMP, {}))
    lamp, cabinet = peer.entities[LAMP], peer.entities[CABINET]
    time = "2026-10-05T16:40:05Z"
    assert lamp["powerConsumption"] == {"type": "Property", "value": 38.4, "unitCode": "WTT", "observedAt": time}
    assert lamp["voltage"] == {"type": "Property", "value": 231.2, "unitCode": "VLT", "observedAt": time}
    assert lamp["current"] == {"type": "Property", "value": 0.17, "unitCode": "AMP", "observedAt": time}
    assert lamp["lifetimePowerConsumption"]["unitCode"] == "KWH"
    assert lamp["powerState"] == {"type": "Property", "value": "low", "observedAt": "2026-10-05T16:40:00Z"}
    assert lamp["illuminanceLevel"]["value"] == 0.6
    assert lamp["name"]["value"] == "Place Foch 3"
    assert cabinet["totalActivePower"]["value"] == 6.21
    assert cabinet["totalActivePower"]["unitCode"] == "KWT"
    assert cabinet["voltageR"]["value"] == 230.9


async def test_a_log_report_brings_measures_states_and_faults(gateway, peer):
    await gateway.send("POST", "/devices", ANNOUNCEMENT)
    await gateway.send("PATCH", "/devices", UPDATE)
    status, _ = await gateway.send("POST", "/log-reports", LOG_REPORT)

    assert status == 201
    await until(lambda: peer.entities.get(LAMP, {}).get("status", {}).get("value") == "defectiveLamp")
    lamp = peer.entities[LAMP]
    assert lamp["status"]["observedAt"] == "2026-10-05T17:06:10Z"
    assert lamp["powerState"] == {"type": "Property", "value": "on", "observedAt": "2026-10-05T17:05:00Z"}
    assert lamp["powerConsumption"]["value"] == 38.1


def fault(name, begun, time):
    data = {
        "type": "EventLogData",
        "srcAddress": "7b1f0a52-2d6c-4a0e-8a58-3f0b7d4f1001/mon",
        "timestamp": time,
        "eventType": name,
        "startEndFlag": begun,
    }
    return {"address": "7b1f0a52-2d6c-4a0e-8a58-3f0b7d4f9001", "entries": [{"data": data}]}


async def test_a_lamp_is_well_again_when_its_last_fault_has_ended(gateway, peer):
    def status():
        return peer.entities.get(LAMP, {}).get("status", {})

    await gateway.send("POST", "/devices", ANNOUNCEMENT)
    await gateway.send("POST", "/log-reports", fault("lampFailure", True, "2026-10-05T18:00:00Z"))
    await gateway.send("POST", "/log-reports", fault("relayFailure", True, "2026-10-05T18:00:10Z"))
    await gateway.send("POST", "/log-reports", fault("lampFailure", False, "2026-10-05T18:01:00Z"))
    await until(lambda: status().get("observedAt") == "2026-10-05T18:01:00Z")
    assert status()["value"] == "defectiveLamp"

    await gateway.send("POST", "/log-reports", fault("relayFailure", False, "2026-10-05T18:02:00Z"))
    await until(lambda: status().get("observedAt") == "2026-10-05T18:02:00Z")
    assert status()["value"] == "ok"


async def test_what_the_gateway_told_survives_the_adapter(lighting, adapter, peer):
    file, gateway = lighting
    first = adapter(file)
    await gateway.ready()
    await gateway.send("POST", "/devices", ANNOUNCEMENT)
    first.kill()

    adapter(file)
    await gateway.ready()
    await gateway.send("POST", "/log-reports", LOG_REPORT)

    await until(lambda: peer.entities.get(LAMP, {}).get("status", {}).get("value") == "defectiveLamp")
    assert peer.entities[LAMP]["name"]["value"] == "Place Foch 3"


async def test_each_lamp_of_a_device_is_a_light(gateway, peer):
    def attribute(value):
        return {"type": "AttributeFloat", "timestamp": "2026-10-05T18:00:00Z", "value": value}

    device = {
        "address": "7b1f0a52-2d6c-4a0e-8a58-3f0b7d4f1009",
        "name": "CH-0500",
        "class": "DoubleLamp",
        "functions": [
            {"id": "a1", "type": "LampActuatorFunction"},
            {"id": "a2", "type": "LampActuatorFunction"},
            {"id": "m1", "type": "LampMonitorFunction", "activePower": attribute(40)},
            {
                "id": "m2",
                "type": "LampMonitorFunction",
                "actuatorReference": {"type": "AttributeString", "value": "a2"},
                "activePower": attribute(20),
            },
        ],
    }

    await gateway.send("POST", "/devices", [device])

    await peer.holds(2)
    assert peer.entities["urn:ngsi-ld:Streetlight:chalons-CH-0500"]["powerConsumption"]["value"] == 40
    assert peer.entities["urn:ngsi-ld:Streetlight:chalons-CH-0500-2"]["powerConsumption"]["value"] == 20


async def test_a_message_of_an_unknown_device_is_set_aside_with_its_reason(gateway, tmp_path):
    status, _ = await gateway.send("POST", "/log-reports", LOG_REPORT)

    assert status == 201
    letters = dead_letters(tmp_path / "state/test")
    assert len(letters) == 3
    assert letters[0]["reason"].endswith("was never announced by POST or PATCH /devices")


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ({"name": "x", "class": "y"}, "a device must have a text as its address, not None"),
        (7, "a device must be an object, not 7"),
        (
            {"address": "a", "name": "x", "class": "y", "functions": [{"id": "1"}]},
            "a function must have a text as its type, not None",
        ),
    ],
)
async def test_a_broken_device_is_set_aside_and_the_others_go_on(gateway, peer, tmp_path, device, reason):
    status, _ = await gateway.send("POST", "/devices", [device, *ANNOUNCEMENT])

    assert status == 201
    await peer.holds(2)
    (letter,) = dead_letters(tmp_path / "state/test")
    assert letter["reason"] == reason


def measure(**attributes):
    """An update of the lamp with other measures."""
    update = json.loads(json.dumps(UPDATE[:1]))
    monitor = update[0]["functions"][1]
    for name, change in attributes.items():
        monitor[name].update(change)
    return update


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"activePower": {"value": "hot"}}, "(LampMonitorFunction.activePower.value): 'hot' is not a number"),
        ({"powerFactor": {"value": 97}}, "(LampMonitorFunction.powerFactor.value): 97 is not between -1 and 1"),
        ({"activePower": {"timestamp": "1970-01-01T00:00:00Z"}}, "before 2000, or ahead of now"),
        ({"activePower": {"timestamp": "2999-01-01T00:00:00Z"}}, "before 2000, or ahead of now"),
        ({"activePower": {"timestamp": "yesterday"}}, "'yesterday' is not a time"),
    ],
)
async def test_an_impossible_measure_is_set_aside_with_its_reason(gateway, peer, tmp_path, change, reason):
    await gateway.send("POST", "/devices", ANNOUNCEMENT)
    status, _ = await gateway.send("PATCH", "/devices", measure(**change) + UPDATE[1:])

    assert status == 200
    await until(lambda: "totalActivePower" in peer.entities.get(CABINET, {}))
    (letter,) = dead_letters(tmp_path / "state/test")
    assert reason in letter["reason"]


@pytest.mark.parametrize(
    ("arguments", "status", "key"),
    [
        ({"body": "[{"}, 400, "payloadError"),
        ({"body": "7"}, 400, "payloadError"),
        ({"body": [], "headers": {}}, 400, "headerMissing"),
        ({"body": [], "headers": {"talq-api-version": "1.0"}}, 400, "headerValueNotValid"),
        ({"body": [], "clientAddress": "me"}, 400, "parameterValueNotValid"),
    ],
)
async def test_a_request_that_is_not_as_talq_says_gets_its_error(gateway, arguments, status, key):
    answered, errors = await gateway.send("POST", "/devices", **arguments)

    assert (answered, errors[0]["key"]) == (status, key)
    assert errors[0]["description"]


async def test_a_gateway_is_not_answered_while_the_disk_does_not_take_its_data(adapter_file, adapter, peer):
    port = free_port()
    definition = {"profile": "talq", "settings": {"site": "chalons", "port": port}, "limits": {"queue_entities": 1}}
    peer.status = 503
    adapter(adapter_file({**definition, "source": {"wait": 0.3}}))
    gateway = Gateway(port)
    await gateway.ready()

    first, _ = await gateway.send("POST", "/devices", ANNOUNCEMENT)
    second, errors = await gateway.send("PATCH", "/devices", UPDATE)

    assert (first, second) == (201, 503)
    assert errors[0]["description"] == "the data could not be stored yet; send it again"


async def test_kill_9_loses_nothing_that_was_acknowledged(lighting, adapter, peer):
    file, gateway = lighting
    acknowledged = set()
    number = 0
    for _ in range(4):
        process = adapter(file)
        await gateway.ready()
        until_kill = number + 60
        while number < until_kill:
            device = dict(ANNOUNCEMENT[0], name=f"K-{number}", address=f"7b1f0a52-2d6c-4a0e-8a58-3f0b7d4f{number:04d}")
            if (await gateway.send("POST", "/devices", [device]))[0] == 201:
                acknowledged.add(f"urn:ngsi-ld:Streetlight:chalons-K-{number}")
            number += 1
        process.kill()

    adapter(file)

    assert len(acknowledged) == 240
    await until(lambda: acknowledged <= set(peer.entities))
