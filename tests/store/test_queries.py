"""Pages, counts and orders of what a query selects, on a real MongoDB: exact, complete, and by an index."""

import asyncio
import random
from dataclasses import replace

import pytest

from broker.store import documents, queries
from broker.store.filters import mongo_filter
from broker.store.indexes import geo_path
from broker.store.store import Position
from ngsi_ld.context import CORE
from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import ANY, EntitySelector, Query, parse_geo_query, parse_order_by, parse_q, parse_scope_q
from ngsi_ld.query.paths import LinkedPath, Path
from ngsi_ld.query.q import Order
from ngsi_ld.query.type_selection import TypeSelection
from tests.store.lights import TYPE, creating, deleting, entity, putting

NOW = "2026-11-24T00:00:00.000Z"
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
OF_TYPE = (EntitySelector(types=TypeSelection((frozenset({TYPE}),))),)


def at(second: int) -> str:
    return f"2026-11-23T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"


def placed(number: int, geometry: dict, **values) -> Entity:
    one = entity(f"{number:05d}", time=at(number), **values)
    stamps = {"createdAt": one.created_at, "modifiedAt": one.created_at}
    return replace(one, attributes=one.attributes | {LOCATION: [{"type": "GeoProperty", "value": geometry, **stamps}]})


def point(longitude: float, latitude: float) -> dict:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def line(longitude: float) -> dict:
    return {"type": "LineString", "coordinates": [[longitude, 48.95], [longitude, 48.96]]}


async def stored(store, tenant, given: list[Entity]) -> list[str]:
    await store.mutate_many(tenant, [(one.id, creating(one)) for one in given])
    return [one.id for one in given]


def ids(found) -> list[str]:
    return [one.id for one in found]


