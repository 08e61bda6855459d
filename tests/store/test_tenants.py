"""Tenants are databases of their own (4.14, 5.5.10): names, creation, isolation."""

import asyncio

import pytest

from broker.store.mongo import MongoStore
from broker.store.tenants import database_name, tenant_of
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query.query import ANY
from tests.store.lights import creating, entity, putting

NOW = "2026-11-23T17:05:00.000Z"


async def refused(awaited) -> ErrorType:
    with pytest.raises(NgsiLdError) as raised:
        await awaited
    return raised.value.type


async def test_a_first_entity_creates_its_tenant_with_all_it_needs(store, mongo, tenant):
    await store.mutate(tenant, entity(1).id, creating(entity(1)))

    database = mongo[f"beffroi-{tenant}"]
    assert await store.tenant_exists(tenant)
    assert tenant in await store.tenants()
    (collection,) = [one async for one in await database.list_collections()]
    assert collection["options"]["changeStreamPreAndPostImages"] == {"enabled": True}
    assert collection["options"]["validator"] == {"ghost": {"$exists": False}}
    assert set(await database["entities"].index_information()) == {"_id_", "creation", "types", "scope", "expiry"}


async def test_everything_else_on_an_unknown_tenant_is_refused_and_creates_nothing(store, tenant):
    nowhere = entity(1).id

    outcomes = [
        await refused(store.get(tenant, nowhere)),
        await refused(store.get_many(tenant, [nowhere])),
        await refused(store.mutate(tenant, nowhere, putting("n", 1))),
        await refused(store.mutate_many(tenant, [(nowhere, putting("n", 1))])),
        await refused(store.find(tenant, ANY, now=NOW, limit=10)),
        await refused(store.count(tenant, ANY, now=NOW)),
    ]

    assert set(outcomes) == {ErrorType.NONEXISTENT_TENANT}
    assert not await store.tenant_exists(tenant)


async def test_the_default_tenant_always_exists(store):
    assert await store.tenant_exists("")
    assert (await store.tenants())[0] == ""
    assert await store.get("", "urn:ngsi-ld:None:1") is None


async def test_tenants_do_not_see_each_other(store, tenant):
    await store.mutate(tenant, entity(1).id, creating(entity(1, n=1)))
    await store.mutate(f"{tenant}b", entity(1).id, creating(entity(1, n=2)))

    await store.mutate(tenant, entity(1).id, putting("n", 3))

    assert (await store.get(f"{tenant}b", entity(1).id)).version == 1
    assert await store.count(tenant, ANY, now=NOW) == 1


async def test_only_an_administrator_creates_tenants_where_so_configured(mongo, tenant):
    store = MongoStore(mongo, create_tenants=False)

    assert await refused(store.mutate(tenant, entity(1).id, creating(entity(1)))) is ErrorType.NONEXISTENT_TENANT
    await store.create_tenant(tenant)
    await store.mutate(tenant, entity(1).id, creating(entity(1)))

    assert (await store.get(tenant, entity(1).id)).version == 1
    await store.close()


async def test_many_first_writes_at_once_create_one_tenant(store, other_store, tenant):
    await asyncio.gather(
        *(
            writer.mutate(tenant, entity(f"{name}{n}").id, creating(entity(f"{name}{n}")))
            for n in range(10)
            for name, writer in (("a", store), ("b", other_store))
        )
    )

    assert await store.count(tenant, ANY, now=NOW) == 20


async def test_a_collection_of_an_earlier_version_gets_what_it_lacks(store, mongo, tenant):
    await mongo[f"beffroi-{tenant}"].create_collection("entities")

    await store.mutate(tenant, entity(1).id, creating(entity(1)))
    await store.indexes.settled()

    options = await mongo[f"beffroi-{tenant}"]["entities"].options()
    assert options["validator"] == {"ghost": {"$exists": False}}
    assert "types" in await mongo[f"beffroi-{tenant}"]["entities"].index_information()


async def test_a_tenant_that_is_dropped_under_a_running_broker_leaves_no_ghosts(store, mongo, tenant):
    await store.mutate_many(tenant, [(entity(n).id, creating(entity(n))) for n in range(3)])
    await mongo.drop_database(f"beffroi-{tenant}")

    gone, created = await store.mutate_many(
        tenant, [(entity(1).id, putting("n", 1)), (entity(9).id, creating(entity(9)))]
    )
    await store.indexes.settled()

    assert isinstance(gone, NgsiLdError)
    assert created.after.version == 1
    entities = mongo[f"beffroi-{tenant}"]["entities"]
    assert await entities.distinct("_id") == [entity(9).id]
    assert (await entities.options())["validator"] == {"ghost": {"$exists": False}}
    assert "types" in await entities.index_information()


@pytest.mark.parametrize("name", ["", "chalons", "Chalons", "CHALONS", "saint-martin_51", "a" * 55])
def test_a_tenant_has_a_database_of_its_own_whatever_the_case(name):
    database = database_name(name)

    assert database == database.lower()
    assert tenant_of(database) == name


@pytest.mark.parametrize(
    "name", ["a.b", "a b", "a/b", "a$b", "é", "a+b", "x" * 56, "X" * 28, '"', "..", "a\0", "a\n", "urn:ngsi-ld:x"]
)
async def test_a_name_that_no_database_can_have_is_refused_with_what_is_allowed(store, name):
    with pytest.raises(NgsiLdError, match=r"letters a to z|characters are allowed") as raised:
        await store.mutate(name, entity(1).id, creating(entity(1)))

    assert raised.value.type is ErrorType.BAD_REQUEST_DATA


@pytest.mark.parametrize("database", ["admin", "local", "config", "beffroi_other", "beffroix", "other-beffroi"])
def test_other_databases_are_no_tenants(database):
    assert tenant_of(database) is None


async def test_tenants_that_differ_in_case_are_two(store, tenant):
    await store.mutate(tenant, entity(1).id, creating(entity(1)))
    await store.mutate(tenant.upper(), entity(2).id, creating(entity(2)))

    assert await store.get(tenant, entity(2).id) is None
    assert {tenant, tenant.upper()} <= set(await store.tenants())
