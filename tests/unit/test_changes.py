"""What counts as a change of an entity (5.8.6)."""

from dataclasses import replace

import pytest

from ngsi_ld.changes import Trigger, attribute_changes
from ngsi_ld.entity import Entity

EARLY, LATE = "2026-11-23T17:00:00.000Z", "2026-11-23T18:00:00.000Z"


def instance(at=EARLY, **members):
    return {"type": "Property", "createdAt": EARLY, "modifiedAt": at, **members}


def entity(**attributes):
    return Entity("urn:ngsi-ld:T:1", ["T"], attributes, [], EARLY, EARLY)


def told(before, after):
    return [(one.name, one.dataset_id, one.trigger.value) for one in attribute_changes(before, after)]


def test_creation_creates_every_instance():
    after = entity(a=[instance(value=1), instance(value=2, datasetId="urn:d")], b=[instance(value=3)])

    assert told(None, after) == [
        ("a", None, "attributeCreated"),
        ("a", "urn:d", "attributeCreated"),
        ("b", None, "attributeCreated"),
    ]


def test_deletion_deletes_every_instance():
    before = entity(a=[instance(value=1)])

    [change] = attribute_changes(before, None)

    assert (change.trigger, change.before, change.after) == (Trigger.ATTRIBUTE_DELETED, instance(value=1), None)


def test_instances_are_told_apart_by_dataset():
    before = entity(a=[instance(value=1), instance(value=2, datasetId="urn:d"), instance(value=3, datasetId="urn:e")])
    after = entity(a=[instance(value=4, datasetId="urn:f"), instance(value=5, datasetId="urn:d"), instance(value=1)])

    assert told(before, after) == [
        ("a", "urn:f", "attributeCreated"),
        ("a", "urn:d", "attributeUpdated"),
        ("a", "urn:e", "attributeDeleted"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "changed"),
    [
        ({"value": 1}, {"value": 2}, True),
        ({"value": 1}, {"value": 1.0}, False),
        ({"value": 1}, {"value": True}, True),
        ({"value": [0]}, {"value": [False]}, True),
        ({"value": {"a": 1, "b": 2}}, {"value": {"b": 2, "a": 1}}, False),
        ({"value": [1, 2]}, {"value": [2, 1]}, True),
        ({"value": 1}, {"value": 1, "observedAt": EARLY}, True),
        ({"value": 1, "observedAt": EARLY}, {"value": 1, "observedAt": LATE}, True),
        ({"value": 1, "unitCode": "CEL"}, {"value": 1}, True),
        (
            {"value": 1, "subs": {"s": [instance(value=1)]}},
            {"value": 1, "subs": {"s": [instance(LATE, value=1)]}},
            False,
        ),
        ({"value": 1, "subs": {"s": [instance(value=1)]}}, {"value": 1, "subs": {"s": [instance(value=2)]}}, True),
        ({"value": 1, "subs": {"s": [instance(value=1)]}}, {"value": 1, "subs": {"t": [instance(value=1)]}}, True),
        ({"value": 1, "subs": {"s": [instance(value=1)]}}, {"value": 1}, True),
    ],
)
def test_any_member_with_another_value_is_a_change(one, other, changed):
    before, after = entity(a=[instance(**one)]), entity(a=[instance(LATE, **other)])

    assert bool(attribute_changes(before, after)) is changed
    assert bool(attribute_changes(after, before)) is changed


def test_what_is_the_same_object_is_not_looked_at():
    before = entity(a=[instance(value=object())])

    assert attribute_changes(before, replace(before, modified_at=LATE)) == []
