"""Buckets: whatever is packed comes out again."""

from hypothesis import given
from hypothesis import strategies as some

from broker.history.buckets import MOST, pack, unpack
from broker.history.rows import Row
from ngsi_ld.temporal import instants

MOMENTS = some.integers(instants.read("2020-01-01T00:00:00Z"), instants.read("2020-01-04T00:00:00Z"))


@some.composite
def rows(draw: some.DrawFn) -> Row:
    created = draw(MOMENTS)
    observed_at = draw(some.none() | MOMENTS)
    row: Row = {"a": draw(some.sampled_from("ab")), "k": "Property", "t": observed_at or created, "c": created}
    if observed_at is None:
        row["w"] = 1
    if draw(some.booleans()):
        row["d"] = "urn:ngsi-ld:Dataset:1"
    row["v"] = draw(some.integers(-5, 5) | some.floats(allow_nan=False) | some.booleans() | some.text() | some.none())
    if row["v"] is None:
        row["x"] = draw(MOMENTS)
    if draw(some.booleans()):
        row["h"] = {"unitCode": draw(some.sampled_from(("CEL", "KMH")))}
    if draw(some.booleans()):
        row["m"] = draw(MOMENTS)
    return row


def ordered(several):
    return sorted(map(repr, (sorted(row.items(), key=str) for row in several)))


@given(some.lists(rows(), max_size=40))
def test_rows_come_out_as_they_went_in(several):
    buckets = list(pack("urn:ngsi-ld:Vehicle:1", several))

    assert ordered(row for bucket in buckets for row in unpack(bucket)) == ordered(several)


def test_a_busy_day_has_several_buckets_that_follow_each_other():
    start = instants.read("2026-11-23T00:00:00Z")
    busy = [{"a": "a", "k": "Property", "t": start + n * 10**6, "c": start, "v": n} for n in range(MOST + 1)]

    buckets = list(pack("urn:ngsi-ld:Vehicle:1", busy))

    assert [bucket["n"] for bucket in buckets] == [MOST, 1]
    assert buckets[0]["u"] == 10**6
    assert buckets[1]["b"] == busy[-1]["t"]


def test_a_bucket_of_numbers_knows_their_sums():
    start = instants.read("2026-11-23T00:00:00Z")
    row = {"a": "a", "k": "Property", "t": start, "c": start}
    (bucket,) = pack("urn:ngsi-ld:Vehicle:1", [row | {"v": 2}, row | {"v": 4.0}])
    (mixed,) = pack("urn:ngsi-ld:Vehicle:1", [row | {"v": 2}, row | {"v": True}])

    assert bucket["y"] == {"s": 6.0, "q": 20.0, "l": 2, "h": 4.0}
    assert "y" not in mixed


def test_large_values_are_spread_over_buckets():
    start = instants.read("2026-11-23T00:00:00Z")
    large = [{"a": "a", "k": "Property", "t": start + n, "c": start, "v": "x" * 2**20} for n in range(10)]

    buckets = list(pack("urn:ngsi-ld:Vehicle:1", large))

    assert [bucket["n"] for bucket in buckets] == [3, 3, 3, 1]
    assert [row for bucket in buckets for row in unpack(bucket)] == large
