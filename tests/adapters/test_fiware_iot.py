"""fiware_iot: devices that publish to a real MQTT broker, and devices that post."""

import io
import json

import aiohttp
import pytest

from adapters.decoding import Fault, open_decoder
from adapters.errors import DecodingError
from tests.adapters.peer import free_port, until
from tests.adapters.profiles import FOLDER

MESSAGES = [json.loads(path.read_text()) for path in sorted((FOLDER / "fiware_iot/samples").iterdir())]
MEASUREMENT = "urn:ngsi-ld:DeviceMeasurement:chalons-"


async def test_measures_over_mqtt(runs, mqtt, reader):
    devices = str(FOLDER / "fiware_iot/devices.sample.csv")
    runs("fiware_iot", {**mqtt.settings, "devices": devices, "names": {"t": "temperature"}})
    await mqtt.subscribed()

    await mqtt.publish(*((message["topic"], message["payload"]) for message in MESSAGES))

    measurements = await reader.entities(
        "DeviceMeasurement",
        6,
        lambda entities: entities[MEASUREMENT + "pump-4-temperature"]["numValue"]["value"] == 22,
    )
    temperature = measurements[MEASUREMENT + "pump-3-temperature"]["numValue"]
    assert (temperature["value"], temperature["unitCode"]) == (23.5, "CEL")
    assert temperature["observedAt"].startswith("2026-10-05T06:00:00")
    assert measurements[MEASUREMENT + "pump-3-running"]["textValue"]["value"] == "yes"
    assert measurements[MEASUREMENT + "pump-4-flow"]["numValue"]["value"] == 0
    assert measurements[MEASUREMENT + "pump-3-level"]["numValue"]["value"] == 44
    device = (await reader.entities("Device", 2))["urn:ngsi-ld:Device:chalons-pump-3"]
    assert device["name"]["value"] == "Forage du Grand Jard"
    assert device["location"]["value"]["coordinates"] == [4.36012, 48.95389]


async def test_measures_over_http(runs, reader, log):
    port = free_port()
    runs("fiware_iot", {"keys": ["k1"]}, source={"kind": "fiware_iot", "port": port})
    await until(lambda: "listening" in log())
    url = f"http://127.0.0.1:{port}/iot"

    async with aiohttp.ClientSession() as session:

        async def said(method, path, **options):
            async with session.request(method, url + path, **options) as answer:
                return answer.status

        assert await said("POST", "/json?i=a&k=k1&t=2026-10-05T06:00:00Z", json={"h": "45", "open": True}) == 200
        assert await said("POST", "/json/attrs/level?i=a&k=k1", data=b"7") == 200
        assert await said("POST", "/d?i=b&k=k1", data=b"t|15|k|abc") == 200
        assert await said("GET", "/d?i=b&k=k1&d=p%7C1013") == 200
        assert await said("POST", "/json?i=a&k=other", json={"h": 1}) == 403
        assert await said("POST", "/d?i=b&k=k1", data=b"t") == 400
        assert await said("POST", "/json?k=k1", json={}) == 400

    measurements = await reader.entities("DeviceMeasurement", 5)
    assert {name.removeprefix(MEASUREMENT) for name in measurements} == {"a-h", "a-level", "b-t", "b-k", "b-p"}


def decoded(topic, payload, **options):
    decoder = open_decoder({"kind": "fiware_iot", **options}, "test")
    return list(decoder.decode(io.BytesIO(payload), {"topic": topic}))


def test_ultralight_groups_and_times():
    records = decoded("/ul/k/d/attrs", b"2016-06-13T00:35:30Z|lle|100#gps|1.2/3.4")

    assert records == [
        {
            "device": "d",
            "key": "k",
            "protocol": "ul",
            "time": "2016-06-13T00:35:30Z",
            "values": [{"name": "lle", "value": 100}],
        },
        {
            "device": "d",
            "key": "k",
            "protocol": "ul",
            "time": None,
            "values": [{"name": "gps", "value": "1.2/3.4"}],
        },
    ]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("/json/k/d/attrs", b"{"),
        ("/json/k/d/attrs", b"3"),
        ("/ul/k/d/attrs", b"|"),
        ("/x/k/d/attrs", b"{}"),
        ("/ul/k/d/cmdexe", b""),
    ],
)
def test_what_cannot_be_read(topic, payload):
    with pytest.raises(DecodingError):
        decoded(topic, payload)


def test_a_key_that_is_not_agreed_on_is_a_fault_that_does_not_tell_it():
    (fault,) = decoded("/ul/secret/d/attrs", b"t|1", keys=["k"])

    assert isinstance(fault, Fault)
    assert "secret" not in fault.reason + str(fault.record)


def test_what_devices_say_of_commands():
    result = {"device": "d", "key": "k", "protocol": "ul", "time": None, "result": {"name": "ping", "value": "Ping ok"}}

    assert decoded("/ul/k/d/cmdexe", b"d@ping|Ping ok") == [result]
    assert decoded("/json/k/d/cmdexe", b'{"ping": "Ping ok"}') == [result | {"protocol": "json"}]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [("/ul/k/d/cmdexe", b"ping|ok"), ("/json/k/d/cmdexe", b"[]"), ("/json/k/d/cmdexe", b"{"), ("/x/k/d/cmdexe", b"{}")],
)
def test_what_is_no_result_of_a_command(topic, payload):
    with pytest.raises(DecodingError):
        decoded(topic, payload)
