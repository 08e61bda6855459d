"""Requests share commands, and each has its own outcome all the same."""

import asyncio

import pytest

from broker.store.grouping import Groups
from ngsi_ld.errors import ErrorType, NgsiLdError
from tests.store.lights import creating, deleting, entity, putting, value


def lights(number: int) -> list[str]:
    return [entity(n).id for n in range(number)]


async def commands(mongo, awaited) -> int:
    """How many commands the database has had while something was awaited."""

    async def counted() -> int:
        counts = (await mongo.admin.command("serverStatus"))["metrics"]["commands"]
        return sum(counts[name]["total"] for name in ("find", "insert", "update", "delete"))

    before = await counted()
    await awaited
    return await counted() - before


async def test_a_crowd_shares_a_few_commands(store, mongo, tenant):
    await store.mutate_many(tenant, [(entity(n).id, creating(entity(n, n=n))) for n in range(200)])

    reads = await commands(mongo, asyncio.gather(*(store.get(tenant, one) for one in lights(200))))
    writes = await commands(mongo, asyncio.gather(*(store.mutate(tenant, one, putting("x", 1)) for one in lights(200))))

    assert reads <= 3
    assert writes <= 4


async def test_each_request_of_a_group_has_its_own_outcome(store, tenant):
    await store.mutate_many(tenant, [(entity(n).id, creating(entity(n, n=n))) for n in range(4)])

    created, exists, changed, missing, deleted, untouched = await asyncio.gather(
        store.mutate(tenant, entity(10).id, creating(entity(10))),
        store.mutate(tenant, entity(0).id, creating(entity(0))),
        store.mutate(tenant, entity(1).id, putting("n", 7)),
        store.mutate(tenant, entity(99).id, putting("n", 7)),
        store.mutate(tenant, entity(2).id, deleting),
        store.mutate(tenant, entity(3).id, lambda before: before),
        return_exceptions=True,
    )

    assert created.after.version == 1
    assert isinstance(exists, NgsiLdError)
    assert exists.type is ErrorType.ALREADY_EXISTS
    assert (value(changed.before, "n"), value(changed.after, "n"), changed.after.version) == (1, 7, 2)
    assert isinstance(missing, NgsiLdError)
    assert missing.type is ErrorType.RESOURCE_NOT_FOUND
    assert deleted.after is None
    assert untouched.after is untouched.before
    assert await store.get(tenant, entity(2).id) is None
    assert (await store.get(tenant, entity(3).id)).version == 1


async def test_a_mutation_that_breaks_harms_no_other(store, tenant):
    def broken(before):
        raise ZeroDivisionError

    good, bad = await asyncio.gather(
        store.mutate(tenant, entity(1).id, creating(entity(1))),
        store.mutate(tenant, entity(2).id, broken),
        return_exceptions=True,
    )

    assert good.after.version == 1
    assert isinstance(bad, ZeroDivisionError)


async def test_equal_ids_in_a_batch_are_written_in_order_one_after_the_other(store, mongo, tenant):
    one = entity(1).id
    await store.create_tenant(tenant)

    async with await mongo[f"beffroi-{tenant}"]["entities"].watch() as stream:
        outcomes = await store.mutate_many(
            tenant,
            [
                (one, creating(entity(1, n=0))),
                (one, putting("n", 1)),
                (one, creating(entity(1))),
                (one, putting("n", 2)),
                (one, deleting),
                (one, deleting),
                (one, creating(entity(1, n=3))),
            ],
        )
        kinds = [(await stream.next())["operationType"] for _ in range(5)]

    assert kinds == ["insert", "update", "update", "delete", "insert"]
    assert [isinstance(outcome, NgsiLdError) for outcome in outcomes] == [False, False, True, False, False, True, False]
    assert value(await store.get(tenant, one), "n") == 3


async def test_two_processes_on_the_same_entities_lose_nothing(store, other_store, tenant):
    await store.mutate_many(tenant, [(entity(n).id, creating(entity(n))) for n in range(5)])

    written = await asyncio.gather(
        *(
            writer.mutate(tenant, entity(n).id, putting(f"{name}{k}", k))
            for k in range(40)
            for n in range(5)
            for name, writer in (("a", store), ("b", other_store))
        )
    )

    for n in range(5):
        found = await store.get(tenant, entity(n).id)
        assert len(found.attributes) == 80
        assert found.version == 81
        versions = sorted(one.after.version for one in written if one.after.id == found.id)
        assert versions == list(range(2, 82))


async def test_what_one_process_knows_is_no_answer_when_another_has_written(store, other_store, tenant):
    one = entity(1).id
    await store.mutate(tenant, one, creating(entity(1, n=1)))
    await other_store.mutate(tenant, one, deleting)

    with pytest.raises(NgsiLdError, match="no such entity"):
        await store.mutate(tenant, one, putting("n", 2))
    await other_store.mutate(tenant, one, creating(entity(1, n=5)))
    written = await store.mutate(tenant, one, putting("m", 2))

    assert value(written.after, "n") == 5


