"""`beffroi models`: what there is, an example of it, and what is wrong with one's own entities."""

import io
import json

import pytest

import data_models
from data_models.commands import check, example, list_types

DEVICE = {
    "id": "urn:ngsi-ld:Device:1",
    "type": "Device",
    "controlledProperty": {"type": "Property", "value": ["temperature"]},
}


def checked(tmp_path, content):
    file = tmp_path / "entities.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    out, err = io.StringIO(), io.StringIO()
    code = check(file, out, err)
    return code, out.getvalue().splitlines(), err.getvalue()


def test_each_type_is_listed():
    out = io.StringIO()

    assert list_types(out) == 0

    assert [line.split()[0] for line in out.getvalue().splitlines()] == list(data_models.types())


@pytest.mark.parametrize("entity_type", data_models.types())
def test_an_example_passes_its_own_check(tmp_path, entity_type):
    out = io.StringIO()
    assert example(entity_type, out) == 0

    assert checked(tmp_path, out.getvalue())[:2] == (0, [])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"rssi": {"type": "Property", "value": -90}}, "rssi must have the unitCode DBM, not none"),
        ({"name": {"type": "Property", "value": "a", "unitCode": "CEL"}}, "name has no unit, not CEL"),
        (
            {"controlledAsset": {"type": "Property", "value": "urn:a:b"}},
            "controlledAsset must be a Relationship, not a Property",
        ),
        ({"batterylevel": {"type": "Property", "value": 1}}, "batterylevel is no attribute of Device; did you mean"),
        ({"batteryLevel": {"type": "Property", "value": 9, "unitCode": "C62"}}, "batteryLevel must be a fraction"),
    ],
)
def test_a_fault_names_entity_and_attribute(tmp_path, change, fault):
    code, lines, err = checked(tmp_path, [DEVICE, DEVICE | change])

    assert code == 1
    assert lines[0].startswith(f"urn:ngsi-ld:Device:1: {fault}")
    assert err == "2 entities, 1 with faults\n"


def test_another_subject_s_attribute(tmp_path):
    entity = {
        "id": "urn:ngsi-ld:DeviceMeasurement:1",
        "type": "DeviceMeasurement",
        "refDevice": {"type": "Relationship", "object": "urn:ngsi-ld:Device:1"},
    }

    assert checked(tmp_path, entity)[1] == [
        "urn:ngsi-ld:DeviceMeasurement:1: refDevice is another subject's attribute; write sdmDevice:refDevice"
    ]


def test_simplified_entities_are_checked_too(tmp_path):
    entity = {"id": "urn:ngsi-ld:Device:1", "type": "Device", "controlledProperty": "heat"}

    assert "controlledProperty" in checked(tmp_path, entity)[1][0]


@pytest.mark.parametrize(
    ("content", "told"), [("{", "is not JSON"), ("[]", "0 entities"), ('{"type": "Devise"}', "1 with faults")]
)
def test_what_is_no_entity(tmp_path, content, told):
    code, _, err = checked(tmp_path, content)

    assert code == 1
    assert told in err


def test_an_unknown_type_gets_a_suggestion():
    err = io.StringIO()

    assert example("StreetLight", io.StringIO(), err) == 1

    assert err.getvalue() == "there is no data model for StreetLight; did you mean Streetlight?\n"
