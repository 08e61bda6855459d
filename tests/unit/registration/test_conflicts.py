"""Which registrations cannot be side by side, and which entities not beside one (4.3.6.3, 5.9.2.4)."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.entity import Entity
from ngsi_ld.query.matching import matches
from ngsi_ld.registration.changes import new_registration
from ngsi_ld.registration.conflicts import claimed, held
from ngsi_ld.registration.matching import matched

NOW = "2026-11-23T07:00:00.000Z"
LAMP = "urn:ngsi-ld:Streetlight:1"


def made(mode, entities=None, attributes=None, number=1, **members):
    information = ({"entities": entities} if entities else {}) | ({"propertyNames": attributes} if attributes else {})
    body = {
        "id": f"urn:r:{number}",
        "type": "ContextSourceRegistration",
        "endpoint": "http://b",
        "mode": mode,
        "information": [information],
    }
    return new_registration(body | members, CORE, "", NOW, "")


def conflict(one, other):
    return any(other.mode is mode and matched(other, wanted, NOW) for wanted, mode in claimed(one))


EXCLUSIVE = made("exclusive", [{"id": LAMP, "type": "Streetlight"}], ["powerState"])
THEN = {"observationInterval": {"startAt": "2020-01-01T00:00:00Z"}}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (made("exclusive", [{"id": LAMP}], ["powerState", "x"], 2), True),
        (made("exclusive", [{"id": LAMP, "type": "Other"}], ["powerState"], 2), True),
        (made("exclusive", [{"id": LAMP}], ["illuminance"], 2), False),
        (made("exclusive", [{"id": "urn:other"}], ["powerState"], 2), False),
        (made("redirect", [{"type": "Streetlight"}], None, 2), True),
        (made("redirect", [{"type": "Building"}], None, 2), False),
        (made("redirect", [{"type": "Streetlight"}], ["illuminance"], 2), False),
        (made("redirect", [{"idPattern": "light:1$"}], None, 2), True),
        (made("redirect", [{"idPattern": "light:2$"}], None, 2), False),
        (made("redirect", None, ["powerState"], 2), True),
        (made("inclusive", [{"id": LAMP}], ["powerState"], 2), False),
        (made("auxiliary", [{"id": LAMP}], ["powerState"], 2), False),
        (made("exclusive", [{"id": LAMP}], ["powerState"], 2, **THEN), False),
    ],
)
def test_an_exclusive_registration_stands_alone(other, expected):
    assert conflict(EXCLUSIVE, other) is conflict(other, EXCLUSIVE) is expected


def test_redirect_ones_may_overlap():
    one, other = made("redirect", [{"type": "A"}]), made("redirect", [{"type": "A"}], number=2)

    assert not conflict(one, other)


def test_two_of_the_past_conflict():
    one, other = (made("exclusive", [{"id": LAMP}], ["a"], number, **THEN) for number in (1, 2))

    assert conflict(one, other)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (EXCLUSIVE, True),
        (made("exclusive", [{"id": LAMP, "type": "Other"}], ["powerState"]), True),
        (made("exclusive", [{"id": LAMP}], ["illuminance"]), False),
        (made("redirect", [{"type": "Streetlight"}]), True),
        (made("redirect", [{"type": "Streetlight"}], ["illuminance"]), False),
        (made("redirect", [{"type": ["Other", "Streetlight"], "idPattern": "light"}]), True),
        (made("redirect", [{"type": "Other"}]), False),
        (made("redirect", None, ["powerState"]), True),
        (made("inclusive", [{"type": "Streetlight"}]), False),
        (made("redirect", [{"type": "Streetlight"}], **THEN), False),
    ],
)
def test_what_is_here_cannot_be_a_sources_alone(one, expected):
    attributes = {CORE.iri("powerState"): [{"type": "Property", "value": "on"}]}
    entity = Entity(LAMP, [CORE.iri("Streetlight")], attributes)

    assert any(matches(query, entity, NOW) for query in held(one)) is expected
