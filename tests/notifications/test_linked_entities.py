"""Notifications with the entities that a changed one leads to (4.5.23, `join`)."""

import pytest

PARIS = {"id": "urn:ngsi-ld:City:1", "type": "City", "name": {"type": "Property", "value": "Paris"}}
LINK = {"type": "Relationship", "object": "urn:ngsi-ld:City:1"}


@pytest.mark.parametrize(
    ("notification", "data"),
    [
        ({"join": "flat"}, [{"id": "urn:ngsi-ld:T:1", "type": "T", "city": LINK}, PARIS]),
        ({"join": "inline"}, [{"id": "urn:ngsi-ld:T:1", "type": "T", "city": {**LINK, "entity": PARIS}}]),
        (
            {"join": "inline", "format": "simplified"},
            [
                {
                    "id": "urn:ngsi-ld:T:1",
                    "type": "T",
                    "city": {"id": "urn:ngsi-ld:City:1", "type": "City", "name": "Paris"},
                }
            ],
        ),
        (
            {"join": "inline", "pick": ["id", "city{name}"]},
            [{"id": "urn:ngsi-ld:T:1", "city": {**LINK, "entity": {"name": PARIS["name"]}}}],
        ),
        ({"join": "@none"}, [{"id": "urn:ngsi-ld:T:1", "type": "T", "city": LINK}]),
    ],
)
async def test_linked_entities(broker, receiver, notification, data):
    await broker.put("urn:ngsi-ld:City:1", types=("City",), name="Paris")
    await broker.subscribe(receiver.url, notification=notification)

    await broker.link("urn:ngsi-ld:T:1", "city", "urn:ngsi-ld:City:1")

    await receiver.until(1)
    assert receiver.notifications[0]["data"] == data
