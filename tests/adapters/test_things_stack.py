"""things_stack: messages published to a real MQTT broker."""

import io
import json

import pytest

from adapters.decoding import Fault, cayenne, open_decoder
from adapters.errors import DecodingError
from tests.adapters.peer import dead_letters
from tests.adapters.profiles import FOLDER

JOIN, SOIL, ROOM = (
    json.loads((FOLDER / "things_stack/samples" / name).read_text())
    for name in ("1-join.json", "2-soil.json", "3-room.json")
)
DEVICES = str(FOLDER / "things_stack/devices.sample.csv")


async def test_uplinks_become_devices_soil_records_and_measurements(runs, mqtt, reader, tmp_path):
    runs("things_stack", {**mqtt.settings, "devices": DEVICES})
    await mqtt.subscribed()

    await mqtt.publish(
        ("v3/parcs@ttn/devices/massif-07/join", JOIN),
        ("v3/parcs@ttn/devices/massif-07/up", SOIL),
        ("v3/parcs@ttn/devices/salle-3/up", ROOM),
        ("v3/parcs@ttn/devices/salle-3/up", b"{"),
    )

    soil = (await reader.entities("GreenspaceRecord", 1))["urn:ngsi-ld:GreenspaceRecord:chalons-petit-jard-07"]
    assert soil["soilMoistureVwc"]["value"] == 0.231
    assert soil["soilTemperature"]["value"] == 13.4
    assert soil["soilMoistureEc"]["value"] == 0.012
    assert soil["soilMoistureEc"]["observedAt"].startswith("2026-10-05T06:00:14.53")
    assert soil["refGreenspace"]["object"] == "urn:ngsi-ld:Garden:chalons-petit-jard"
    device_id = "urn:ngsi-ld:Device:chalons-70b3d57ed0051234"
    devices = await reader.entities("Device", 2, lambda entities: "rssi" in entities[device_id])
    assert devices[device_id]["deviceState"]["value"] == "active"
    assert devices[device_id]["rssi"]["value"] == -97
    assert devices["urn:ngsi-ld:Device:chalons-a81758fffe0301f1"]["location"]["value"]["coordinates"] == [
        4.3645,
        48.9567,
    ]
    measurements = await reader.entities("DeviceMeasurement", 4)
    temperature = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-a81758fffe0301f1-temperature"]["numValue"]
    assert (temperature["value"], temperature["unitCode"]) == (20.4, "CEL")
    battery = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-70b3d57ed0051234-battery"]["numValue"]
    assert (battery["value"], battery["unitCode"]) == (3.55, "VLT")
    assert [letter["record"] for letter in dead_letters(tmp_path / "state/test")] == ["{"]


@pytest.mark.parametrize(
    ("payload", "values"),
    [
        ("A2cBEAVnAP8=", {"temperature_3": 27.2, "temperature_5": 25.5}),
        ("Bmf/1w==", {"temperature_6": -4.1}),
        ("AYgGdl/ylgoAA+g=", {"gps_1_latitude": 42.3519, "gps_1_longitude": -87.9094, "gps_1_altitude": 10.0}),
        ("AWhkAmUBLAMAAQ==", {"relative_humidity_1": 50.0, "luminosity_2": 300, "digital_in_3": 1}),
        ("BnEE0vsuAAA=", {"accelerometer_6_x": 1.234, "accelerometer_6_y": -1.234, "accelerometer_6_z": 0.0}),
        ("", {}),
    ],
)
def test_cayenne_lpp(payload, values):
    assert cayenne.decode(payload) == values


@pytest.mark.parametrize("payload", ["A2cB", "Aw==", "A/8B", "no base64!"])
def test_cayenne_lpp_that_is_not_right(payload):
    with pytest.raises(DecodingError):
        cayenne.decode(payload)


def decoded(message, **options):
    decoder = open_decoder({"kind": "things_stack", **options}, "test")
    return next(iter(decoder.decode(io.BytesIO(json.dumps(message).encode()), {})))


def test_a_frame_without_a_decoded_payload_is_cayenne_lpp_where_that_is_set():
    uplink = {**ROOM, "uplink_message": {"frm_payload": "A2cBEA=="}}

    assert decoded(uplink)["values"] == []
    assert decoded(uplink, cayenne_lpp=True)["values"] == [{"name": "temperature_3", "value": 27.2}]


@pytest.mark.parametrize(
    "message", [[], {}, {"end_device_ids": {"device_id": "a"}}, {"end_device_ids": {}, "uplink_message": {}}]
)
def test_what_is_no_message_is_a_fault(message):
    assert isinstance(decoded(message), Fault)


def test_what_becomes_of_downlinks_makes_no_entity():
    assert decoded({**JOIN, "join_accept": 1, "downlink_ack": {}}) is not None
    assert decoded({"end_device_ids": JOIN["end_device_ids"], "downlink_ack": {"f_port": 15}})["event"] == "other"
