"""sensorthings: a service with two pages of datastreams."""

import json

from aiohttp import web

from tests.adapters.profiles import FOLDER

PAGE = json.loads((FOLDER / "sensorthings/samples/1-datastreams.json").read_text())["value"]


async def test_datastreams_become_devices_and_measurements(runs, vendor, reader):
    asked = []

    def datastreams(request):
        asked.append(dict(request.query))
        if "$skip" in request.query:
            return web.json_response({"value": PAGE[2:]})
        return web.json_response({"value": PAGE[:2], "@iot.nextLink": f"{vendor.url}/v1.1/Datastreams?$skip=2"})

    await vendor.serve(**{"v1.1__Datastreams": datastreams})

    runs("sensorthings", {"url": f"{vendor.url}/v1.1", "filter": "Thing/id eq 7"})

    measurements = await reader.entities("DeviceMeasurement", 3)
    temperature = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-71"]
    assert temperature["numValue"]["value"] == 9.4
    assert temperature["numValue"]["unitCode"] == "CEL"
    assert temperature["controlledProperty"]["value"] == "temperature"
    assert temperature["sdmDevice:refDevice"]["object"] == "urn:ngsi-ld:Device:chalons-7"
    bicycles = measurements["urn:ngsi-ld:DeviceMeasurement:chalons-72"]["numValue"]
    assert bicycles["value"] == 112
    assert bicycles["observedAt"].startswith("2026-10-05T06:00:00")
    assert measurements["urn:ngsi-ld:DeviceMeasurement:chalons-73"]["textValue"]["value"] == "wet"
    device = (await reader.entities("Device", 1))["urn:ngsi-ld:Device:chalons-7"]
    assert device["name"]["value"] == "Pont de Marne"
    assert device["location"]["value"]["coordinates"][0] in (4.3581, 4.3582)
    assert asked[0]["$filter"] == "Thing/id eq 7"
    assert asked[0]["$expand"].startswith("Thing($expand=Locations)")
