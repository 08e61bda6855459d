"""traffic_lights: controllers that publish to a real MQTT broker."""

import io
import json

import pytest

from adapters.decoding import Fault, open_decoder
from tests.adapters.profiles import FOLDER

SIGNAL, SPAT = (
    json.loads((FOLDER / "traffic_lights/samples" / name).read_text()) for name in ("1-signal.json", "2-spat.json")
)


async def test_ilsa_signal_states(runs, mqtt, reader):
    intersections = str(FOLDER / "traffic_lights/intersections.sample.csv")
    runs("traffic_lights", {**mqtt.settings, "intersections": intersections})
    await mqtt.subscribed()

    await mqtt.publish((SIGNAL["topic"], SIGNAL["payload"]))
    name = "urn:ngsi-ld:DeviceMeasurement:chalons-K440-K3-1"
    signal = (await reader.entities("DeviceMeasurement", 1))[name]
    assert signal["textValue"]["value"] == "red"
    assert signal["textValue"]["observedAt"].startswith("2026-01-06T13:48:15.288")
    assert signal["measurementType"]["value"] == "K3"

    green = {**SIGNAL["payload"], "values": [True, False, False], "timestamp": "2026-01-06T14:48:45ZCET"}
    await mqtt.publish((SIGNAL["topic"], green))
    await reader.entities("DeviceMeasurement", 1, lambda entities: entities[name]["textValue"]["value"] == "green")
    device_id = "urn:ngsi-ld:Device:chalons-K440"
    device = (await reader.entities("Device", 1))[device_id]
    assert device["name"]["value"] == "Carrefour Jean-Jaurès"

    both = {**SIGNAL["payload"], "values": [True, False, True], "timestamp": "2026-01-06T14:49:00ZCET"}
    await mqtt.publish((SIGNAL["topic"], both))
    await reader.entities("DeviceMeasurement", 1, lambda entities: entities[name]["textValue"]["value"] == "fault")


async def test_spat_states_and_faults(runs, mqtt, reader):
    runs("traffic_lights", {**mqtt.settings, "topic": "spat/json"})
    await mqtt.subscribed()

    await mqtt.publish((SPAT["topic"], SPAT["payload"]))

    signals = await reader.entities("DeviceMeasurement", 2)
    states = {name[-1]: signal["textValue"]["value"] for name, signal in signals.items()}
    assert states == {"2": "green", "4": "red"}
    device = (await reader.entities("Device", 1))["urn:ngsi-ld:Device:chalons-12111"]
    assert device["deviceState"]["value"] == "failureFlash"


def decoded(topic, payload):
    decoder = open_decoder({"kind": "traffic_lights"}, "test")
    return list(decoder.decode(io.BytesIO(json.dumps(payload).encode()), {"topic": topic}))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-07-06T14:48:15.288ZCEST", "2026-07-06T14:48:15.288+02:00"),
        ("2026-01-06T14:48:15Z", "2026-01-06T14:48:15Z"),
        ("2026-01-06T14:48:15ZXYZ", "2026-01-06T14:48:15?"),
    ],
)
def test_times_with_a_zone_s_name(text, time):
    (record,) = decoded("a/ilsa/K1/1/K3/1", {**SIGNAL["payload"], "timestamp": text})

    assert record["time"] == time


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("a/b", SIGNAL["payload"]),
        ("a/ilsa/K1/1/K3", {"values": [True]}),
        ("a/ilsa/K1/1/K3", {}),
        ("x", {"metadata": {}, "payload": {}}),
    ],
)
def test_what_is_no_state_is_a_fault(topic, payload):
    assert [type(record) for record in decoded(topic, payload)] == [Fault]


def test_a_configuration_makes_nothing():
    assert decoded("a/ilsa/K1/1/config/retained", {"modules": []}) == []
