"""The models: examples that are right, faults that are named, facts of Smart Data Models."""

import pytest

import data_models
from data_models.attributes import ANY_UNIT, attributes
from data_models.validation import problems
from ngsi_ld.context import compile_context

EXAMPLES = [data_models.example(entity_type) for entity_type in data_models.types()]
CONTEXT = compile_context(data_models.context()["@context"], {})


def simplified(entity):
    """Its key-values, under the names that its own model gives them."""

    def value(attribute):
        return next(attribute[member] for member in ("value", "object") if member in attribute)

    return {
        name.rpartition(":")[2]: value(content) if isinstance(content, dict) else content
        for name, content in entity.items()
    }


def test_the_issue_s_types_are_there():
    assert data_models.types() == (
        "ACMeasurement",
        "AccessPoint",
        "Alert",
        "Building",
        "Camera",
        "Device",
        "DeviceMeasurement",
        "Garden",
        "GreenspaceRecord",
        "ItemFlowObserved",
        "Streetlight",
        "StreetlightControlCabinet",
        "TrafficFlowObserved",
        "service_requests",
    )


@pytest.mark.parametrize("entity", EXAMPLES, ids=lambda entity: entity["type"])
def test_an_example_is_as_its_schema_says(entity):
    assert problems(simplified(entity)) == []


@pytest.mark.parametrize("entity", EXAMPLES, ids=lambda entity: entity["type"])
def test_an_example_has_the_names_kinds_and_units_of_its_model(entity):
    by_iri = {attribute.iri: attribute for attribute in attributes(entity["type"]).values()}

    for name, content in entity.items():
        if name not in ("id", "type"):
            attribute = by_iri[CONTEXT.iri(name)]
            assert content["type"] == attribute.kind
            if attribute.unit_code != ANY_UNIT:
                assert content.get("unitCode") == attribute.unit_code


LIGHT = {
    "id": "urn:ngsi-ld:Streetlight:1",
    "type": "Streetlight",
    "status": "ok",
    "location": {"type": "Point", "coordinates": [4.3631, 48.9566]},
}
STATION = {
    "id": "urn:ngsi-ld:TrafficFlowObserved:1",
    "type": "TrafficFlowObserved",
    "dateObserved": "2026-11-23T17:00:00Z",
}
SENSOR = {"id": "urn:ngsi-ld:Device:1", "type": "Device", "controlledProperty": ["soilMoisture"]}
SOIL = {"id": "urn:ngsi-ld:GreenspaceRecord:1", "type": "GreenspaceRecord"}


@pytest.mark.parametrize(
    ("entity", "fault"),
    [
        (LIGHT | {"powerState": "ON"}, 'powerState must be one of on, off, low, bootingUp, not "ON"'),
        (LIGHT | {"illuminanceLevel": 70}, "illuminanceLevel: 70 is greater than the maximum of 1"),
        (LIGHT | {"voltage": "231"}, 'voltage: "231" is not of type "number"'),
        (
            LIGHT | {"dateLastLampChange": "2021-03-09T08:30:00"},
            'dateLastLampChange must be a UTC date-time such as 2026-11-23T17:02:00Z, not "2021-03-09T08:30:00"',
        ),
        (
            LIGHT | {"location": {"type": "Point", "coordinates": [4.3631, 489.566]}},
            "location.coordinates.1: 489.566 is greater than the maximum of 90",
        ),
        (
            LIGHT | {"refStreetlightControlCabinet": "ARM 07"},
            'refStreetlightControlCabinet must be an absolute URI such as urn:ngsi-ld:Device:1, not "ARM 07"',
        ),
        (LIGHT | {"address": {"postalCode": 51000}}, 'address.postalCode: 51000 is not of type "string"'),
        (STATION | {"occupancy": 12.5}, "occupancy: 12.5 is greater than the maximum of 1"),
        (STATION | {"averageVehicleSpeed": -1}, "averageVehicleSpeed: -1 is less than the minimum of 0"),
        (
            SENSOR | {"batteryLevel": 88},
            "batteryLevel must be a fraction from 0 to 1, or -1 where it cannot be known, not 88",
        ),
        (SOIL | {"soilTemperature": 327.67}, "soilTemperature: 327.67 is greater than the maximum of 80"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_is_named_with_its_attribute(entity, fault):
    assert problems(entity) == [fault]


def test_what_is_required_is_named_unless_the_entity_is_a_fragment():
    fragment = {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight", "powerState": "off"}

    assert problems(fragment) == ['"location" is a required property', '"status" is a required property']
    assert problems(fragment, partial=True) == []


def test_the_official_values_of_the_battery_are_accepted():
    assert [problems(SENSOR | {"batteryLevel": level}) for level in (0, 0.5, 1, -1)] == [[], [], [], []]


def test_a_type_without_a_model_is_told_what_there_is():
    with pytest.raises(KeyError, match=r"StreetLight.*Streetlight"):
        data_models.schema("StreetLight")