async def test_pages_come_in_order_of_creation_whatever_the_order_of_writing(store, tenant):
    lights = [entity(n, time=at(n // 7)) for n in range(50)]
    in_order = [one.id for one in sorted(lights, key=lambda one: (one.created_at, one.id))]
    await stored(store, tenant, random.sample(lights, 50))

    by_offset = [
        one for offset in range(0, 60, 9) for one in ids(await store.find(tenant, ANY, now=NOW, limit=9, offset=offset))
    ]
    by_cursor, after = [], None
    while page := await store.find(tenant, ANY, now=NOW, limit=9, after=after):
        by_cursor += ids(page)
        after = Position.parse(str(Position.after(page[-1])))

    assert by_offset == in_order
    assert by_cursor == in_order
    assert await store.count(tenant, ANY, now=NOW) == 50
    assert await store.find(tenant, ANY, now=NOW, limit=0) == []


async def test_a_cursor_neither_skips_nor_repeats_while_others_write(store, other_store, tenant):
    there = await stored(store, tenant, [entity(f"{n:04d}", time=at(n)) for n in range(300)])
    gone = set()
    done = asyncio.Event()

    async def writing():
        n = 300
        while not done.is_set():
            await stored(other_store, tenant, [entity(f"{n:04d}", time=at(n))])
            victim = there[random.randrange(300)]
            if victim not in gone:
                await other_store.mutate(tenant, victim, deleting)
                gone.add(victim)
            await other_store.mutate(tenant, entity(f"{n:04d}").id, putting("x", n))
            n += 1

    writer = asyncio.create_task(writing())
    seen, after = [], None
    while page := await store.find(tenant, ANY, now=NOW, limit=10, after=after):
        seen += ids(page)
        after = Position.after(page[-1])
        if len(seen) > 400:
            break
        await asyncio.sleep(0.005)
    done.set()
    await writer

    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert set(there) - gone <= set(seen)


@pytest.mark.parametrize("text", ["", "x", "W10", "WzEsMl0", "é", "=" * 10, "bnVsbA"])
def test_a_cursor_of_another_making_is_refused(text):
    with pytest.raises(NgsiLdError, match="cursor"):
        Position.parse(text)


async def test_what_is_near_counts_and_pages_exactly_among_what_is_in_doubt(store, tenant):
    lines = [placed(n, line(4.36 + n / 1000)) for n in range(0, 40, 2)]
    points = [placed(n, point(4.36 + n / 1000, 48.95)) for n in range(1, 40, 2)]
    await stored(store, tenant, lines + points)
    near = parse_geo_query(
        CORE, georel="near;maxDistance==1000", geometry="Point", coordinates=[4.36, 48.95], geoproperty="location"
    )
    query = Query(geo=near)
    expected = sorted(one.id for one in lines + points if near.matches(one.attributes[LOCATION][0]["value"]))

    pages = [
        one
        for offset in range(0, 40, 4)
        for one in ids(await store.find(tenant, query, now=NOW, limit=4, offset=offset))
    ]

    assert 10 < len(expected) < 30
    assert pages == expected
    assert ids(await store.find(tenant, query, now=NOW, limit=100)) == expected
    assert await store.count(tenant, query, now=NOW) == len(expected)


async def test_many_doubts_are_tested_batch_by_batch(store, tenant, monkeypatch):
    monkeypatch.setattr(queries, "_FEW_DOUBTS", 5)
    monkeypatch.setattr(queries, "_LARGEST_BATCH", 16)
    lines = [
        placed(
            n, {"type": "LineString", "coordinates": [[4.36 + (n % 20) / 1000, 48.95], [4.36 + (n % 20) / 1000, 48.96]]}
        )
        for n in range(100)
    ]
    await stored(store, tenant, lines)
    near = parse_geo_query(CORE, georel="near;maxDistance==700", geometry="Point", coordinates=[4.36, 48.95])
    query = Query(geo=near)
    expected = [one.id for one in lines if near.matches(one.attributes[LOCATION][0]["value"])]

    assert ids(await store.find(tenant, query, now=NOW, limit=1000)) == expected
    assert ids(await store.find(tenant, query, now=NOW, limit=5, offset=33)) == expected[33:38]
    assert ids(await store.find(tenant, query, now=NOW, limit=50, offset=7)) == expected[7:57]
    assert await store.count(tenant, query, now=NOW) == len(expected)


async def test_conditions_on_linked_entities(store, tenant):
    cabinets = [entity(f"cabinet{n}", power=n) for n in range(10)]
    lights = [
        entity(f"{n:03d}", time=at(n), cabinet={"type": "Relationship", "object": cabinets[n % 10].id})
        for n in range(40)
    ]
    await stored(store, tenant, cabinets + lights)
    path = LinkedPath("https://example.org/cabinet", (), Path(("https://example.org/power",)))
    condition = Order(path, ">", 6)

    found = await store.find(tenant, Query(q=condition), now=NOW, limit=100)

    assert ids(found) == [one.id for n, one in enumerate(lights) if n % 10 > 6]
    assert await store.count(tenant, Query(q=condition), now=NOW) == 12


async def test_orders_by_value_with_and_without_collation_and_by_distance(store, tenant):
    words = ["zebra", "Äpfel", "apfel", "Zug", "apfelbaum", "Ähre"]
    given = [placed(n, point(4.36 - n / 100, 48.95), word=word, n=n % 3) for n, word in enumerate(words)]
    await stored(store, tenant, given)
    word, number = "https://example.org/word", "https://example.org/n"

    async def order(text: str, **parameters) -> list[str]:
        ordering = parse_order_by(text, CORE, **parameters)
        found = await store.find(tenant, Query(ordering=ordering), now=NOW, limit=10, offset=1)
        return [one.attributes[word][0]["value"] for one in found]

    assert await order(word) == sorted(words)[1:]
    assert await order(word, collation="de-x-icu") == ["apfel", "Äpfel", "apfelbaum", "zebra", "Zug"]
    assert await order(word, collation="de-u-ks-level1") == ["Äpfel", "apfel", "apfelbaum", "zebra", "Zug"]
    assert await order(f"{number};desc,{word}") == ["Ähre", "apfelbaum", "Äpfel", "Zug", "zebra"]
    assert await order("location;dist-asc", order_from=[4.30, 48.95]) == ["apfelbaum", "Zug", "apfel", "Äpfel", "zebra"]


@pytest.mark.parametrize("most_keys", [0, 20_000])
async def test_orders_with_a_collation_alike_of_few_and_of_many(store, tenant, monkeypatch, most_keys):
    monkeypatch.setattr(queries, "_MOST_KEYS", most_keys)
    words = ["b", "$b", "Á", "a", 12, True, None, {"$a": 1}, ["b"], "2026-11-23", "B", "2026-11-23T10:00:00Z"]
    await stored(store, tenant, [entity(f"{n:02d}", word=word) for n, word in enumerate(words)])
    ordering = parse_order_by("https://example.org/word", CORE, collation="und-x-icu")

    found = await store.find(tenant, replace(ANY, ordering=ordering), now=NOW, limit=10, offset=1)

    day, instant = "2026-11-23", "2026-11-23T10:00:00Z"
    in_order = [12, "$b", "a", "Á", "b", "B", {"$a": 1}, ["b"], True, day, instant, None]
    assert [one.attributes["https://example.org/word"][0]["value"] for one in found] == in_order[1:11]


async def test_keys_too_large_for_a_command_are_sorted_all_the_same(store, tenant):
    await stored(store, tenant, [entity(n, word="zyx"[n] * 6_000_000) for n in range(3)])
    ordering = parse_order_by("https://example.org/word", CORE, collation="und-x-icu")

    found = await store.find(tenant, replace(ANY, ordering=ordering), now=NOW, limit=2)

    assert ids(found) == [entity(2).id, entity(1).id]


async def test_what_has_expired_is_in_no_answer(store, tenant):
    await stored(
        store,
        tenant,
        [
            entity(1),
            replace(entity(2), expires_at="2026-11-23T23:00:00Z"),
            replace(entity(3), expires_at="2026-11-25T00:00:00Z"),
        ],
    )

    assert ids(await store.find(tenant, ANY, now=NOW, limit=10)) == [entity(1).id, entity(3).id]
    assert await store.count(tenant, ANY, now=NOW) == 2


@pytest.fixture(scope="module")
async def territory(mongo):
    """20,000 lights along the streets of a city, with the indexes that use brings."""
    from broker.store.mongo import MongoStore

    store = MongoStore(mongo)
    tenant = "territory"
    await store.create_tenant(tenant)
    lights = [
        replace(
            placed(n % 80_000, point(4.2 + n % 317 / 1000, 48.8 + n // 317 / 1000), power=n % 1000, lamp="LED"),
            id=f"urn:ngsi-ld:Streetlight:{n:05d}",
            types=[TYPE if n % 5 == 0 else f"https://example.org/Type{n % 5}"],
            scope=[f"/Chalons/Quarter{n % 50}"],
            version=1,
        )
        for n in range(20_000)
    ]
    entities = mongo[f"beffroi-{tenant}"]["entities"]
    await entities.insert_many([documents.document(one) for one in lights], ordered=False)
    await store.indexes.make_geo(entities, LOCATION)
    await store.index_attributes(tenant, ["https://example.org/power"])
    yield store, tenant, entities
    await store.close()


async def examined(entities, query: Query, after: Position | None = None) -> int:
    """How many documents MongoDB reads for a first page of 20."""
    condition = mongo_filter(query, NOW).mongo
    if after is not None:
        condition = {"$and": [queries._later(after), condition]}
    explained = await entities.database.command(
        {
            "explain": {"find": "entities", "filter": condition, "sort": dict(queries.CREATION_ORDER), "limit": 20},
            "verbosity": "executionStats",
        }
    )
    assert "COLLSCAN" not in str(explained["queryPlanner"]["winningPlan"])
    return explained["executionStats"]["totalDocsExamined"]


async def test_every_usual_query_reads_little_more_than_it_answers(territory):
    _, _, entities = territory
    power = "https://example.org/power"
    near = parse_geo_query(CORE, georel="near;maxDistance==500", geometry="Point", coordinates=[4.25, 48.83])

    assert await examined(entities, Query(selectors=OF_TYPE)) == 20
    assert await examined(entities, Query(selectors=OF_TYPE, q=parse_q(f"{power}==505", CORE))) <= 20
    assert await examined(entities, Query(q=parse_q(f"{power}==500", CORE))) <= 20
    assert await examined(entities, Query(selectors=OF_TYPE, q=parse_q(f"{power}>500", CORE))) <= 400
    assert await examined(entities, Query(scope_q=parse_scope_q("/Chalons/Quarter7"))) == 20
    assert await examined(entities, Query(scope_q=parse_scope_q("/Chalons/Quarter7"), selectors=OF_TYPE)) <= 400
    assert await examined(entities, Query(geo=near)) <= 400
    assert await examined(entities, Query(geo=near, selectors=OF_TYPE)) <= 400
    middle = Position(at(10_000), "urn:ngsi-ld:Streetlight:10000")
    assert await examined(entities, Query(selectors=OF_TYPE), after=middle) <= 21


async def test_a_page_far_on_is_right_by_offset_and_by_cursor(territory):
    store, tenant, _ = territory
    query = Query(selectors=OF_TYPE)

    by_offset = await store.find(tenant, query, now=NOW, limit=10, offset=3_000)
    by_cursor = await store.find(
        tenant, query, now=NOW, limit=10, after=Position(at(14_995), "urn:ngsi-ld:Streetlight:14995")
    )

    assert ids(by_offset) == ids(by_cursor) == [f"urn:ngsi-ld:Streetlight:{n}" for n in range(15_000, 15_050, 5)]
    assert await store.count(tenant, query, now=NOW) == 4_000


async def test_an_index_on_the_place_serves_the_filter(territory):
    _, _, entities = territory

    assert geo_path(LOCATION) in str((await entities.index_information()).values())
