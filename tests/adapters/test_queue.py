"""The queue on disk, its bounds, and what it remembers."""

import asyncio

import pytest

from adapters.freshness import fresh
from adapters.queue import Queue


@pytest.fixture
def queue(tmp_path):
    opened = []

    def open_queue(entities=1000, size=1_000_000, drop_oldest=False):
        for each in opened:
            each.close()
        opened[:] = [Queue(tmp_path / "queue.sqlite", entities=entities, size=size, drop_oldest=drop_oldest)]
        return opened[0]

    yield open_queue
    for each in opened:
        each.close()


def entities(*numbers):
    return [(f"urn:x:{number}", b'{"n":%d}' % number) for number in numbers]


async def ids(queue, most=100):
    return [each.entity_id for each in await queue.take(most)]


async def test_what_was_put_is_there_after_opening_again(queue):
    await queue().put(entities(1, 2, 3))

    again = queue()

    assert len(again) == 3
    assert again.size == sum(len(body) for _, body in entities(1, 2, 3))
    assert await ids(again) == ["urn:x:1", "urn:x:2", "urn:x:3"]


async def test_an_entity_is_taken_once_in_its_order(queue):
    one = queue()
    await one.put(entities(1, 2, 1, 3, 1))

    first = await one.take(10)
    await one.settle(first, {})
    second = await one.take(10)

    assert [each.seq for each in first] == [1, 2, 4]
    assert [each.seq for each in second] == [3]


async def test_take_waits_for_the_first(queue):
    one = queue()
    taking = asyncio.ensure_future(ids(one))
    await asyncio.sleep(0.05)
    assert not taking.done()

    await one.put(entities(1))

    assert await taking == ["urn:x:1"]


async def test_a_full_queue_waits_for_room(queue):
    one = queue(entities=3)
    await one.put(entities(1, 2, 3))
    putting = asyncio.ensure_future(one.put(entities(4, 5)))
    await asyncio.sleep(0.05)
    assert not putting.done()

    await one.settle(await one.take(1), {})
    await asyncio.sleep(0.05)
    assert not putting.done()
    await one.settle(await one.take(1), {})

    await asyncio.wait_for(putting, 2)
    assert await ids(one) == ["urn:x:3", "urn:x:4", "urn:x:5"]


@pytest.mark.parametrize("bounds", [{"entities": 3}, {"size": 24}])
async def test_a_full_queue_drops_its_oldest_where_it_is_told_to(queue, bounds):
    one = queue(drop_oldest=True, **bounds)
    await one.put(entities(1, 2, 3))
    taken = await one.take(1)

    await one.put(entities(4, 5))

    assert one.dropped == 2
    assert len(one) == 3
    await one.settle(taken, {})  # it was dropped already
    assert len(one) == 3
    assert await ids(one) == ["urn:x:3", "urn:x:4", "urn:x:5"]


async def test_more_than_it_holds_is_taken_when_it_is_empty(queue):
    one = queue(entities=2)

    await asyncio.wait_for(one.put(entities(1, 2, 3)), 2)

    assert len(one) == 3


async def test_what_was_sent_is_remembered_with_what_left(queue):
    one = queue()
    await one.put(entities(1, 2))
    await one.settle(await one.take(1), {"urn:x:1": {"n": ["2026-01-01T00:00:00Z", "ab", 1.0]}})

    again = queue()

    assert await again.sent(["urn:x:1", "urn:x:2"]) == {"urn:x:1": {"n": ["2026-01-01T00:00:00Z", "ab", 1.0]}}
    assert await ids(again) == ["urn:x:2"]


def entity(value=1, observed_at="2026-01-01T00:00:00Z", name="a"):
    time = {"observedAt": observed_at} if observed_at else {}
    return {
        "id": "urn:x:1",
        "type": "Thing",
        "n": {"type": "Property", "value": value, **time},
        "name": {"type": "Property", "value": name, **time},
    }


STATIC = frozenset({("Thing", "name")})


def sent(**first):
    return fresh(entity(**first), {}, STATIC, 1000.0, 600.0).sent


@pytest.mark.parametrize(
    ("second", "now", "kept", "late", "duplicates"),
    [
        ({"value": 2, "observed_at": "2026-01-01T00:00:01Z"}, 1001, ["n"], 0, 1),
        ({"value": 2, "observed_at": "2026-01-01T00:00:00.5Z"}, 1001, ["n"], 0, 1),
        ({"value": 2, "observed_at": "2025-12-31T23:59:59Z"}, 1001, [], 1, 1),
        ({}, 1001, [], 0, 2),
        ({"value": 2}, 1001, ["n"], 0, 1),
        ({"name": "b"}, 1001, ["name"], 0, 1),
        ({"observed_at": "2026-01-01T00:20:00Z"}, 2000, ["n", "name"], 0, 0),
        ({"observed_at": None}, 1001, ["n"], 0, 1),
    ],
)
def test_what_is_news(second, now, kept, late, duplicates):
    news = fresh(entity(**second), sent(), STATIC, now, 600.0)

    names = [] if news.entity is None else [name for name in news.entity if name not in ("id", "type")]
    assert (names, news.late, news.duplicates) == (kept, late, duplicates)


async def test_what_is_under_way_is_passed_over_until_there_is_a_whole_batch_of_others(queue):
    one = queue()
    await one.put(entities(1, 2, 1, 3))
    under_way = {each.entity_id for each in await one.take(2)}

    ahead = asyncio.create_task(one.take(2, without=under_way, least=2))
    await asyncio.sleep(0.05)
    waited = not ahead.done()
    await one.put(entities(4, 5))

    assert waited
    assert [each.entity_id for each in await ahead] == ["urn:x:3", "urn:x:4"]
