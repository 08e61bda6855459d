"""Each profile as users run it: the vendor's side, the adapter, the real broker, and a query for what came of it."""

import asyncio
import json

import aiohttp

from tests.adapters.peer import free_port, until
from tests.adapters.reader import Reader
from tests.adapters.test_chirpstack import FOLDER as CHIRPSTACK
from tests.adapters.test_chirpstack import LEVEL, SOIL, Lorawan
from tests.adapters.test_datex2 import SITES, Feed
from tests.adapters.test_talq import ANNOUNCEMENT, LOG_REPORT, UPDATE, Gateway


async def test_street_lighting(delivers_to, adapter, reader):
    port = free_port()
    adapter(delivers_to({"profile": "talq", "settings": {"site": "chalons", "port": port}}))
    gateway = Gateway(port)
    await gateway.ready()

    await gateway.send("POST", "/devices", ANNOUNCEMENT)
    await gateway.send("PATCH", "/devices", UPDATE)
    await gateway.send("POST", "/log-reports", LOG_REPORT)

    lamp_id = "urn:ngsi-ld:Streetlight:chalons-CH-0412"
    lamps = await reader.entities(
        "Streetlight", 1, lambda entities: entities[lamp_id].get("status", {}).get("value") == "defectiveLamp"
    )
    lamp = lamps[lamp_id]
    assert lamp["type"] == "Streetlight"
    assert lamp["powerState"]["value"] == "on"
    assert lamp["powerConsumption"]["value"] == 38.1
    assert lamp["powerConsumption"]["unitCode"] == "WTT"
    assert lamp["powerConsumption"]["observedAt"].startswith("2026-10-05T17:00:05")
    assert lamp["location"]["value"]["coordinates"] == [4.36377, 48.95712]
    cabinets = await reader.entities("StreetlightControlCabinet", 1)
    assert cabinets["urn:ngsi-ld:StreetlightControlCabinet:chalons-ARM-12"]["energyConsumed"]["value"] == 88123.4


async def test_road_traffic(delivers_to, adapter, reader):
    feed = Feed()
    await feed.start()
    settings = {"site": "marne", "url": feed.url, "sites": str(SITES), "interval": 0.5}

    adapter(delivers_to({"profile": "datex2", "settings": settings}))

    flows = await reader.entities("TrafficFlowObserved", 3)
    await feed.stop()
    flow = flows["urn:ngsi-ld:TrafficFlowObserved:marne-MUC51.A2"]
    assert flow["intensity"]["value"] == 48
    assert flow["occupancy"]["value"] == 0.125
    assert flow["congested"]["value"] is True
    assert flow["location"]["value"]["type"] == "Point"


async def test_lorawan(delivers_to, adapter, reader, tmp_path):
    lorawan = Lorawan()
    await lorawan.start()
    settings = {
        "site": "chalons",
        "host": "127.0.0.1",
        "port": lorawan.port,
        "username": "beffroi",
        "devices": str(CHIRPSTACK / "devices.sample.csv"),
    }
    adapter(delivers_to({"profile": "chirpstack", "settings": settings}))
    await until(lambda: "subscribed" in (tmp_path / "adapter.log").read_text())

    await lorawan.publish("up", SOIL, LEVEL)

    devices = await reader.entities("Device", 2)
    await lorawan.stop()
    assert devices["urn:ngsi-ld:Device:chalons-a84041c18187a004"]["name"]["value"] == "Petit Jard 04"
    soil = (await reader.entities("GreenspaceRecord", 1))["urn:ngsi-ld:GreenspaceRecord:chalons-petit-jard-04"]
    assert soil["soilMoistureVwc"]["value"] == 0.1978
    assert soil["refDevice"]["object"] == "urn:ngsi-ld:Device:chalons-a84041c18187a004"
    measurements = await reader.entities("DeviceMeasurement", 2)
    assert measurements["urn:ngsi-ld:DeviceMeasurement:chalons-24e124713c51a902-distance"]["numValue"]["value"] == 418


async def test_killing_the_broker_loses_nothing(own_broker, adapter_file, adapter, tmp_path):
    """The broker as users start it, without options; it dies with kill -9 under an adapter, twice."""
    feed = tmp_path / "feed.json"
    device = ANNOUNCEMENT[0]
    feed.write_text(json.dumps([{**device, "address": f"a-{n}", "name": f"K-{n:04}"} for n in range(600)]))
    settings = {"site": "chalons"}
    source = {"kind": "file", "path": str(feed), "rate": 300, "batch": 20}
    definition = {"profile": "talq", "settings": settings, "source": source, "broker": {"url": own_broker.url}}
    process = adapter(adapter_file(definition))

    for _ in range(2):
        await asyncio.sleep(0.7)
        await own_broker.kill()
        await own_broker.start()

    assert await process.ended(60) == 0
    parameters = {"type": "Streetlight", "limit": "0", "count": "true"}
    async with (
        aiohttp.ClientSession(headers=Reader(own_broker.url, "")._headers) as session,
        session.get(f"{own_broker.url}/ngsi-ld/v1/entities", params=parameters) as answer,
    ):
        assert answer.headers["NGSILD-Results-Count"] == "600"
