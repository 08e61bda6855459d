"""enedis: flows dropped into a folder, and the API with its token."""

import os
import shutil
import time

import pytest
from aiohttp import web

from adapters.check import examine
from tests.adapters.profiles import FOLDER, definition_of

SAMPLES = FOLDER / "enedis/samples"
METER = "urn:ngsi-ld:ACMeasurement:chalons-30000000000001-"


async def test_the_flows_become_measurements(runs, reader, tmp_path):
    inbox = tmp_path / "inbox"
    shutil.copytree(SAMPLES, inbox)
    for file in inbox.iterdir():
        os.utime(file, (time.time() - 60, time.time() - 60))

    runs("enedis", {"path": str(inbox), "meters": str(FOLDER / "enedis/meters.sample.csv")})

    def last_value(entities):
        return entities[METER + "load"]["sdmEnergy:totalActivePower"]["value"] == 3910

    measurements = await reader.entities("ACMeasurement", 5, last_value)
    load = measurements[METER + "load"]
    assert load["sdmEnergy:totalActivePower"]["unitCode"] == "WTT"
    assert load["sdmEnergy:totalActivePower"]["observedAt"].startswith("2026-10-05T05:00:00")
    assert load["sdmEnergy:dateObservedFrom"]["value"].startswith("2026-10-05T04:30:00")
    assert load["name"]["value"] == "Hôtel de Ville"
    assert load["refTargetDevice"]["object"] == "urn:ngsi-ld:Building:chalons-hotel-de-ville"
    daily = measurements[METER + "daily"]
    assert daily["totalActiveEnergyImport"]["value"] == 38.022
    assert daily["dateEnergyMeteringStarted"]["value"].startswith("2026-10-03T22:00:00")
    assert daily["totalActiveEnergyImport"]["observedAt"].startswith("2026-10-04T22:00:00")
    assert measurements[METER + "index"]["totalActiveEnergyImport"]["value"] == 12500.5
    reactive = measurements[METER + "reactive"]
    assert reactive["totalReactiveEnergyImport"] == {
        "type": "Property",
        "value": 0.002,
        "unitCode": "K3",
        "observedAt": "2026-10-05T04:30:00Z",
    }
    assert "totalReactiveEnergyExport" not in reactive
    assert reactive["dateEnergyMeteringStarted"]["value"].startswith("2026-10-05T04:00:00")
    highest = measurements[METER + "max"]["totalApparentPower"]
    assert highest["value"] == 6510
    assert highest["observedAt"].startswith("2026-10-04T10:50:25")


async def test_the_api_s_load_curve(runs, vendor, reader):
    points = [
        {"v": "4078", "d": "2026-09-29 00:30:00", "p": "PT30M"},
        {"v": "-", "d": "2026-09-29 01:00:00", "p": "PT30M"},
    ]
    quantity = {"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points}

    def curve(request):
        assert request.headers["Authorization"] == "Bearer t"
        assert request.query["pointId"] == "99999999999991"
        assert len(request.query["dateDebut"]) == 10
        return web.json_response({"idPrm": "99999999999991", "grandeur": [quantity]})

    await vendor.serve(curve=curve, token=lambda request: web.json_response({"access_token": "t"}))
    source = {
        "kind": "http_poll",
        "url": f"{vendor.url}/curve",
        "parameters": {"pointId": "99999999999991", "dateDebut": "{date-3}"},
        "oauth2": {"token_url": f"{vendor.url}/token", "client_id": "a", "client_secret": "b", "in_body": True},
    }

    runs("enedis", source=source)

    load = (await reader.entities("ACMeasurement", 1))["urn:ngsi-ld:ACMeasurement:chalons-99999999999991-load"]
    assert load["sdmEnergy:totalActivePower"]["value"] == 4078
    assert load["sdmEnergy:dateObservedFrom"]["value"].startswith("2026-09-28T22:00:00")


@pytest.mark.parametrize(
    ("text", "powers", "failures"),
    [
        (
            (
                '{"meter_reading": {"usage_point_id": "1", "reading_type": {"unit": "W", "measurement_kind": "power"}, '
                '"interval_reading": [{"value": "300", "date": "2026-09-29 00:30:00", "interval_length": "PT30M"}]}}'
            ),
            [300],
            0,
        ),
        (
            (
                '{"header": {"codeFlux": "R63"}, "mesures": [{"idPrm": "1", "grandeur": [{"grandeurPhysique": "EA", '
                '"unite": "Wh", "points": [{"d": "2026-01-01T00:00:00+01:00", "v": "10", "p": "PT5M"}, '
                '{"d": "2026-01-01T00:05:00+01:00", "v": "10"}, {"v": 1, "p": "PT5M"}]}]}]}'
            ),
            [120],
            2,
        ),
        ('{"mesures": [{"grandeur": []}, {"idPrm": "1"}]}', [], 1),
        ("[]", [], 0),
        ("{}", [], 1),
    ],
)
def test_the_other_shapes(adapter_file, tmp_path, text, powers, failures):
    (tmp_path / "measures.json").write_text(text)

    checked = examine(adapter_file(definition_of("enedis")), tmp_path / "measures.json")

    assert [entity["sdmEnergy:totalActivePower"]["value"] for entity in checked.entities] == powers
    assert len(checked.failures) == failures
