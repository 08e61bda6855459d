"""datex2_situations: a web server publishes road events, the adapter polls it."""

import pytest
from aiohttp import web

from adapters.check import examine
from tests.adapters.profiles import FOLDER, definition_of

V2, V3 = ((FOLDER / "datex2_situations/samples" / name).read_bytes() for name in ("1-events-v2.xml", "2-events-v3.xml"))
ACCIDENT = "urn:ngsi-ld:Alert:chalons-261005-000101-1"


async def test_situations_become_alerts_and_change_with_them(runs, vendor, reader):
    body = [V2]
    await vendor.serve(events=lambda request: web.Response(body=body[0], content_type="text/xml"))

    runs("datex2_situations", {"url": f"{vendor.url}/events", "interval": 0.2})

    alerts = await reader.entities("Alert", 2)
    accident = alerts[ACCIDENT]
    assert accident["sdmAlert:category"]["value"] == "traffic"
    assert accident["subCategory"]["value"] == "carAccident"
    assert accident["severity"]["value"] == "high"
    assert accident["name"]["value"] == "N0044, Fagnières"
    assert accident["description"]["value"] == "Voie de droite neutralisée"
    assert accident["location"]["value"]["coordinates"] == [4.3341, 48.9312]
    assert accident["validFrom"]["value"].startswith("2026-10-05T06:10:00")
    assert "validTo" not in accident
    works = alerts["urn:ngsi-ld:Alert:chalons-261004-000077-1"]
    assert works["subCategory"]["value"] == "roadWorks"
    assert works["validTo"]["value"].startswith("2026-10-09T16:00:00")

    ended = b"<situationRecordLifeCycleManagement><end>true</end></situationRecordLifeCycleManagement><validity>"
    body[0] = V2.replace(b"08:26:00.000", b"08:29:00.000").replace(b"<validity>", ended)

    alerts = await reader.entities("Alert", 2, lambda entities: "validTo" in entities[ACCIDENT])
    assert alerts[ACCIDENT]["validTo"]["value"].startswith("2026-10-05T06:29:00")


def test_version_3(adapter_file, tmp_path):
    (tmp_path / "v3.xml").write_bytes(V3)

    (alert,) = examine(adapter_file(definition_of("datex2_situations")), tmp_path / "v3.xml").entities

    assert alert["subCategory"]["value"] == "carStopped"
    assert "severity" not in alert
    assert alert["validTo"]["value"] == "2026-10-05T06:25:00Z"
    assert alert["location"]["value"]["coordinates"] == [4.3555, 48.9402]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b' id="261005-000101-1"', b"", "a situationRecord without id"),
        (b"<latitude>48.9312", b"<latitude>489.312", "is not between -90 and 90"),
        (b"<overallStartTime>2026-10-05T08:10", b"<overallStartTime>yesterday", "is not a time"),
    ],
)
def test_a_record_that_is_not_right_is_set_aside_alone(adapter_file, tmp_path, old, new, reason):
    (tmp_path / "v2.xml").write_bytes(V2.replace(old, new, 1))

    checked = examine(adapter_file(definition_of("datex2_situations")), tmp_path / "v2.xml")

    assert reason in checked.failures[0][0]
    assert len(checked.entities) == 1
