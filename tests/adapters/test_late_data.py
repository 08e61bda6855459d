"""Late data never overwrites fresher state, and reaches history."""

import asyncio
import json

import aiohttp

from adapters import dead
from tests.adapters.peer import until

FLOW = "urn:ngsi-ld:DeviceMeasurement:chalons-pump-1"
SOURCES = {
    "format": "ndjson",
    "entities": {
        "flow": {
            "id": "urn:ngsi-ld:DeviceMeasurement:chalons-{pump}",
            "type": "DeviceMeasurement",
            "observedAt": "at",
            "attributes": {
                "numValue": {"value": "flow", "type": "number", "unit": "L2"},
                "controlledProperty": {"const": "waterFlow", "static": True},
            },
        }
    },
}


def measured(flow, hour):
    return {"pump": "pump-1", "flow": flow, "at": f"2026-11-20T{hour:02}:00:00Z"}


def feed(tmp_path, *records):
    path = tmp_path / "feed.ndjson"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return {"kind": "file", "path": str(path)}


async def test_a_late_value_is_in_history_and_not_in_the_current_state(
    delivers_to, adapter, application, tmp_path, broker, tenant
):
    source = feed(tmp_path, measured(10, 8), measured(30, 12), measured(20, 10), measured(20, 10))

    assert await adapter(delivers_to({**SOURCES, "source": source})).ended() == 0

    entity = await application.exists(FLOW)
    assert entity["numValue"]["value"] == 30
    assert entity["numValue"]["observedAt"].startswith("2026-11-20T12:00:00")
    asked = {"attrs": "numValue", "options": "temporalValues", "timerel": "after", "timeAt": "2026-11-01T00:00:00Z"}
    async with (
        aiohttp.ClientSession(headers={"NGSILD-Tenant": tenant, "Link": application._headers["Link"]}) as session,
        session.get(f"{broker.url}/ngsi-ld/v1/temporal/entities/{FLOW}", params=asked) as answer,
    ):
        values = (await answer.json())["numValue"]["values"]
    assert [(value, time[:16]) for value, time in values] == [
        (10, "2026-11-20T08:00"),
        (20, "2026-11-20T10:00"),
        (30, "2026-11-20T12:00"),
    ]


async def test_a_broker_without_history_is_told_of_once(adapter_file, adapter, peer, tmp_path, log):
    source = feed(tmp_path, measured(30, 12), *(measured(hour, hour) for hour in range(10)))

    assert await adapter(adapter_file({**SOURCES, "source": source, "delivery": {"batch": 1}})).ended() == 0

    assert peer.entities[FLOW]["numValue"]["value"] == 30
    assert len(peer.temporal) == 1
    assert log().count("late data is dropped") == 1


async def test_late_data_waits_for_a_broker_that_is_away(adapter_file, adapter, peer, tmp_path):
    peer.temporal_status = 503
    source = feed(tmp_path, measured(30, 12), measured(20, 10))
    process = adapter(adapter_file({**SOURCES, "source": source}))
    await until(lambda: len(peer.temporal) > 2)

    peer.temporal_status = 204

    assert await process.ended() == 0
    assert peer.temporal[-1] == {
        "id": FLOW,
        "type": "DeviceMeasurement",
        "numValue": [{"type": "Property", "value": 20, "unitCode": "L2", "observedAt": "2026-11-20T10:00:00Z"}],
    }


async def test_late_data_that_is_refused_is_set_aside(adapter_file, adapter, peer, tmp_path):
    peer.temporal_status = 400
    source = feed(tmp_path, measured(30, 12), measured(20, 10))

    assert await adapter(adapter_file({**SOURCES, "source": source})).ended() == 0

    (line,) = (tmp_path / "state/test/dead-letter.ndjson").read_text().splitlines()
    letter = json.loads(line)
    assert (letter["stage"], letter["reason"]) == ("history", "400: no")
    assert letter["record"]["numValue"]["value"] == 20


async def test_late_data_that_was_refused_is_replayed(adapter_file, adapter, peer, tmp_path):
    peer.temporal_status = 400
    file = adapter_file({**SOURCES, "source": feed(tmp_path, measured(30, 12), measured(20, 10))})
    assert await adapter(file).ended() == 0
    peer.temporal_status = 204

    assert await asyncio.to_thread(dead.main, file, "replay") == 0
    (tmp_path / "feed.ndjson").write_text("")
    assert await adapter(file).ended() == 0

    assert [each["numValue"][0]["value"] for each in peer.temporal] == [20, 20]
    assert peer.entities[FLOW]["numValue"]["value"] == 30
