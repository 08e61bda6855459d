"""Pages far into many entities while others write: no duplicates, no gaps among what nobody touches, counts exact."""

import asyncio
import contextlib
import itertools

import pytest

from broker.store import documents
from broker.store.store import Position
from broker.store.tenants import ENTITIES, database_name
from ngsi_ld.query import ANY
from tests.store.lights import creating, deleting, entity, putting

NOW = "2026-11-24T00:00:00.000Z"
MANY = 55_000
DEEP = 50_000
THREES = MANY // 3
"""Others never write the first of three entities in a row; they change some second ones and delete some third ones."""


def light(number: int):
    """One of a sequence in order of creation, ten of which have the same time."""
    minutes, seconds = divmod(number // 10, 60)
    time = f"2026-11-23T{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}.000Z"
    return entity(f"{number:06d}", time=time, level=number)


def numbers(found) -> list[int]:
    return [int(one.id.rpartition(":")[2]) for one in found]


@pytest.fixture
async def many(store, mongo, tenant):
    """The collection of so many entities, which are put into it directly."""
    await store.create_tenant(tenant)
    entities = mongo[database_name(tenant)][ENTITIES]
    for start in range(0, MANY, 5000):
        stored = [documents.document(light(n)) for n in range(start, start + 5000)]
        await entities.insert_many(stored, ordered=False)
    yield entities
    await mongo.drop_database(database_name(tenant))


class Others:
    """Those who create at the end, change and delete near and far; what they tried, and what of it was acknowledged."""

    def __init__(self, store, tenant):
        self._store, self._tenant = store, tenant
        self.created, self.deleted = 0, set()
        self.tried_to_create, self.tried_to_delete = 0, set()
        self._done = False

    @contextlib.asynccontextmanager
    async def writing(self):
        task = asyncio.create_task(self._write())
        try:
            yield
        finally:
            self._done = True
            await task

    async def _write(self):
        for turn in itertools.count():
            if self._done:
                return
            near, far = turn * 137 % THREES * 3, (DEEP // 3 + turn % 1500) * 3
            new = [light(MANY + 10 * turn + n) for n in range(10)]
            writes = [(one.id, creating(one)) for one in new]
            writes += [(light(three + 1).id, putting("level", -turn)) for three in (near, far)]
            writes += [(light(three + 2).id, deleting) for three in (near, far)]
            self.tried_to_create += len(new)
            self.tried_to_delete |= {near + 2, far + 2}
            outcomes = await self._store.mutate_many(self._tenant, writes)
            assert not [one for one in outcomes[:-2] if isinstance(one, Exception)]
            self.created += len(new)
            self.deleted |= {near + 2, far + 2}


def number_at(offset: int, deleted: set[int]) -> int:
    """The number of the entity at this place where those are gone."""
    return next(itertools.islice((n for n in itertools.count() if n not in deleted), offset, None))


async def test_pages_and_counts_while_others_write(many, store, other_store, tenant):
    others = Others(other_store, tenant)
    deep, whole, after = [], [], None

    async with others.writing():
        for _ in range(10):
            gone = set(others.deleted)
            page = numbers(await store.find(tenant, ANY, now=NOW, limit=100, offset=DEEP))
            deep.append((gone, page, set(others.tried_to_delete)))
        while found := await store.find(tenant, ANY, now=NOW, limit=500, after=after):
            whole += numbers(found)
            if whole[-1] >= MANY:  # others create faster than this reads
                break
            after = Position.after(found[-1])
        most, least = -len(others.deleted), others.created
        counted = await store.count(tenant, ANY, now=NOW)
        most, least = most + others.tried_to_create, least - len(others.tried_to_delete)

    assert whole[0] == 0
    assert whole[-1] >= MANY
    for page in (whole, *(page for _, page, _ in deep)):
        assert all(one < other for one, other in itertools.pairwise(page))
        assert [n for n in page if n % 3 == 0] == [n for n in range(page[0], page[-1] + 1) if n % 3 == 0]
    for gone, page, going in deep:
        assert len(page) == 100
        assert number_at(DEEP, gone) <= page[0] <= number_at(DEEP, going)
    assert least <= counted - MANY <= most
    assert len(others.deleted) > 10


async def test_counts_and_pages_are_exact_when_they_are_done(many, store, other_store, tenant):
    others = Others(other_store, tenant)
    async with others.writing():
        await asyncio.sleep(0.3)

    counted = await store.count(tenant, ANY, now=NOW)
    page = numbers(await store.find(tenant, ANY, now=NOW, limit=1000, offset=DEEP))

    left = [n for n in range(MANY + others.created) if n not in others.deleted]
    assert counted == len(left)
    assert page == left[DEEP : DEEP + 1000]
