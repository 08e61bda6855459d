"""Versions of one entity become one entity (GS CIM 009 v1.9.1, 4.5.5.2 and 4.5.5.3)."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ngsi_ld.entity import Entity
from ngsi_ld.merging import merged

NOW = "2026-11-23T10:00:00.000Z"
PAST, SOON, LATER = "2026-11-23T09:59:00Z", "2026-11-23T11:00:00Z", "2026-11-24T11:00:00Z"


def version(expires_at=None, types=("T",), scope=(), **attributes):
    return Entity("urn:x:1", list(types), attributes, list(scope), "2026-01-01T00:00:00.000Z", NOW, expires_at)


def a_value(value, **members):
    return {"type": "Property", "value": value, "createdAt": "", "modifiedAt": "", **members}


def test_the_most_recent_observation_stands():
    one = version(a=[a_value(1, observedAt="2026-11-23T08:00:00Z", modifiedAt="2026-11-23T09:30:00.000Z")])
    two = version(a=[a_value(2, observedAt="2026-11-23T08:00:00.5Z", modifiedAt="2026-11-23T09:00:00.000Z")])

    assert merged([one, two], [], NOW).attributes["a"] == two.attributes["a"]
    assert merged([two, one], [], NOW).attributes["a"] == two.attributes["a"]


def test_else_the_most_recent_modification_then_the_first():
    one = version(a=[a_value(1, modifiedAt="2026-11-23T09:30:00.000Z")], b=[a_value(1)])
    two = version(a=[a_value(2, modifiedAt="2026-11-23T09:00:00.000Z")], b=[a_value(2)])

    together = merged([two, one], [], NOW)

    assert together.attributes["a"] == one.attributes["a"]
    assert together.attributes["b"] == two.attributes["b"]


def test_instances_of_different_datasets_stand_side_by_side():
    one = version(a=[a_value(1), a_value(2, datasetId="urn:d:1")])
    two = version(a=[a_value(3, datasetId="urn:d:2")])

    assert [each["value"] for each in merged([one, two], [], NOW).attributes["a"]] == [1, 2, 3]


def test_expired_instances_and_versions_are_discarded():
    one = version(a=[a_value(1, expiresAt=PAST, observedAt="2026-11-23T09:00:00Z")])
    two = version(a=[a_value(2, observedAt="2026-11-23T08:00:00Z")])
    gone = version(PAST, b=[a_value(3)])

    assert [each["value"] for each in merged([one, two, gone], [], NOW).attributes["a"]] == [2]
    assert "b" not in merged([one, gone], [], NOW).attributes
    assert merged([gone], [gone], NOW) is None


def test_the_expiry_of_a_version_goes_to_its_attributes():
    transient = version(SOON, a=[a_value(1)], b=[a_value(1, expiresAt=LATER)], c=[a_value(1, expiresAt=PAST)])
    lasting = version(d=[a_value(1)])

    together = merged([transient, lasting], [], NOW)

    assert together.expires_at is None
    assert together.attributes["a"][0]["expiresAt"] == together.attributes["b"][0]["expiresAt"] == SOON
    assert "c" not in together.attributes
    assert "expiresAt" not in together.attributes["d"][0]


def test_an_entity_lasts_as_long_as_its_longest_version():
    assert merged([version(SOON), version(LATER)], [], NOW).expires_at == LATER


def test_types_and_scopes_are_united():
    together = merged([version(types=["A", "B"], scope=["/x"]), version(types=["B", "C"], scope=["/y"])], [], NOW)

    assert (together.types, together.scope) == (["A", "B", "C"], ["/x", "/y"])


def test_auxiliary_versions_fill_gaps_only():
    own = version(a=[a_value(1, observedAt="2026-11-23T08:00:00Z")])
    extra = version(a=[a_value(2, observedAt="2026-11-23T09:00:00Z")], b=[a_value(3)])

    together = merged([own], [extra], NOW)

    assert (together.attributes["a"][0]["value"], together.attributes["b"][0]["value"]) == (1, 3)
    assert merged([], [extra], NOW) == extra


TIMES = st.sampled_from(["", "2026-11-23T08:00:00.000Z", "2026-11-23T09:00:00.500Z"])
INSTANCES = st.builds(
    lambda observed, modified, dataset: {
        "type": "Property",
        "value": f"{observed} {modified} {dataset}",
        "modifiedAt": modified,
        **({"observedAt": observed} if observed else {}),
        **({"datasetId": dataset} if dataset else {}),
    },
    TIMES,
    TIMES,
    st.sampled_from(["", "urn:d:1"]),
)
VERSIONS = st.builds(
    lambda expires_at, attributes: version(expires_at, **attributes),
    st.sampled_from([None, None, SOON, LATER]),
    st.dictionaries(
        st.sampled_from("ab"), st.lists(INSTANCES, min_size=1, max_size=2, unique_by=lambda one: one.get("datasetId"))
    ),
)


def content(entity):
    return (
        entity.expires_at,
        {
            name: sorted((one.get("datasetId", ""), one["value"], one.get("expiresAt", "")) for one in instances)
            for name, instances in entity.attributes.items()
        },
    )


@given(st.lists(VERSIONS, min_size=1, max_size=3))
def test_the_order_of_sources_and_repetitions_make_no_difference_to_what_is_shown(versions):
    shown = [
        {name: [one[:2] for one in instances] for name, instances in content(merged(order, [], NOW))[1].items()}
        for order in itertools.permutations(versions)
    ]

    assert all(one == shown[0] for one in shown)
    assert content(merged([*versions, *versions], [], NOW))[0] == content(merged(versions, [], NOW))[0]
