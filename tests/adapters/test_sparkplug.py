"""sparkplug: nodes that publish to a real MQTT broker. The samples' bytes were written by protobuf's own library."""

import base64
import contextlib
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.decoding import Fault, open_decoder
from adapters.errors import DecodingError
from adapters.sparkplug.payload import parse, signed
from tests.adapters.profiles import FOLDER

BIRTH, DATA, DEATH = (
    (message["topic"], base64.b64decode(message["base64"]))
    for message in (json.loads(path.read_text()) for path in sorted((FOLDER / "sparkplug/samples").iterdir()))
)
DEVICE = "urn:ngsi-ld:Device:chalons-Arrosage-Jard-pompe-3"
MEASUREMENT = "urn:ngsi-ld:DeviceMeasurement:chalons-Arrosage-Jard-pompe-3-"


async def test_births_data_and_deaths(runs, mqtt, reader):
    process = runs("sparkplug", mqtt.settings)
    await mqtt.subscribed()

    await mqtt.publish(BIRTH)
    measurements = await reader.entities("DeviceMeasurement", 6)
    by_property = {each["controlledProperty"]["value"]: each for each in measurements.values()}
    flow = by_property["Débit"]["numValue"]
    assert (flow["value"], flow["unitCode"]) == (18.5, "L2")
    assert flow["observedAt"].startswith("2026-09-30T08:00:00")
    assert by_property["Température"]["numValue"]["value"] == -4
    assert by_property["Volume"]["numValue"]["value"] == 123456
    assert by_property["En marche"]["numValue"]["value"] == 1
    assert by_property["Mode"]["textValue"]["value"] == "auto"

    await process.stop()  # the births are remembered: data after a restart has aliases only
    runs("sparkplug", mqtt.settings)
    await mqtt.publish(DATA)
    name = next(name for name, each in measurements.items() if each["controlledProperty"]["value"] == "Débit")
    running = next(name for name, each in measurements.items() if each["controlledProperty"]["value"] == "En marche")
    changed = await reader.entities(
        "DeviceMeasurement", 6, lambda entities: entities[name]["numValue"]["value"] == 19.1
    )
    assert changed[name]["numValue"]["unitCode"] == "L2"
    assert changed[running]["numValue"]["value"] == 0
    assert (await reader.entities("Device", 1))[DEVICE]["deviceState"]["value"] == "online"

    await mqtt.publish(DEATH)
    await reader.entities("Device", 1, lambda entities: entities[DEVICE]["deviceState"]["value"] == "offline")


def decoded(topic, payload):
    return list(open_decoder({"kind": "sparkplug"}, "test").decode(io.BytesIO(payload), {"topic": topic}))


def test_an_alias_without_its_birth_is_a_fault():
    records = decoded(*DATA)

    assert records[0]["state"] == "online"
    assert [type(record) for record in records[1:]] == [Fault] * 4
    assert "ask the node for a rebirth" in records[1].reason


@pytest.mark.parametrize("topic", ["spBv1.0/STATE/host", "spBv1.0/g/NCMD/n", "spBv1.0/g/DCMD/n/d"])
def test_commands_and_hosts_make_nothing(topic):
    assert decoded(topic, b"{}") == []


@pytest.mark.parametrize(
    "topic", ["spAv1.0/g/NDATA/n", "spBv1.0/g/NDATA/n/d", "spBv1.0/g/DDATA/n", "spBv1.0/g/X/n", "a"]
)
def test_a_topic_that_is_none(topic):
    with pytest.raises(DecodingError, match="is no topic of Sparkplug B"):
        decoded(topic, b"")


@pytest.mark.parametrize(
    ("raw", "datatype", "meant"), [(4294967292, 1, -4), (252, 1, -4), (65535, 2, -1), (2**64 - 1, 4, -1), (200, 5, 200)]
)
def test_signed_integers(raw, datatype, meant):
    assert signed(raw, datatype) == meant


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40), st.integers(min_value=0))
def test_bytes_that_are_no_payload(junk, at):
    at %= len(BIRTH[1])
    for payload in (junk, BIRTH[1][:at], BIRTH[1][:at] + junk + BIRTH[1][at + 1 :]):
        with contextlib.suppress(DecodingError):
            parse(payload)
