"""Temporal evolutions of several sources become one (GS CIM 009 v1.9.1, 5.7.3.4), and aggregates of it."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.temporal.aggregation import Aggregation
from ngsi_ld.temporal.computing import aggregates_of
from ngsi_ld.temporal.durations import parse_duration
from ngsi_ld.temporal.merging import latest, merged_evolution
from ngsi_ld.temporal.query import TemporalQuery
from ngsi_ld.temporal.received import expand_evolution
from ngsi_ld.temporal.representation import Evolution

SPEED = CORE.iri("speed")


def at(hour, value=None, **members):
    observed_at = f"2026-03-01T{hour:02}:00:00Z"
    return {"type": "Property", "value": hour if value is None else value, "observedAt": observed_at, **members}


def of(*instances, **others):
    return Evolution("urn:x:1", ["T"], {"a": list(instances), **others})


def shown(evolution, name="a"):
    return [one["value"] for one in evolution.attributes[name]]


def test_instances_stand_in_order_and_what_is_said_twice_is_there_once():
    together = merged_evolution([of(at(1), at(5)), of(at(3), at(5), at(5, 6))], [], "observedAt")

    assert shown(together) == [1, 3, 5, 6]


def test_auxiliary_instances_are_added_at_other_times():
    together = merged_evolution([of(at(1))], [of(at(1, 9), at(2, 9), b=[at(1, 9)])], "observedAt")

    assert (shown(together), shown(together, "b")) == ([1, 9], [9])


def test_the_last_are_counted_for_each_dataset():
    past = of(at(1), at(2), at(3), at(1, 10, datasetId="urn:d:1"))

    assert shown(latest(past, "observedAt", 2)) == [10, 2, 3]


def test_what_a_source_sends_keeps_its_times_and_instance_ids():
    sent = {
        "id": "urn:x:1",
        "type": "T",
        "createdAt": "2026-01-01T00:00:00Z",
        "speed": [at(1) | {"createdAt": "2026-03-02T00:00:00Z", "instanceId": "urn:i:1"}],
        "scope": [{"type": "Property", "value": "/a", "observedAt": "2026-03-01T01:00:00Z"}],
    }

    past = expand_evolution(sent, CORE)

    (instance,) = past.attributes[SPEED]
    assert (instance["createdAt"], instance["instanceId"]) == ("2026-03-02T00:00:00Z", "urn:i:1")
    assert (past.created_at, past.scope[0]["value"]) == ("2026-01-01T00:00:00Z", ["/a"])


@pytest.mark.parametrize(
    "sent", [[], "x", {"id": "urn:x:1"}, {"id": "urn:x:1", "type": "T", "a": [{"type": "Property"}]}]
)
def test_what_is_no_evolution_is_refused(sent):
    with pytest.raises(NgsiLdError):
        expand_evolution(sent, CORE)


def test_aggregates_of_periods():
    asked = Aggregation(("sum",), parse_duration("PT2H", "aggrPeriodDuration"))

    ((series, by_period),) = aggregates_of(of(at(1), at(2), at(6)), TemporalQuery(), asked, 100).items()

    assert series == ("a", None, "Property")
    assert [(one.count, one.total, one.low, one.high, one.distinct) for one in by_period.values()] == [
        (2, 3, 1, 2, 2),
        (1, 6, 6, 6, 1),
    ]


def test_a_method_that_does_not_apply_is_refused():
    with pytest.raises(NgsiLdError, match="cannot be computed"):
        aggregates_of(of(at(1, "x")), TemporalQuery(), Aggregation(("sum",)), 100)
