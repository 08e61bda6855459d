"""Commands over MQTT, profile by profile: an application writes at the real broker, equipment that listens at a real
mosquitto gets it in its own protocol, and what it answers is read at the broker."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from adapters.errors import MappingError
from adapters.sparkplug.commands import encode
from adapters.sparkplug.payload import parse, signed
from tests.adapters.peer import free_port, until
from tests.adapters.profiles import FOLDER
from tests.adapters.test_buildings import STATES
from tests.adapters.test_chirpstack import DEVICE as LORA_DEVICE
from tests.adapters.test_chirpstack import SOIL
from tests.adapters.test_sparkplug import BIRTH, MEASUREMENT
from tests.adapters.test_things_stack import SOIL as TTS_SOIL

VALVE = "urn:ngsi-ld:Device:chalons-70b3d57ed0051234"


@pytest.fixture
def commanded(runs, mosquitto):
    """Runs a profile that takes commands."""

    async def run(profile, **settings):
        process = runs(profile, {**mosquitto.settings, **settings}, commands={"port": free_port(), "poll": 5})
        await mosquitto.subscribed()
        return process

    return run


async def test_chirpstack(commanded, mosquitto, application):
    await commanded("chirpstack")
    await mosquitto.listen("application/+/device/+/command/down")
    application_id, device = SOIL["deviceInfo"]["applicationId"], SOIL["deviceInfo"]["devEui"]
    events = f"application/{application_id}/device/{device}/event"
    await mosquitto.publish((f"{events}/up", SOIL))
    await application.exists(LORA_DEVICE)

    await application.command(LORA_DEVICE, "downlink", {"valve": "open"}, fPort=3)
    ((topic, payload),) = await mosquitto.heard()
    sent = json.loads(payload)
    assert topic == f"application/{application_id}/device/{device}/command/down"
    assert {name: sent[name] for name in sent if name not in ("id", "expiresAt")} == {
        "devEui": device,
        "confirmed": True,
        "fPort": 3,
        "object": {"valve": "open"},
    }
    left = datetime.fromisoformat(sent["expiresAt"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    await application.becomes(LORA_DEVICE, "downlink", "DELIVERED")

    event = {"deviceInfo": SOIL["deviceInfo"], "queueItemId": sent["id"], "fCntDown": 2}
    await mosquitto.publish((f"{events}/txack", {**event, "gatewayId": "0016c001f153a14c"}))
    await mosquitto.publish((f"{events}/ack", {**event, "acknowledged": True}))
    done = await application.becomes(LORA_DEVICE, "downlink", "OK")
    assert done["downlink_info"]["value"] == "acknowledged by the device"

    await application.command(LORA_DEVICE, "downlink", "qg==")
    sent = json.loads((await mosquitto.heard(2))[1][1])
    assert (sent["data"], sent["fPort"]) == ("qg==", 10)
    await mosquitto.publish((f"{events}/ack", {**event, "queueItemId": sent["id"]}))  # false is left out by protobuf
    await application.becomes(LORA_DEVICE, "downlink", "ERROR")


async def test_things_stack(commanded, mosquitto, application):
    await commanded("things_stack")
    await mosquitto.listen("v3/+/devices/+/down/push")
    place = "v3/parcs@ttn/devices/massif-07"
    await mosquitto.publish((f"{place}/up", TTS_SOIL))
    await application.exists(VALVE)

    await application.command(VALVE, "downlink", "vu8=")
    ((topic, payload),) = await mosquitto.heard()
    (downlink,) = json.loads(payload)["downlinks"]
    assert topic == f"{place}/down/push"
    assert (downlink["f_port"], downlink["frm_payload"], downlink["confirmed"]) == (15, "vu8=", True)

    told = {"end_device_ids": TTS_SOIL["end_device_ids"], "correlation_ids": ["as:x"]}
    await mosquitto.publish((f"{place}/down/queued", {**told, "downlink_queued": downlink}))
    await mosquitto.publish((f"{place}/down/ack", {**told, "downlink_ack": downlink}))
    await application.becomes(VALVE, "downlink", "OK")

    await application.command(VALVE, "downlink", "AAA=")
    (downlink,) = json.loads((await mosquitto.heard(2))[1][1])["downlinks"]
    error = {"message_format": "application downlink payload is too long"}
    failed = {**told, "downlink_failed": {"downlink": downlink, "error": error}}
    await mosquitto.publish((f"{place}/down/failed", failed))
    entity = await application.becomes(VALVE, "downlink", "ERROR")
    assert entity["downlink_info"]["value"] == "application downlink payload is too long"


async def test_sparkplug(commanded, mosquitto, application):
    await commanded("sparkplug")
    await mosquitto.listen("spBv1.0/+/DCMD/#", "spBv1.0/+/NCMD/#")
    await mosquitto.publish(BIRTH)
    flow = MEASUREMENT + "D%C3%A9bit"
    await application.exists(flow)

    await application.command(flow, "setValue", 21.5)
    ((topic, payload),) = await mosquitto.heard()
    (metric,) = parse(payload).metrics
    assert topic == "spBv1.0/Arrosage/DCMD/Jard/pompe-3"
    assert (metric.name, metric.value, metric.datatype) == ("Débit", 21.5, 9)
    await application.becomes(flow, "setValue", "DELIVERED")

    await mosquitto.publish(("spBv1.0/Arrosage/DDATA/Jard/pompe-3", payload))  # the equipment reports the value
    done = await application.becomes(flow, "setValue", "OK")
    assert done["numValue"]["value"] == 21.5

    await application.command(flow, "setValue", "much")
    refused = await application.becomes(flow, "setValue", "ERROR")
    assert refused["setValue_info"]["value"] == "'much' is not a value for a metric of Sparkplug type 9"

    device = "urn:ngsi-ld:Device:chalons-Arrosage-Jard-pompe-3"
    await application.command(device, "rebirth", True)
    topic, payload = (await mosquitto.heard(2))[1]
    (metric,) = parse(payload).metrics
    assert (topic, metric.name, metric.value) == ("spBv1.0/Arrosage/NCMD/Jard", "Node Control/Rebirth", True)
    await mosquitto.publish(BIRTH)
    await application.becomes(device, "rebirth", "OK")


@pytest.mark.parametrize(
    ("datatype", "value"),
    [(1, -4), (4, -5_000_000_000), (5, 255), (8, 2**63), (9, 0.5), (10, 0.1), (11, True), (11, False), (12, "auto")],
)
def test_sparkplug_values(datatype, value):
    payload = encode({"name": "m", "datatype": datatype, "value": value, "time": "2026-11-23T06:00:00Z"})

    (metric,) = parse(payload).metrics
    assert signed(metric.value, datatype) == value
    assert (metric.datatype, metric.time) == (datatype, 1795413600000)


@pytest.mark.parametrize(("datatype", "value"), [(1, 128), (5, -1), (3, 0.5), (9, "x"), (11, 2), (12, 3), (9, 1e300)])
def test_sparkplug_what_a_metric_cannot_hold(datatype, value):
    with pytest.raises(MappingError):
        encode({"name": "m", "datatype": datatype, "value": value, "time": "2026-11-23T06:00:00Z"})


async def test_bacnet(commanded, mosquitto, application):
    await commanded("bacnet_mqtt", points=str(FOLDER / "bacnet_mqtt/points.sample.csv"))
    await mosquitto.listen("bacnetwrite/#")
    await mosquitto.publish(*((state["topic"], json.dumps(state["payload"])) for state in STATES))
    point = "urn:ngsi-ld:DeviceMeasurement:chalons-mairie-2_202"
    await application.exists(point)

    await application.command(point, "setValue", 19.5)
    ((topic, payload),) = await mosquitto.heard()
    assert topic == "bacnetwrite/mairie/114/2_202/85/set"
    assert json.loads(payload) == {"value": 19.5, "priority": 8, "bacnetApplicationTag": 4}
    await application.becomes(point, "setValue", "DELIVERED")

    status = "bacnetwrite_status/mairie/114/2_202/85"
    await mosquitto.publish((status, {"status": "success", "detail": "written"}))
    await application.becomes(point, "setValue", "OK")

    await application.command(point, "setValue", 90, priority=1)
    assert json.loads((await mosquitto.heard(2))[1][1])["priority"] == 1
    await mosquitto.publish((status, {"status": "error", "detail": "write-access-denied"}))
    entity = await application.becomes(point, "setValue", "ERROR")
    assert entity["setValue_info"]["value"] == "write-access-denied"


@pytest.mark.parametrize(
    ("protocol", "measure", "value", "sent", "result"),
    [
        ("json", {"t": 15}, {"data": "22"}, b'{"ping":{"data":"22"}}', {"ping": "1234567890"}),
        ("ul", "t|15", "left", b"robot-1@ping|left", "robot-1@ping|1234567890"),
        ("ul", "t|15", {"a": 1, "b": "x"}, b"robot-1@ping|a=1|b=x", "robot-1@ping|1234567890"),
    ],
)
async def test_fiware_iot(commanded, mosquitto, application, protocol, measure, value, sent, result):
    await commanded("fiware_iot", commands=["ping", "turn"])
    await mosquitto.listen("/k1/+/cmd")
    await mosquitto.publish((f"/{protocol}/k1/robot-1/attrs", measure))
    robot = "urn:ngsi-ld:Device:chalons-robot-1"
    await application.exists(robot)

    await application.command(robot, "ping", value)
    ((topic, payload),) = await mosquitto.heard()
    assert (topic, payload) == ("/k1/robot-1/cmd", sent)

    await mosquitto.publish((f"/{protocol}/k1/robot-1/cmdexe", result))
    done = await application.becomes(robot, "ping", "OK")
    assert str(done["ping_info"]["value"]) == "1234567890"


async def test_an_mqtt_broker_that_is_away_is_waited_for(commanded, mosquitto, application, log):
    await commanded("chirpstack")
    application_id, device = SOIL["deviceInfo"]["applicationId"], SOIL["deviceInfo"]["devEui"]
    await mosquitto.publish((f"application/{application_id}/device/{device}/event/up", SOIL))
    await application.exists(LORA_DEVICE)
    await mosquitto.stop()

    await application.command(LORA_DEVICE, "downlink", "qg==")
    await application.becomes(LORA_DEVICE, "downlink", "PENDING")
    await until(lambda: "the connection was lost" in log())
    await mosquitto.start()
    await mosquitto.listen("application/+/device/+/command/down")

    await application.becomes(LORA_DEVICE, "downlink", "DELIVERED", 40)
    assert len(mosquitto.messages) <= 1  # once, or before the equipment was back
