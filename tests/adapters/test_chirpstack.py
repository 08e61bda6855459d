"""The chirpstack profile: events published to a real MQTT broker."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path

import aiomqtt
import pytest
from amqtt.broker import Broker

import adapters.chirpstack
from tests.adapters.peer import dead_letters, free_port, until

FOLDER = Path(adapters.chirpstack.__file__).parent
JOIN, SOIL, STATUS, LEVEL = (
    json.loads((FOLDER / "samples" / name).read_text())
    for name in ("1-join.json", "2-soil.json", "3-status.json", "4-level.json")
)
DEVICE = "urn:ngsi-ld:Device:chalons-a84041c18187a004"
SOIL_RECORD = "urn:ngsi-ld:GreenspaceRecord:chalons-petit-jard-04"
LEVEL_DISTANCE = "urn:ngsi-ld:DeviceMeasurement:chalons-24e124713c51a902-distance"


class Lorawan:
    """What ChirpStack is to the adapter: somebody who publishes events to an MQTT broker."""

    def __init__(self):
        self.port = free_port()
        self._broker = None

    async def start(self):
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}},
            }
        )
        await self._broker.start()

    async def stop(self):
        await self._broker.shutdown()

    async def publish(self, kind, *events):
        async with aiomqtt.Client("127.0.0.1", self.port, username="chirpstack") as client:
            for event in events:
                payload = event if isinstance(event, bytes) else json.dumps(event).encode()
                device = event["deviceInfo"]["devEui"] if isinstance(event, dict) else "a84041c18187a004"
                await client.publish(f"application/1/device/{device}/event/{kind}", payload, qos=1)


@pytest.fixture
async def lorawan():
    lorawan = Lorawan()
    await lorawan.start()
    yield lorawan
    await lorawan.stop()


@pytest.fixture
def sensors(adapter_file, lorawan):
    settings = {
        "site": "chalons",
        "host": "127.0.0.1",
        "port": lorawan.port,
        "username": "beffroi",  # the sessions of clients without a name are not kept by this broker
        "devices": str(FOLDER / "devices.sample.csv"),
    }
    return adapter_file({"profile": "chirpstack", "settings": settings})


@pytest.fixture
async def running(sensors, adapter, tmp_path):
    process = adapter(sensors)
    await until(lambda: "subscribed" in (tmp_path / "adapter.log").read_text())
    return process


async def test_an_uplink_becomes_a_device_and_what_it_measures(running, lorawan, peer):
    await lorawan.publish("up", SOIL)

    await peer.holds(2)
    device, soil = peer.entities[DEVICE], peer.entities[SOIL_RECORD]
    time = "2026-10-05T06:00:14.530112Z"
    assert device["name"]["value"] == "Petit Jard 04"
    assert device["rssi"] == {"type": "Property", "value": -97, "unitCode": "DBM", "observedAt": time}
    assert device["controlledProperty"]["value"] == ["soilMoisture", "temperature", "conductivity"]
    assert device["dateLastValueReported"]["value"] == time
    assert device["location"]["value"] == {"type": "Point", "coordinates": [4.36012, 48.95389]}
    assert soil["soilMoistureVwc"] == {"type": "Property", "value": 0.1978, "unitCode": "C62", "observedAt": time}
    assert soil["soilTemperature"] == {"type": "Property", "value": 14.1, "unitCode": "CEL", "observedAt": time}
    assert soil["soilMoistureEc"] == {"type": "Property", "value": 0.0082, "unitCode": "D10", "observedAt": time}
    assert soil["refDevice"] == {"type": "Relationship", "object": DEVICE, "observedAt": time}
    assert soil["refGreenspace"]["object"] == "urn:ngsi-ld:Garden:chalons-petit-jard"


async def test_a_device_of_another_profile_makes_a_measurement_of_each_number(running, lorawan, peer):
    await lorawan.publish("up", LEVEL)

    await peer.holds(3)
    measurement = peer.entities[LEVEL_DISTANCE]
    assert measurement["numValue"] == {
        "type": "Property",
        "value": 418.0,
        "unitCode": "MMT",
        "observedAt": "2026-10-05T06:10:02.7Z",
    }
    assert measurement["controlledProperty"]["value"] == "distance"
    assert not any(name.endswith("-position") for name in peer.entities)


async def test_join_and_status(running, lorawan, peer):
    await lorawan.publish("join", JOIN)
    await lorawan.publish("status", STATUS)

    await until(lambda: "batteryLevel" in peer.entities.get(DEVICE, {}))
    device = peer.entities[DEVICE]
    assert device["deviceState"]["value"] == "joined"
    assert device["batteryLevel"] == {
        "type": "Property",
        "value": 0.913,
        "unitCode": "C62",
        "observedAt": "2026-10-05T06:05:44.000915Z",
    }


@pytest.mark.parametrize(
    ("members", "battery"),
    [({}, 0), ({"batteryLevelUnavailable": True}, -1), ({"externalPowerSource": True}, None)],
)
async def test_a_battery_level_that_is_absent(running, lorawan, peer, members, battery):
    event = {key: value for key, value in STATUS.items() if key != "batteryLevel"} | members

    await lorawan.publish("status", event)

    await peer.holds(1)
    level = peer.entities[DEVICE].get("batteryLevel")
    assert (level and level["value"]) == battery


async def test_an_uplink_delivered_twice_is_sent_once(running, lorawan, peer):
    await lorawan.publish("up", SOIL, SOIL)
    await lorawan.publish("up", LEVEL)

    await until(lambda: LEVEL_DISTANCE in peer.entities)
    sent = [entity for _, _, entities in peer.requests for entity in entities if entity["id"] == SOIL_RECORD]
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "not JSON"),
        (b"7", "an event must have a deviceInfo with a devEui"),
        (json.dumps({**SOIL, "deviceInfo": {"devEui": "ffffffffffffffff"}}).encode(), "the topic is of the device"),
        (json.dumps({**SOIL, "time": "tomorrow"}).encode(), "'tomorrow' is not a time"),
        (json.dumps({**SOIL, "object": {"water_SOIL": "wet"}}).encode(), "'wet' is not a number"),
        (json.dumps({**SOIL, "object": {"water_SOIL": "140"}}).encode(), "1.4 is not between 0 and 1"),
    ],
)
async def test_a_broken_event_is_set_aside_and_the_others_go_on(running, lorawan, peer, tmp_path, payload, reason):
    await lorawan.publish("up", payload)
    await lorawan.publish("up", LEVEL)

    await peer.holds(3)
    (letter,) = dead_letters(tmp_path / "state/test")
    assert reason in letter["reason"]


async def test_what_is_published_while_the_adapter_is_dead_is_not_lost(running, sensors, adapter, lorawan, peer):
    running.kill()
    await lorawan.publish("up", SOIL, LEVEL)

    adapter(sensors)

    await peer.holds(5)


async def test_a_broker_of_messages_that_goes_away_is_found_again(running, lorawan, peer):
    await lorawan.publish("up", SOIL)
    await peer.holds(2)

    await lorawan.stop()
    await lorawan.start()

    async def published():
        await lorawan.publish("up", LEVEL)
        return len(peer.entities) >= 5

    for _ in range(100):
        if await published():
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the adapter did not come back")


@pytest.fixture
def mosquitto(tmp_path):
    """A broker that keeps what a dead client had not acknowledged; the one in Python above does not."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    lorawan = Lorawan()
    file = tmp_path / "mosquitto.conf"
    file.write_text(f"listener {lorawan.port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield lorawan
    process.kill()
    process.wait()


async def test_kill_9_in_mid_flow_loses_no_uplink(mosquitto, adapter_file, adapter, peer, tmp_path):
    settings = {"site": "chalons", "host": "127.0.0.1", "port": mosquitto.port}
    file = adapter_file({"profile": "chirpstack", "settings": settings})
    process = adapter(file)
    await until(lambda: "subscribed" in (tmp_path / "adapter.log").read_text())
    events = [
        {**LEVEL, "deviceInfo": {**LEVEL["deviceInfo"], "devEui": f"24e124713c51{number:04x}"}} for number in range(600)
    ]
    publishing = asyncio.ensure_future(mosquitto.publish("up", *events))

    for wanted in (30, 500, 1000, 1500):
        await until(lambda wanted=wanted: len(peer.entities) >= wanted)
        process.kill()
        process = adapter(file)
    await publishing

    await peer.holds(1800, 30)
