"""As many rows as are asked for are read, those that are asked for, from however many buckets that takes."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.history.reading import Wanted, moment, rows_of
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.query import TemporalQuery

NAME = "https://uri%2Eetsi%2Eorg/ngsi-ld/default-context/power"
BASE = instants.read("2026-01-01T00:00:00Z")
_NUMBERS = itertools.count()


async def packed(kept, times):
    """The document of an entity with a row for each pair of minutes: when observed, or None, and when it came."""
    entity_id = f"urn:ngsi-ld:Lamp:read-{next(_NUMBERS)}"
    rows = []
    for number, (observed, came) in enumerate(times):
        created = BASE + came * 60 * instants.SECOND + number
        seen = {"t": created, "w": 1} if observed is None else {"t": BASE + observed * 60 * instants.SECOND}
        rows.append({"a": NAME, "k": "Property", "c": created, "v": number, **seen})
    await kept.collections.make(kept.tenant)
    known = {"_id": entity_id, "types": ["Lamp"], "series": [NAME]}
    await kept.collections.entities(kept.tenant).insert_one(known)
    async with kept.collections.client.start_session() as session:
        await session.with_transaction(lambda one: kept.packer.merge(kept.tenant, entity_id, rows, one))
    return known | {"moves": 1}, rows


def expected(rows, wanted):
    named = wanted.query.timeproperty
    times = {"observedAt": lambda row: None if "w" in row else row["t"], "createdAt": lambda row: row["c"]}
    chosen = [row for row in rows if wanted.query.includes(times[named](row))]
    chosen.sort(key=lambda row: (moment(row, named), row["c"]))
    return chosen[-wanted.limit :] if wanted.latest else chosen[: wanted.limit]


minutes = st.integers(0, 40 * 1440)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    times=st.lists(st.tuples(st.none() | minutes, minutes), min_size=1, max_size=60),
    limit=st.integers(1, 70),
    latest=st.booleans(),
    timeproperty=st.sampled_from(["observedAt", "createdAt"]),
    bounds=st.none() | st.tuples(minutes, minutes),
)
async def test_the_first_and_the_last_ones(kept, times, limit, latest, timeproperty, bounds):
    entity, rows = await packed(kept, times)
    query = TemporalQuery(timeproperty=timeproperty)
    if bounds is not None:
        start, end = (BASE + one * 60 * instants.SECOND for one in sorted(bounds))
        query = TemporalQuery("between", start, end + 1, timeproperty, filtered=True)
    wanted = Wanted(query, {NAME}, limit=limit, latest=latest)

    found = await rows_of(kept.collections, kept.tenant, entity, wanted)

    assert [row["v"] for row in found] == [row["v"] for row in expected(rows, wanted)]


async def test_a_busy_day_has_several_buckets(kept):
    entity, rows = await packed(kept, [(minute % 1440, minute // 3) for minute in range(4320)])

    for limit, latest in ((10, True), (10, False), (1500, True), (3000, False), (5000, True)):
        wanted = Wanted(TemporalQuery(), {NAME}, limit=limit, latest=latest)
        found = await rows_of(kept.collections, kept.tenant, entity, wanted)
        assert [row["v"] for row in found] == [row["v"] for row in expected(rows, wanted)]
