"""What the change log hands over becomes history, exactly once; packing changes nothing that can be read."""

import time

from bson import Timestamp

from broker.history.aggregates import aggregated
from broker.history.collections import provided_id, recorded_id
from broker.history.reading import Wanted
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.aggregation import Aggregation
from ngsi_ld.temporal.durations import Duration
from ngsi_ld.temporal.query import TemporalQuery

ID = "urn:ngsi-ld:Lamp:1"
KEY = "https://uri%2Eetsi%2Eorg/ngsi-ld/default-context/"
CAME = instants.read("2026-11-23T00:00:00Z")
POWER = "https://uri.etsi.org/ngsi-ld/default-context/power"


async def test_every_change_is_a_row(kept, written):
    await kept.recorder.handle([written.change(power=number, name="Foch") for number in range(5)])

    assert await kept.values("power") == [0, 1, 2, 3, 4]
    assert await kept.values("name") == ["Foch"]


async def test_what_is_handed_over_again_is_not_doubled(kept, written):
    changes = [written.change(power=number) for number in range(6)]
    await kept.recorder.handle(changes[:4])

    await kept.recorder.handle(changes[2:])

    assert await kept.values("power") == [0, 1, 2, 3, 4, 5]


async def test_what_may_be_handed_over_again_is_not_packed(kept, written):
    changes = [written.change(power=number) for number in range(6)]
    await kept.recorder.handle(changes[:4])
    kept.lease.saved = Timestamp(1800000000, 2)
    await kept.pack()
    assert await kept.waiting() == 2

    await kept.recorder.handle(changes[2:])
    kept.lease.saved = Timestamp(1800000000, 6)
    await kept.pack()

    assert await kept.waiting() == 0
    assert await kept.values("power") == [0, 1, 2, 3, 4, 5]


async def test_packed_rows_join_those_of_their_day(kept, written):
    for number in range(3):
        await kept.recorder.handle([written.change(power=number)])
        kept.lease.saved = Timestamp(1800000000, number + 1)
        await kept.pack()

    assert await kept.collections.buckets(kept.tenant).count_documents({}) == 1
    assert await kept.values("power") == [0, 1, 2]


async def test_a_deletion_leaves_its_mark_and_the_entity_goes_on(kept, written):
    changes = [written.change(power=1), written.change(), written.change(power=2)]

    await kept.recorder.handle(changes)

    assert sorted(map(str, await kept.values("power"))) == ["1", "2", "None"]
    entity = await kept.collections.entities(kept.tenant).find_one({"_id": ID})
    assert "deletedAt" not in entity


async def test_as_many_as_asked_for_are_read_wherever_they_are(kept, written):
    await kept.recorder.handle([written.change(power=number) for number in range(20)])
    kept.lease.saved = Timestamp(1800000000, 12)
    await kept.pack()

    assert await kept.values("power", limit=3, latest=True) == [17, 18, 19]
    assert await kept.values("power", limit=15) == list(range(15))


async def test_aggregates_are_the_same_before_during_and_after_packing(kept, written):
    await kept.recorder.handle([written.change(power=number % 7) for number in range(200)])
    start = instants.read("2026-11-23T10:00:00Z")
    query = TemporalQuery("after", start, None, "createdAt", None, filtered=True)
    asked = Aggregation(("avg", "sum", "min", "max", "totalCount", "distinctCount"), Duration(exact=60 * 10**6))

    async def computed():
        found = await aggregated(kept.collections, kept.tenant, {ID: await moves()}, Wanted(query), asked, 1000)
        return found[ID][(POWER, None, "Property")]

    async def moves():
        return (await kept.collections.entities(kept.tenant).find_one({"_id": ID})).get("moves", 0)

    results = []
    for saved in (0, 100, 200):
        kept.lease.saved = Timestamp(1800000000, saved)
        await kept.pack()
        results.append(await computed())

    assert results[0] == results[1] == results[2]
    assert [one.count for _, one in sorted(results[0].items())] == [59, 60, 60, 21]
    assert sum(one.total for one in results[0].values()) == sum(number % 7 for number in range(200))


async def test_as_many_as_asked_for_by_when_they_came(kept):
    """Thirty days, the latest of which came first: each value as many minutes after midnight as days before."""
    rows = [
        {"a": f"{KEY}power", "k": "Property", "t": day * instants.DAY, "c": CAME - day * 60 * instants.SECOND, "v": day}
        for day in range(30)
    ]
    await kept.collections.make(kept.tenant)
    known = {"_id": ID, "types": ["Lamp"], "series": [f"{KEY}power"]}
    await kept.collections.entities(kept.tenant).insert_one(known)
    async with kept.collections.client.start_session() as session:
        for row in rows:
            await session.with_transaction(lambda one, row=row: kept.packer.merge(kept.tenant, ID, [row], one))

    def between(first, last):
        start, end = (CAME - minutes * 60 * instants.SECOND for minutes in (first, last))
        return TemporalQuery("between", start, end, "createdAt", filtered=True)

    everything = TemporalQuery(timeproperty="modifiedAt", filtered=True)
    assert await kept.values("power", everything, limit=2, latest=True) == [1, 0]
    assert await kept.values("power", everything, limit=12, latest=True) == list(range(11, -1, -1))
    assert await kept.values("power", everything, limit=4) == [29, 28, 27, 26]
    assert await kept.values("power", between(20, 10), limit=3) == [20, 19, 18]
    assert await kept.values("power", between(20, 10), limit=3, latest=True) == [13, 12, 11]
    asked = Aggregation(("sum",), Duration())
    moves = {ID: (await kept.collections.entities(kept.tenant).find_one({"_id": ID}))["moves"]}
    found = await aggregated(kept.collections, kept.tenant, moves, Wanted(between(20, 10)), asked, 10)
    assert [one.total for one in found[ID][(POWER, None, "Property")].values()] == [sum(range(11, 21))]


async def test_what_waits_for_long_is_packed_and_what_is_new_waits(kept):
    now, recently = int(time.time()), int(time.time()) - 60
    row = {"a": f"{KEY}power", "k": "Property", "t": CAME, "c": CAME, "v": 1}
    ids = {
        "old": provided_id("old", (now - 25_000) * instants.SECOND, "a"),
        "new": provided_id("new", recently * instants.SECOND, "a"),
        "old change": recorded_id("old change", Timestamp(now - 25_000, 1)),
        "new change": recorded_id("new change", Timestamp(recently, 1)),
    }
    await kept.collections.make(kept.tenant)
    log = kept.collections.log(kept.tenant)
    await log.insert_many([{"_id": one, "e": entity_id, "r": [row]} for entity_id, one in ids.items()])
    kept.lease.saved = Timestamp(now, 1)

    await kept.packer.pack_waiting(kept.tenant, kept.lease)

    assert {one["e"] async for one in log.find()} == {"new", "new change"}
