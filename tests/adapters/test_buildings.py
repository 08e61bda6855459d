"""haystack and bacnet_mqtt: points of buildings."""

import io
import json

import pytest
from aiohttp import web

from adapters.check import examine
from adapters.decoding import Fault, open_decoder
from adapters.errors import DecodingError
from tests.adapters.profiles import FOLDER, definition_of

GRID = (FOLDER / "haystack/samples/1-grid.json").read_text()
STATES = [json.loads(path.read_text()) for path in sorted((FOLDER / "bacnet_mqtt/samples").iterdir())]


async def test_haystack_sites_and_points(runs, vendor, reader):
    def answer(request):
        assert request.query["filter"] == "site or (point and cur)"
        assert request.headers["Authorization"] == "Bearer t"
        return web.Response(text=GRID, content_type="application/json")

    await vendor.serve(api__x__read=answer)

    runs("haystack", {"url": f"{vendor.url}/api/x", "token": "t"})

    measurements = await reader.entities("DeviceMeasurement", 3)
    temperature = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-pt-conseil-t"]
    assert (temperature["numValue"]["value"], temperature["numValue"]["unitCode"]) == (20.5, "CEL")
    assert temperature["controlledProperty"]["value"] == "air temp"
    assert measurements["urn:ngsi-ld:DeviceMeasurement:chalons-pt-elec"]["numValue"]["unitCode"] == "KWT"
    assert measurements["urn:ngsi-ld:DeviceMeasurement:chalons-pt-ctA"]["textValue"]["value"] == "true"
    devices = await reader.entities("Device", 4)
    assert devices["urn:ngsi-ld:Device:chalons-pt-ext"]["deviceState"]["value"] == "fault"
    assert devices["urn:ngsi-ld:Device:chalons-pt-ctA"]["deviceCategory"]["value"] in ("actuator", ["actuator"])
    building_id = "urn:ngsi-ld:Building:chalons-site-hdv"
    assert devices["urn:ngsi-ld:Device:chalons-pt-elec"]["controlledAsset"]["object"] == building_id
    building = (await reader.entities("Building", 1))[building_id]
    assert building["name"]["value"] == "Hôtel de Ville"
    assert building["address"]["value"]["addressLocality"] == "Châlons-en-Champagne"
    assert building["location"]["value"]["coordinates"] == [4.3645, 48.9567]


def test_haystack_version_3(adapter_file):
    checked = examine(adapter_file(definition_of("haystack")), FOLDER / "haystack/samples/2-grid-v3.json")

    device, measurement = checked.entities
    assert device["name"]["value"] == "Médiathèque HR"
    assert measurement["numValue"]["value"] == 44
    assert measurement["numValue"]["unitCode"] == "P1"


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({"meta": {"err": {"_kind": "marker"}, "dis": "Unknown filter"}, "rows": []}, "an error: Unknown filter"),
        ({}, "must have rows"),
        ([], "must have rows"),
    ],
)
def test_haystack_what_is_no_grid(grid, told):
    with pytest.raises(DecodingError, match=told):
        list(open_decoder({"kind": "haystack"}, "test").decode(io.BytesIO(json.dumps(grid).encode()), {}))


async def test_bacnet_states(runs, mqtt, reader):
    runs("bacnet_mqtt", {**mqtt.settings, "points": str(FOLDER / "bacnet_mqtt/points.sample.csv")})
    await mqtt.subscribed()

    await mqtt.publish(*((state["topic"], json.dumps(state["payload"])) for state in STATES))

    measurements = await reader.entities("DeviceMeasurement", 3)
    temperature = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-mairie-2_202"]
    assert (temperature["numValue"]["value"], temperature["numValue"]["unitCode"]) == (21.5, "CEL")
    assert temperature["name"]["value"] == "Salle du conseil"
    assert measurements["urn:ngsi-ld:DeviceMeasurement:chalons-mairie-5_7"]["numValue"]["value"] == 1
    mode = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-mairie-19_3"]
    assert (mode["textValue"]["value"], mode["controlledProperty"]["value"]) == ("confort", "multi-state-value")
    device = (await reader.entities("Device", 3))["urn:ngsi-ld:Device:chalons-mairie-2_202"]
    assert device["controlledAsset"]["object"] == "urn:ngsi-ld:Building:chalons-hotel-de-ville"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("a/b/c/2_1/set", b"1"),
        ("a/b/c/2_1/state", b""),
        ("a/b/c/2_1/state", b"[]"),
        ("bacnetwrite_status/mairie/114/2_1/85", b"success"),
        ("bacnetwrite_status/mairie/114/2_1/85", b"{}"),
        ("bacnetwrite_status/mairie", b"{}"),
    ],
)
def test_bacnet_what_is_no_state_is_a_fault(topic, payload):
    decoder = open_decoder({"kind": "bacnet_mqtt"}, "test")

    assert [type(each) for each in decoder.decode(io.BytesIO(payload), {"topic": topic})] == [Fault]
