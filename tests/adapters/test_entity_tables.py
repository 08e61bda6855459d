"""lookup() in entities of the broker."""

import sqlite3

import pytest

from adapters.definition import load
from adapters.errors import DefinitionError
from tests.adapters.peer import free_port
from tests.adapters.test_commands import Valves

GARDEN = "urn:ngsi-ld:Garden:petit-jard"
READING = "urn:ngsi-ld:DeviceMeasurement:s1"

ENTITIES = {
    "soil": {
        "id": "urn:ngsi-ld:DeviceMeasurement:{sensor}",
        "type": "DeviceMeasurement",
        "observedAt": "at",
        "attributes": {
            "numValue": {"value": "v", "type": "number"},
            "refGreenspace": {"object": "{lookup('gardens', zone).id}"},
            "name": "lookup('gardens', zone).name",
        },
    }
}
TABLES = {"gardens": {"type": "Garden", "key": "alternateName", "attributes": ["name"], "refresh": 0.2}}


def garden(name):
    values = {"alternateName": "PJ", "name": name}
    return {
        "id": GARDEN,
        "type": "Garden",
        **{key: {"type": "Property", "value": each} for key, each in values.items()},
    }


@pytest.fixture
def sensors(delivers_to, adapter, vendor):
    valves = Valves(vendor, free_port())
    source = {"kind": "webhook", "port": valves.port}
    valves.start = lambda **members: adapter(
        delivers_to(
            {"source": source, "format": "json", "entities": ENTITIES, "tables": TABLES, "validate": "off", **members}
        )
    )
    return valves


async def test_a_record_finds_its_entity_and_follows_its_changes(sensors, application):
    await application.create(garden("Petit Jard"))
    sensors.start()

    await sensors.tell(sensor="s1", zone="PJ", v=1, at="2026-11-20T10:00:00Z")
    reading = await application.exists(READING)
    assert (reading["refGreenspace"]["object"], reading["name"]["value"]) == (GARDEN, "Petit Jard")

    await application.write(GARDEN, name="Grand Jard")
    for minute in range(10, 40):
        await sensors.tell(sensor="s1", zone="PJ", v=1, at=f"2026-11-20T10:{minute}:00Z")
        reading = await application.exists(READING)
        if reading["name"]["value"] == "Grand Jard":
            return
    raise AssertionError(reading)


async def test_a_record_without_its_entity_has_no_such_attribute(sensors, application):
    sensors.start()

    await sensors.tell(sensor="s1", zone="elsewhere", v=1, at="2026-11-20T10:00:00Z")

    assert "refGreenspace" not in await application.exists(READING)


async def test_what_was_fetched_last_serves_a_start_while_the_broker_is_away(sensors, application, tmp_path):
    await application.create(garden("Petit Jard"))
    process = sensors.start()
    await sensors.tell(sensor="s1", zone="PJ", v=1, at="2026-11-20T10:00:00Z")
    await application.exists(READING)
    process.kill()

    sensors.start(broker={"url": f"http://127.0.0.1:{free_port()}"})
    await sensors.tell(sensor="s2", zone="PJ", v=1, at="2026-11-20T10:00:00Z")  # answered: mapped and on disk

    rows = sqlite3.connect(tmp_path / "state/test/queue.sqlite").execute("SELECT body FROM queue").fetchall()
    assert any(b"Petit Jard" in body and b"s2" in body for (body,) in rows)


@pytest.mark.parametrize("table", [{"key": "a"}, {"key": "a", "file": "x.csv", "type": "Garden"}])
def test_a_table_is_of_a_file_or_of_a_type(adapter_file, table):
    definition = {"source": "webhook", "format": "json", "entities": ENTITIES, "tables": {"t": table}}

    with pytest.raises(DefinitionError, match="must have a file"):
        load(adapter_file(definition)).lookup_tables()
