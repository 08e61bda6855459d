"""Indexes come with use, and no write waits for one or fails for one."""

from dataclasses import replace

from broker.store.documents import document
from broker.store.indexes import Indexes, geo_path, value_path
from broker.store.mongo import MongoStore, StoreLimits
from ngsi_ld.context import CORE
from ngsi_ld.query import Query, parse_geo_query, parse_q
from tests.store.lights import TIME, creating, entity, putting, value

NOW = "2026-11-24T00:00:00.000Z"
PLACE = "https://example.org/place"
# Straight on the map it is simple; between great circles its dent crosses the southern edge.
CROSSING_ON_THE_SPHERE = {
    "type": "Polygon",
    "coordinates": [[[0, 48], [60, 48], [60, 50], [30, 48.5], [0, 50], [0, 48]]],
}
POINT = {"type": "Point", "coordinates": [4.36, 48.95]}


def place(geometry: dict) -> dict:
    return {"type": "GeoProperty", "value": geometry}


async def names(mongo, tenant) -> set[str]:
    return set(await mongo[f"beffroi-{tenant}"]["entities"].index_information())


async def test_a_geoproperty_gets_its_index_on_first_sight(store, mongo, tenant):
    await store.mutate(tenant, entity(1).id, creating(entity(1, place=place(POINT))))
    await store.indexes.settled()

    assert geo_path(PLACE) in await names(mongo, tenant)


async def test_a_geometry_that_the_index_refuses_is_written_all_the_same(store, mongo, tenant):
    await store.mutate(tenant, entity(1).id, creating(entity(1, place=place(POINT))))
    await store.indexes.settled()

    crossing = entity(2, place=place(CROSSING_ON_THE_SPHERE))
    created, changed, other = await store.mutate_many(
        tenant,
        [
            (crossing.id, creating(crossing)),
            (entity(1).id, lambda before: replace(before, attributes=crossing.attributes)),
            (entity(3).id, creating(entity(3, place=place(POINT)))),
        ],
    )

    assert [one.after.version for one in (created, changed, other)] == [1, 2, 1]
    for number in (1, 2):
        assert value(await store.get(tenant, entity(number).id), "place") == CROSSING_ON_THE_SPHERE


async def test_what_was_there_before_the_index_does_not_hinder_it(store, mongo, tenant):
    await store.create_tenant(tenant)
    entities = mongo[f"beffroi-{tenant}"]["entities"]
    crossing = [replace(entity(n, place=place(CROSSING_ON_THE_SPHERE)), version=1) for n in range(3)]
    await entities.insert_many([document(one) for one in crossing])

    await store.mutate(tenant, entity(7).id, creating(entity(7, place=place(POINT))))
    await store.indexes.settled()

    assert geo_path(PLACE) in await names(mongo, tenant)
    assert [await store.get(tenant, one.id) for one in crossing] == crossing


async def test_an_attribute_that_is_compared_often_gets_an_index(mongo, tenant):
    store = MongoStore(mongo, limits=StoreLimits(index_demand=3))
    await store.mutate(tenant, entity(1).id, creating(entity(1, power=1)))
    power = value_path("https://example.org/power")
    query = Query(q=parse_q("https://example.org/power>0;https://example.org/lamp", CORE))

    for times in range(1, 5):
        await store.find(tenant, query, now=NOW, limit=1)
        await store.indexes.settled()
        assert (power in await names(mongo, tenant)) is (times >= 3)

    assert value_path("https://example.org/lamp") not in await names(mongo, tenant)
    await store.close()


async def test_indexes_are_bounded_and_writes_go_on_beyond(mongo, tenant):
    store = MongoStore(mongo, limits=StoreLimits(indexes=8))
    many = entity(1, **{f"place{n}": place(POINT) for n in range(70)})

    await store.mutate(tenant, many.id, creating(many))
    await store.indexes.settled()

    assert len(await names(mongo, tenant)) == 8
    near = parse_geo_query(
        CORE,
        georel="near;maxDistance==10",
        geometry="Point",
        coordinates=[4.36, 48.95],
        geoproperty="https://example.org/place69",
    )
    assert await store.count(tenant, Query(geo=near), now=NOW) == 1
    await store.close()


async def test_another_process_knows_the_indexes_that_are_there(store, other_store, mongo, tenant):
    await store.mutate(tenant, entity(1).id, creating(entity(1, place=place(POINT))))
    await store.indexes.settled()

    await other_store.mutate(tenant, entity(1).id, putting("n", 1))

    assert geo_path(PLACE) in other_store.indexes.known(mongo[f"beffroi-{tenant}"]["entities"])


async def test_expired_entities_are_removed_by_the_database(mongo, store, tenant):
    await store.mutate(tenant, entity(1).id, creating(replace(entity(1), expires_at=TIME)))

    stored = await mongo[f"beffroi-{tenant}"]["entities"].find_one()
    indexes = await mongo[f"beffroi-{tenant}"]["entities"].index_information()

    assert stored["expiry"].isoformat() == "2026-11-23T17:02:01.250000"
    assert indexes["expiry"]["expireAfterSeconds"] == 0


async def test_no_more_is_counted_than_memory_allows(mongo, tenant):
    indexes = Indexes(demand=10)
    entities = mongo[f"beffroi-{tenant}"]["entities"]

    indexes.note_compared(entities, (f"https://example.org/{n}" for n in range(50_000)))

    assert len(indexes._uses) <= 10_001
