"""Snapshots as data (5.2.41, 5.2.42, 5.3.4): statuses, members, updates, what a purge selects, what is told."""

import pytest

from ngsi_ld.errors import NgsiLdError
from ngsi_ld.snapshot import (
    Snapshot,
    Status,
    clone_members,
    endpoint_of,
    new_members,
    notification,
    outcome,
    parse_purge_query,
    render,
    selected,
    updated_members,
)

QUERIES = [{"type": "Query", "entities": [{"type": "T"}]}]
AT = "2026-11-23T08:00:00.000Z"
LATER = "2026-11-24T08:00:00.000Z"


def snapshot(**members):
    details = [{"resultStatus": "success"}]
    return Snapshot("urn:s:1", members, Status.SUCCESS, AT, AT, LATER, AT, details, details)


@pytest.mark.parametrize(
    ("results", "status"),
    [
        (["success", "success"], Status.SUCCESS),
        (["success", "empty"], Status.PARTIAL),
        (["failure", "success"], Status.PARTIAL),
        (["empty", "empty"], Status.EMPTY),
        (["empty", "failure"], Status.EMPTY),
        (["failure", "failure"], Status.FAILURE),
    ],
)
def test_the_results_of_the_queries_make_the_status(results, status):
    assert outcome([{"resultStatus": one} for one in results]) is status


def test_what_only_the_broker_says_is_ignored():
    given = {"type": "Snapshot", "id": "urn:s:7", "snapshotQueries": QUERIES, "snapshotStatus": "success", "_mine": 1}

    assert new_members(given | {"createdAt": AT, "expiresAt": "never"}) == ("urn:s:7", {"snapshotQueries": QUERIES})
    assert clone_members({"type": "Snapshot", "snapshotPriority": 9}) == (None, {"snapshotPriority": 9})
    with pytest.raises(NgsiLdError, match="snapshotQueries can be given on creation only"):
        clone_members({"type": "Snapshot", "snapshotQueries": QUERIES})


def test_a_fragment_replaces_members_and_null_takes_them_away():
    before = snapshot(snapshotQueries=QUERIES, endpoint="http://a.example/x", snapshotPriority=3)

    after = updated_members(before, {"snapshotPriority": 4, "endpoint": None, "snapshotLifetime": "urn:ngsi-ld:null"})

    assert after == {"snapshotQueries": QUERIES, "snapshotPriority": 4}
    with pytest.raises(NgsiLdError, match="receiverInfo is for an endpoint"):
        updated_members(snapshot(), {"receiverInfo": [{"key": "a", "value": "b"}]})


def test_where_it_is_told():
    info = [{"key": "Authorization", "value": "Bearer x"}]

    assert endpoint_of({}) is None
    assert endpoint_of({"endpoint": "https://a.example/x", "receiverInfo": info}).receiver_info == {
        "Authorization": "Bearer x"
    }
    for reserved in ("NGSILD-Snapshot", "NGSILD-Tenant", "Content-Type"):
        with pytest.raises(NgsiLdError, match="cannot be sent as a header"):
            endpoint_of({"endpoint": "http://a.example/x", "receiverInfo": [{"key": reserved, "value": "x"}]})


@pytest.mark.parametrize(
    ("q", "chosen"),
    [
        ("snapshotPriority<5", False),
        ("snapshotPriority>=5", True),
        ('snapshotStatus=="success"', True),
        ('id=="urn:s:1";type=="Snapshot"', True),
        (f"createdAt=={AT}", True),
        (f"expiresAt<{AT}|lastUsedAt<={AT}", True),
        ('snapshotQueriesDetails[resultStatus]=="failure"', False),
        ("endpoint", False),
        ("!endpoint", True),
    ],
)
def test_a_purge_compares_members(q, chosen):
    assert selected(parse_purge_query(q), snapshot(snapshotPriority=5), AT) is chosen


@pytest.mark.parametrize("q", ["speed>50", "snapshotPriority.unit==1", "endpoint{name}==1", "snapshotPriority>"])
def test_a_purge_compares_nothing_else(q):
    with pytest.raises(NgsiLdError):
        parse_purge_query(q)


def test_the_second_list_of_details_has_two_names():
    one = snapshot()

    assert render(one)["snapshotTemporalQueriesDetails"] == [{"resultStatus": "success"}]
    told = notification(one, "urn:n:1", AT, LATER)
    assert told["temporalSnapshotQueriesDetails"] == [{"resultStatus": "success"}]
    assert (told["type"], told["snapshotId"], told["expiresAt"]) == ("SnapshotNotification", "urn:s:1", LATER)
