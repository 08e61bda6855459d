"""EntityTemporal (5.2.20) from JSON."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.temporal.expansion import ScopeInstance, expand_entity_temporal, expand_temporal_fragment

NOW = "2026-11-23T17:02:01.250Z"
SPEED = "https://uri.etsi.org/ngsi-ld/default-context/speed"
ID = "urn:ngsi-ld:Vehicle:1"


def expanded(**members):
    return expand_entity_temporal({"id": ID, "type": "Vehicle"} | members, CORE, NOW)


def test_an_attribute_is_a_list_of_instances_that_may_have_the_same_dataset():
    given = expanded(
        speed=[
            {"type": "Property", "value": 1, "observedAt": "2026-11-23T17:00:00Z"},
            {"value": 2, "observedAt": "2026-11-23T17:01:00Z"},
        ]
    )

    assert [(one["value"], one["observedAt"]) for one in given.attributes[SPEED]] == [
        (1, "2026-11-23T17:00:00Z"),
        (2, "2026-11-23T17:01:00Z"),
    ]


def test_a_single_instance_needs_no_list():
    assert [one["value"] for one in expanded(speed={"type": "Property", "value": 1}).attributes[SPEED]] == [1]
    assert [one["value"] for one in expanded(speed=1).attributes[SPEED]] == [1]
    assert [one["value"] for one in expanded(speed=[1, 2]).attributes[SPEED]] == [[1, 2]]


def test_null_marks_a_deletion():
    (one,) = expanded(speed=[{"type": "Property", "value": "urn:ngsi-ld:null", "observedAt": NOW}]).attributes[SPEED]

    assert one["deletedAt"] == NOW


def test_scopes_with_and_without_their_time():
    assert expanded(scope=["/A/B", "/C"]).scope == [ScopeInstance(["/A/B", "/C"])]
    assert expanded(scope=[{"type": "Property", "value": "/A", "observedAt": NOW}]).scope == [
        ScopeInstance(["/A"], NOW)
    ]


def test_a_fragment_needs_neither_id_nor_type():
    given = expand_temporal_fragment({"speed": [{"type": "Property", "value": 1}]}, ID, CORE, NOW)

    assert (given.id, given.types, list(given.attributes)) == (ID, [], [SPEED])


@pytest.mark.parametrize(
    ("members", "member"),
    [
        ({"type": None}, "type"),
        ({"id": "x"}, "id"),
        ({"expiresAt": "urn:ngsi-ld:null"}, "expiresAt"),
        ({"speed": [{"type": "Property", "value": 1, "observedAt": "2026-11-23T17:00:00+02:00"}]}, "speed"),
        ({"speed": [{"type": "Property", "observedAt": NOW}]}, "speed"),
        ({"speed": []}, None),
        ({"scope": [{"type": "Property"}]}, "scope"),
        ({"scope": [{"type": "Property", "value": "/A", "observedAt": "now"}]}, "scope"),
    ],
)
def test_what_is_wrong_is_named(members, member):
    if member is None:
        assert expanded(**members).attributes[SPEED][0]["value"] == []
        return
    with pytest.raises(NgsiLdError) as raised:
        expanded(**members)

    assert raised.value.type is ErrorType.BAD_REQUEST_DATA
    assert member in raised.value.detail
