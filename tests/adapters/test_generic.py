"""csv_generic and json_generic: what has no standard, from a vendor's file and from a vendor's request."""

import asyncio
import os
import time

import aiohttp

from tests.adapters.peer import free_port, until
from tests.adapters.profiles import FOLDER

CSV = (FOLDER / "csv_generic/samples/1-meters.csv").read_text()
JSON = (FOLDER / "json_generic/samples/1-valves.json").read_bytes()


async def test_csv_a_dropped_export_becomes_entities(runs, reader, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "export.csv").write_text(CSV)
    os.utime(inbox / "export.csv", (time.time() - 60, time.time() - 60))

    runs("csv_generic", {"path": str(inbox)})

    meters = await reader.entities("DeviceMeasurement", 2)
    meter = meters["urn:ngsi-ld:DeviceMeasurement:chalons-E-0412"]
    assert meter["numValue"]["value"] == 1288.5
    assert meter["numValue"]["unitCode"] == "MTQ"
    assert meter["numValue"]["observedAt"].startswith("2026-10-05T04:00:00")
    assert meter["location"]["value"]["coordinates"] == [4.3623, 48.9551]
    assert "location" not in meters["urn:ngsi-ld:DeviceMeasurement:chalons-E-0413"]
    await until(lambda: (inbox / "done/export.csv").exists())


async def test_json_what_is_posted_becomes_entities(runs, reader):
    port = free_port()
    runs("json_generic", {"port": port, "token": "secret"})
    url = f"http://127.0.0.1:{port}/records"

    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            try:
                async with session.post(url, data=JSON) as answer:
                    assert answer.status == 401
                    break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
        async with session.post(url, data=JSON, headers={"Authorization": "Bearer secret"}) as answer:
            assert answer.status == 204

    valves = await reader.entities("DeviceMeasurement", 2)
    assert valves["urn:ngsi-ld:DeviceMeasurement:chalons-V-12"]["numValue"]["value"] == 18.5
    assert valves["urn:ngsi-ld:DeviceMeasurement:chalons-V-13"]["numValue"]["value"] == 0
