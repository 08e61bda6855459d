"""What goes into sums gives the same aggregates as the values did, wherever the border between them is."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.history.aggregates import aggregated
from broker.history.downsampling import uncounted
from broker.history.reading import Wanted, present
from broker.history.retention import parse_retention
from broker.history.rows import given_rows, series
from broker.history.sweeping import Retention
from ngsi_ld.context import CORE
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.aggregation import Aggregation
from ngsi_ld.temporal.durations import checked_zone, parse_duration
from ngsi_ld.temporal.expansion import expand_entity_temporal
from ngsi_ld.temporal.query import TemporalQuery

FIRST = instants.read("2026-01-30T00:00:00Z")
NOW = instants.read("2026-03-01T06:00:00Z")
NUMBERS = ("totalCount", "sum", "avg", "min", "max", "stddev", "sumsq")
_NUMBERS = itertools.count()


class Past:
    """The history of one entity with instances given, each by its attribute, minutes since FIRST, and value."""

    def __init__(self, kept):
        self.kept, self.id = kept, f"urn:ngsi-ld:Lamp:past-{next(_NUMBERS)}"

    async def add(self, *instances, now="2026-02-28T00:00:00.000Z"):
        """Adds rows as `History.add` does and packs them; how many were not counted yet."""
        kept, body = self.kept, {"id": self.id, "type": "Lamp"}
        for name, minutes, value in instances:
            observed_at = instants.show(FIRST + minutes * 60 * instants.SECOND)
            body.setdefault(name, []).append({"type": "Property", "value": value, "observedAt": observed_at})
        rows = given_rows(expand_entity_temporal(body, CORE, now), now, 0)
        await kept.collections.make(kept.tenant)
        keys = {"$addToSet": {"series": {"$each": sorted({series(row) for row in rows})}}, "$set": {"types": ["Lamp"]}}
        await kept.collections.entities(kept.tenant).update_one({"_id": self.id}, keys, upsert=True)

        async def put(session):
            new = await uncounted(kept.collections, kept.tenant, self.id, rows, instants.read(now), session)
            await kept.packer.merge(kept.tenant, self.id, new, session)
            return len(new)

        async with kept.collections.client.start_session() as session:
            return await session.with_transaction(put)

    async def aggregates(self, first, last, duration, methods=("totalCount",), zone=None, **query):
        """By attribute the summaries of the periods of the days from `first` to before `last`."""
        start, end = FIRST + first * instants.DAY, FIRST + last * instants.DAY
        time = TemporalQuery("between", int(start), int(end), query.get("timeproperty", "observedAt"), filtered=True)
        asked = Aggregation(methods, parse_duration(duration, "it"), zone)
        kept = self.kept
        entity = await kept.collections.entities(kept.tenant).find_one({"_id": self.id})
        moves = {self.id: entity.get("moves", 0)}
        found = await aggregated(kept.collections, kept.tenant, moves, Wanted(time), asked, 10_000)
        return {name.rpartition("/")[2]: by_period for (name, _, _), by_period in found.get(self.id, {}).items()}

    async def sweep(self, rules, now=NOW):
        """What goes by these rules."""
        retention = Retention(self.kept.collections, parse_retention(rules))
        return await retention.sweep(self.kept.tenant, now, self.kept.packer.turns)

    async def left(self):
        """How many buckets, days of hours and months of days there are."""
        sums = self.kept.collections.sums(self.kept.tenant)
        return (
            await self.kept.collections.buckets(self.kept.tenant).count_documents({"e": self.id}),
            await sums.count_documents({"e": self.id, "p": 1}),
            await sums.count_documents({"e": self.id, "p": 24}),
        )


@pytest.fixture
def past(kept):
    return Past(kept)


values = st.one_of(st.integers(-1000, 1000).map(lambda number: number / 4), st.integers(-9, 9), st.booleans())
texts = st.sampled_from(["on", "off", "Ön", ""])
instance = st.one_of(
    st.tuples(st.just("power"), st.integers(0, 20 * 1440), values),
    st.tuples(st.just("state"), st.integers(0, 20 * 1440), texts),
    st.tuples(st.just("opened"), st.integers(0, 20 * 1440), st.just({"@type": "Time", "@value": "08:30:00Z"})),
)
rules = st.sampled_from(
    ["P20D hourly P1Y", "P20D daily P1Y", "P15D hourly P22D daily P1Y", "P1D hourly P16D daily P2Y", "P1D daily P1Y"]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    instances=st.lists(instance, min_size=1, max_size=30, unique_by=lambda one: one[:2]),
    late=st.lists(instance, max_size=8),
    rules=rules,
    days=st.tuples(st.integers(0, 12), st.integers(13, 21)),
    duration=st.sampled_from(["P1D", "P2D", "P1W", "P1M", "PT0S"]),
)
async def test_aggregates_are_those_of_the_values(kept, instances, late, rules, days, duration):
    past, same = Past(kept), Past(kept)
    late = [one for one in late if one[:2] not in {other[:2] for other in instances}]
    await past.add(*instances)
    await same.add(*instances)
    await past.sweep(rules, instants.read("2026-02-26T00:00:00Z"))
    accepted = [one for one in late if await past.add(one)]
    if accepted:
        await same.add(*accepted)
    asked = [await same.aggregates(*days, duration)]
    before = await past.aggregates(*days, duration)

    await past.sweep(rules)

    assert before == asked[0]
    assert await past.aggregates(*days, duration) == asked[0]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    instances=st.lists(instance, min_size=1, max_size=30, unique_by=lambda one: one[:2]),
    hours=st.tuples(st.integers(0, 30), st.integers(31, 500)),
    duration=st.sampled_from(["PT1H", "PT6H", "P1D", "P1DT5H"]),
)
async def test_hours_are_those_of_the_values(kept, instances, hours, duration):
    past = Past(kept)
    await past.add(*instances)
    days = [one / 24 for one in hours]
    whole = await past.aggregates(*days, duration)

    await past.sweep("P1D hourly P1Y")

    assert await past.left() > (0, 0, 0)
    assert await past.aggregates(*days, duration) == whole


async def test_every_method_across_the_border(past):
    await past.add(*(("power", 30 * number, number % 7 / 2) for number in range(48 * 20)))
    whole = await past.aggregates(0, 20, "P1D", NUMBERS)

    assert await past.sweep("P20D hourly P22D daily P1Y") > 0

    assert await past.left() == (10, 2, 2)
    assert await past.aggregates(0, 20, "P1D", NUMBERS) == whole


async def test_different_values_of_single_days_are_told_and_those_of_months_are_not(past):
    await past.add(*(("power", 60 * number, number % 5) for number in range(24 * 4)))
    await past.sweep("P1D hourly P28D daily P1Y")

    found = await past.aggregates(0, 4, "P1D", ("distinctCount",))
    assert [one.distinct for one in found["power"].values()] == [5, 5, 5, 5]
    with pytest.raises(NgsiLdError, match="distinctCount"):
        await past.aggregates(0, 4, "P2D", ("distinctCount",))


@pytest.mark.parametrize(
    ("rules", "asked", "said"),
    [
        ("P1D hourly P1Y", (0, 2, "PT30M"), "whole hours"),
        ("P1D hourly P1Y", (0.01, 2, "PT1H"), "whole hours"),
        ("P1D daily P1Y", (0, 2, "PT1H"), "whole days in UTC"),
        ("P1D daily P1Y", (0, 1.5, "P1D"), "whole days in UTC"),
    ],
)
async def test_what_sums_do_not_tell_is_said(past, rules, asked, said):
    await past.add(*(("power", 60 * number + 5, number) for number in range(24 * 3)))
    await past.sweep(rules)

    with pytest.raises(NgsiLdError, match=said):
        await past.aggregates(*asked)


async def test_months_of_paris_come_of_hours_and_not_of_days(past):
    paris = checked_zone("Europe/Paris", "it")
    await past.add(*(("power", 60 * number, number) for number in range(24 * 3)))
    days = (-1 / 24, 3 - 1 / 24, "P1D")
    whole = await past.aggregates(*days, zone=paris)

    await past.sweep("P1D hourly P1Y")
    assert await past.aggregates(*days, zone=paris) == whole

    await past.sweep("P1D daily P1Y")
    with pytest.raises(NgsiLdError, match="days in UTC"):
        await past.aggregates(*days, zone=paris)


async def test_other_times_than_observed_ones_are_not_guessed(past):
    await past.add(("power", 5, 1))
    await past.sweep("P1D daily P1Y")

    with pytest.raises(NgsiLdError, match="observedAt"):
        await past.aggregates(0, 50, "PT0S", timeproperty="createdAt")
    assert await past.aggregates(0, 5, "PT0S", timeproperty="createdAt") == {}


async def test_what_is_sent_again_is_counted_once(past):
    instances = [("power", 60 * number, number) for number in range(24 * 2)]
    await past.add(*instances[:30])
    await past.sweep("P1D daily P1Y")

    assert await past.add(*instances) == 18
    assert await past.add(*instances[30:]) == 18  # the others replace them, see `supersede`


async def test_sums_go_too(past):
    await past.add(("power", 5, 1))
    await past.sweep("P1D hourly P40D")
    assert await past.left() == (0, 1, 0)

    assert await past.sweep("P1D hourly P40D", instants.read("2026-05-01T00:00:00Z")) == 1
    assert await past.left() == (0, 0, 0)


async def test_sums_count_as_present_where_aggregates_are_asked_for(past, kept):
    await past.add(("power", 5, 1))
    await past.sweep("P1D daily P1Y")
    moves = {past.id: 1}
    for last, there in ((FIRST + instants.DAY, {past.id}), (FIRST, set())):
        time = TemporalQuery("before", None, last, filtered=True)
        assert await present(kept.collections, kept.tenant, moves, Wanted(time, sums=True)) == there
        assert await present(kept.collections, kept.tenant, moves, Wanted(time)) == set()


async def test_long_texts_and_objects_are_counted(past):
    instances = [("note", 60 * number, "x" * 100 * (number % 2 + 1)) for number in range(4)]
    instances += [("shape", 60 * number, {"size": number}) for number in range(3)]
    instances += [("tags", 60 * number, ["a"] * number) for number in range(2)]
    await past.add(*instances)

    await past.sweep("P1D hourly P1Y")

    assert (await past.left())[0] == 0
    found = await past.aggregates(0, 1, "P1D")
    counted = {name: [one.count for one in by_period.values()] for name, by_period in found.items()}
    assert counted == {"note": [4], "shape": [3], "tags": [2]}


async def test_what_is_not_kept_of_long_texts_is_said(past):
    await past.add(("note", 60, "x" * 200))
    await past.sweep("P1D hourly P1Y")

    for method in ("max", "distinctCount"):
        with pytest.raises(NgsiLdError, match="long texts"):
            await past.aggregates(0, 1, "P1D", (method,))


async def test_large_values_do_not_keep_sums_from_being_made(past):
    await past.add(*(("note", 10 * number, "x" * 3_000_000 + str(number)) for number in range(6)))

    assert await past.sweep("P1D hourly P1Y") > 0

    assert await past.left() == (0, 1, 0)