async def test_an_entity_created_anew_is_not_taken_for_the_old_one(store, other_store, tenant):
    one = entity(1).id
    await store.mutate(tenant, one, creating(entity(1, n=1)))
    await other_store.mutate(tenant, one, deleting)
    await other_store.mutate(tenant, one, creating(entity(1, time="2026-11-23T18:00:00.000Z", m=2)))

    written = await store.mutate(tenant, one, putting("x", 3))

    assert {name.rpartition("/")[2] for name in written.after.attributes} == {"m", "x"}


async def test_one_of_many_creates_and_one_of_many_deletes_wins(store, other_store, tenant):
    one = entity(1).id

    creates = await asyncio.gather(
        *(writer.mutate(tenant, one, creating(entity(1))) for writer in (store, other_store) for _ in range(10)),
        return_exceptions=True,
    )
    deletes = await asyncio.gather(*(store.mutate(tenant, one, deleting) for _ in range(10)), return_exceptions=True)

    assert sum(not isinstance(outcome, Exception) for outcome in creates) == 1
    assert sum(not isinstance(outcome, Exception) for outcome in deletes) == 1


async def test_deletes_and_changes_that_race_are_each_true_to_an_order(store, other_store, tenant):
    for _ in range(15):
        one = entity("raced").id
        await store.mutate(tenant, one, creating(entity("raced", n=0)))
        changed, deleted = await asyncio.gather(
            store.mutate(tenant, one, putting("n", 1)),
            other_store.mutate(tenant, one, deleting),
            return_exceptions=True,
        )

        assert await store.get(tenant, one) is None
        assert deleted.before.version == (1 if isinstance(changed, Exception) else 2)


async def test_a_read_sees_every_write_that_was_acknowledged_before_it(store, other_store, tenant):
    one = entity(1).id
    await store.mutate(tenant, one, creating(entity(1, n=0)))
    acknowledged = 0

    async def writing():
        nonlocal acknowledged
        for n in range(1, 60):
            await store.mutate(tenant, one, putting("n", n))
            acknowledged = n

    async def reading(reader):
        while acknowledged < 59:
            least = acknowledged
            assert value(await reader.get(tenant, one), "n") >= least

    await asyncio.gather(writing(), *(reading(reader) for reader in (store, other_store) for _ in range(4)))


async def test_who_gives_up_waiting_harms_no_other(store, tenant):
    await store.mutate_many(tenant, [(entity(n).id, creating(entity(n))) for n in range(20)])

    calls = [asyncio.create_task(store.mutate(tenant, entity(n).id, putting("x", n))) for n in range(20)]
    reads = [asyncio.create_task(store.get(tenant, entity(n).id)) for n in range(20)]
    await asyncio.sleep(0)
    for task in [*calls[::2], *reads[::2]]:
        task.cancel()
    await asyncio.wait([*calls, *reads])

    assert all(task.cancelled() for task in [*calls[::2], *reads[::2]])
    assert [task.result().after.version for task in calls[1::2]] == [2] * 10
    assert [task.result().id for task in reads[1::2]] == [entity(n).id for n in range(1, 20, 2)]


async def test_groups_are_bounded_in_size_and_in_flight():
    sent: list[int] = []
    flying = most = 0

    async def send(turn):
        nonlocal flying, most
        sent.append(len(turn))
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.001)
        flying -= 1
        for requests in turn.values():
            requests.clear()

    groups: Groups[int] = Groups(send, size=10, in_flight=3)
    for n in range(95):
        groups.add(str(n), n)
    await groups.drained()

    assert sum(sent) == 95
    assert max(sent) == 10
    assert most == 3


async def test_requests_for_one_key_come_in_order_and_never_in_two_turns_at_once():
    seen: list[int] = []
    flying: set[str] = set()

    async def send(turn):
        assert flying.isdisjoint(turn)
        flying.update(turn)
        await asyncio.sleep(0)
        flying.difference_update(turn)
        for requests in turn.values():
            seen.append(requests[0])
            del requests[0]  # the others come again

    groups: Groups[int] = Groups(send, size=10, in_flight=3)
    for n in range(20):
        groups.add("key", n)
        if n % 7 == 0:
            await asyncio.sleep(0)
    await groups.drained()

    assert seen == list(range(20))


async def test_an_idle_store_sends_at_once():
    sent = asyncio.Event()

    async def send(turn):
        sent.set()
        for requests in turn.values():
            requests.clear()

    groups: Groups[int] = Groups(send, size=10, in_flight=1)
    groups.add("a", 1)
    for _ in range(3):
        await asyncio.sleep(0)

    assert sent.is_set()
