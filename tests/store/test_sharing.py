"""Equal queries at the same time: few are asked, and none is answered by what was asked before it came."""

import asyncio

import pytest

from broker.store.sharing import Shared
from ngsi_ld.context import CORE
from ngsi_ld.query import Query, parse_geo_query, parse_order_by, parse_q
from tests.store.lights import TIME, creating, entity


async def test_calls_that_come_together_share_an_answer_and_later_ones_get_a_new_one():
    shared, began, gate = Shared(), [], asyncio.Event()

    async def ask():
        began.append(len(began))
        number = began[-1]
        await gate.wait()
        return number

    first = asyncio.create_task(shared.answer("key", ask))
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(shared.answer("key", ask)) for _ in range(10)]
    await asyncio.sleep(0.01)
    gate.set()

    assert await first == 0
    assert await asyncio.gather(*later) == [1] * 10
    assert await shared.answer("key", ask) == 2


async def test_one_who_leaves_takes_nothing_from_the_others():
    shared, gate = Shared(), asyncio.Event()

    async def ask():
        await gate.wait()
        return "answer"

    leaving = asyncio.create_task(shared.answer("key", ask))
    await asyncio.sleep(0)
    staying = asyncio.create_task(shared.answer("key", ask))
    await asyncio.sleep(0)
    leaving.cancel()
    gate.set()

    assert await staying == "answer"


async def test_a_failure_is_everybodys_and_then_forgotten():
    shared = Shared()

    async def fail():
        raise ValueError("away")

    async def succeed():
        return 1

    results = await asyncio.gather(*(shared.answer("key", fail) for _ in range(3)), return_exceptions=True)
    assert [str(one) for one in results] == ["away"] * 3
    assert await shared.answer("key", succeed) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Query(q=parse_q('a>5;b~="x.*"|c[d]==1..2', CORE)),
        lambda: Query(
            geo=parse_geo_query(CORE, georel="near;maxDistance==10", geometry="Point", coordinates=[4.3, 48.9])
        ),
        lambda: Query(ordering=parse_order_by("a;dist-asc", CORE, order_from="[4.3,48.9]")),
    ],
)
def test_equal_queries_are_one_key(make):
    assert make() == make()
    assert hash(make()) == hash(make())


async def test_a_query_sees_every_write_acknowledged_before_it(store, tenant):
    query = Query()

    async def write_then_read(number):
        light = entity(number)
        await store.mutate(tenant, light.id, creating(light))
        found = await store.find(tenant, query, now=TIME, limit=1000)
        return light.id in {one.id for one in found}

    assert all(await asyncio.gather(*(write_then_read(number) for number in range(200))))
