"""Entities at the limits of what a document can hold: kept or refused alone, and no other request suffers."""

import asyncio

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from tests.store.lights import creating, entity, putting, value

MEGABYTE = 1024 * 1024


async def test_an_entity_of_nearly_16_megabytes_is_kept_and_may_not_grow_beyond(store, tenant):
    large = entity("large", text="x" * (16 * MEGABYTE - 10_000))
    await store.mutate(tenant, large.id, creating(large))

    found = await store.get(tenant, large.id)
    with pytest.raises(NgsiLdError, match="would be too large") as refused:
        await store.mutate(tenant, large.id, putting("more", "x" * 20_000))

    assert found.attributes == large.attributes
    assert refused.value.type is ErrorType.BAD_REQUEST_DATA
    assert (await store.get(tenant, large.id)).version == 1


async def test_one_that_is_too_large_is_refused_alone(store, tenant):
    outcomes = await asyncio.gather(
        *(
            store.mutate(tenant, entity(n).id, creating(entity(n, text="x" * (17 * MEGABYTE if n == 3 else 10))))
            for n in range(6)
        ),
        return_exceptions=True,
    )

    assert [isinstance(outcome, NgsiLdError) for outcome in outcomes] == [n == 3 for n in range(6)]


async def test_a_group_beyond_what_one_command_carries_goes_in_several(store, tenant):
    batch = [entity(n, text="x" * (3 * MEGABYTE)) for n in range(12)]

    outcomes = await store.mutate_many(tenant, [(one.id, creating(one)) for one in batch])
    found = await store.get_many(tenant, [one.id for one in batch])

    assert [outcome.after.version for outcome in outcomes] == [1] * 12
    assert len(found) == 12


async def test_text_that_bson_cannot_hold_is_refused_alone(store, tenant):
    good, bad = await store.mutate_many(
        tenant, [(entity(1).id, creating(entity(1))), (entity(2).id, creating(entity(2, text="\ud800")))]
    )

    assert good.after.version == 1
    assert isinstance(bad, NgsiLdError)
    assert "cannot be stored" in bad.detail


async def test_the_deepest_value_that_is_taken_can_be_stored_and_changed(store, tenant):
    deep = 1
    for _ in range(157):
        deep = [deep]
    given = entity(1, deep=deep)

    await store.mutate(tenant, given.id, creating(given))
    written = await store.mutate(tenant, given.id, putting("again", deep))

    assert value(await store.get(tenant, given.id), "again") == deep
    assert written.after.version == 2


async def test_a_thousand_attributes(store, tenant):
    many = entity("many", **{f"a{n}": n for n in range(1000)})
    await store.mutate(tenant, many.id, creating(many))

    await store.mutate(tenant, many.id, putting("a500", "changed"))

    found = await store.get(tenant, many.id)
    assert len(found.attributes) == 1000
    assert value(found, "a500") == "changed"
