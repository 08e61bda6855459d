"""Tenants (4.14, 5.5.10, 6.3.14): a database each, `beffroi` for the default one and `beffroi-NAME` for the others.

A snapshot (4.3.7) is addressed as a tenant is, by `@` and a token; its database is `beffroi-@TOKEN`. No client can name
it so: whoever takes a name from a client checks it with `checked_tenant`.
"""

import asyncio
import re
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid, OperationFailure

from broker.store.indexes import Indexes
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data

Database = AsyncDatabase[dict[str, Any]]

DEFAULT_DATABASE = "beffroi"
ENTITIES = "entities"

_PREFIX = f"{DEFAULT_DATABASE}-"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_SNAPSHOT = re.compile(r"@[0-9a-f]+")
_MAX_DATABASE_NAME = 63
_NAMESPACE_EXISTS = 48
OPTIONS: dict[str, Any] = {
    "changeStreamPreAndPostImages": {"enabled": True},
    # No entity has this member. It is how a compare-and-swap that matches nothing fails by itself: see `writes`.
    "validator": {"ghost": {"$exists": False}},
}


def database_name(tenant: str) -> str:
    """The database of a tenant; BadRequestData where it cannot have one.

    MongoDB has no two databases whose names differ in case only, so a capital is spelled `+` and the small letter:
    `Chalons` is in `beffroi-+chalons`.
    """
    if not tenant:
        return DEFAULT_DATABASE
    if _SNAPSHOT.fullmatch(tenant):
        return _PREFIX + tenant
    if not _NAME.fullmatch(tenant):
        raise bad_request_data(f"a tenant's name has letters a to z and A to Z, digits, - and _ only, not {tenant!r}")
    name = _PREFIX + re.sub("[A-Z]", lambda capital: f"+{capital[0].lower()}", tenant)
    if len(name) > _MAX_DATABASE_NAME:
        raise bad_request_data(
            f"the tenant's name {tenant!r} is too long: "
            f"{_MAX_DATABASE_NAME - len(_PREFIX)} characters are allowed, and a capital counts as two"
        )
    return name


def is_snapshot(tenant: str) -> bool:
    """Whether it is no tenant but a snapshot of one."""
    return tenant.startswith("@")


def checked_tenant(name: str) -> str:
    """The name of a tenant as a client gives it; BadRequestData for what only the broker may name."""
    if is_snapshot(name):
        raise bad_request_data(f"a tenant's name has letters a to z and A to Z, digits, - and _ only, not {name!r}")
    return name


def tenant_of(database: str) -> str | None:
    """The tenant whose database this is; None for databases that are not ours."""
    if database == DEFAULT_DATABASE:
        return ""
    if not database.startswith(_PREFIX):
        return None
    return re.sub(r"\+([a-z])", lambda capital: capital[1].upper(), database.removeprefix(_PREFIX))


def nonexistent_tenant(tenant: str) -> NgsiLdError:
    """The error for a tenant that has not been created."""
    return NgsiLdError(ErrorType.NONEXISTENT_TENANT, f"there is no tenant {tenant}")


async def furnish(database: Database, indexes: Indexes) -> None:
    """Give a collection of entities what it lacks: one of an earlier version, or one dropped under a running broker.

    A write makes a dropped collection anew without the validator, and then ghosts can have come into it.
    """
    await database.command({"collMod": ENTITIES, **OPTIONS})
    await database[ENTITIES].delete_many({"ghost": {"$exists": True}})
    await indexes.learn(database[ENTITIES])


class Tenants:
    """The databases of the tenants; what is known of each is learnt once per process.

    With `create_on_write` false, only `create` makes a tenant.
    """

    def __init__(
        self, client: AsyncMongoClient[dict[str, Any]], indexes: Indexes, *, create_on_write: bool = True
    ) -> None:
        self._client = client
        self._indexes = indexes
        self._create_on_write = create_on_write
        self._ready: set[str] = set()
        self._creating: dict[str, asyncio.Lock] = {}

    def database(self, tenant: str) -> Database:
        """Its database, whether or not it exists."""
        return self._client[database_name(tenant)]

    async def existing(self, tenant: str) -> Database:
        """Its database, to read from; NonexistentTenant."""
        database = self.database(tenant)
        if tenant not in self._ready and not await self._found(tenant, database):
            if tenant:
                raise nonexistent_tenant(tenant)
            # It always exists, and a write that comes next must find its collection as it has to be.
            await self.create(tenant)
        return database

    async def for_writing(self, tenant: str) -> Database:
        """Its database, to create an entity in; creates the tenant if that is allowed, else NonexistentTenant."""
        database = self.database(tenant)
        if tenant not in self._ready and not await self._found(tenant, database):
            if tenant and not self._create_on_write:
                raise nonexistent_tenant(tenant)
            await self.create(tenant)
        return database

    async def create(self, tenant: str) -> None:
        """Create the tenant with its collection and indexes, if it does not exist."""
        database = self.database(tenant)
        async with self._creating.setdefault(tenant, asyncio.Lock()):
            if tenant in self._ready or await self._found(tenant, database):
                return
            try:
                await database.create_collection(ENTITIES, check_exists=False, **OPTIONS)
            except (CollectionInvalid, OperationFailure) as error:
                if isinstance(error, OperationFailure) and error.code != _NAMESPACE_EXISTS:
                    raise
            await self._indexes.make_base(database[ENTITIES])
            self._ready.add(tenant)

    def forget(self, tenant: str) -> None:
        """Its database was dropped: what is known of it holds no more."""
        self._ready.discard(tenant)
        self._creating.pop(tenant, None)
        self._indexes.forget(self.database(tenant)[ENTITIES])

    async def exists(self, tenant: str) -> bool:
        """Whether it has been created; the default tenant always exists."""
        return not tenant or tenant in self._ready or await self._found(tenant, self.database(tenant))

    async def all(self) -> list[str]:
        """The names of all tenants, the default one first, as "", and those of snapshots."""
        databases = await self._client.list_databases(nameOnly=True, filter={"name": {"$regex": f"^{_PREFIX}"}})
        return ["", *sorted([tenant async for database in databases if (tenant := tenant_of(database["name"]))])]

    async def _found(self, tenant: str, database: Database) -> bool:
        """Whether the tenant's collection exists; then it is made as this version wants it."""
        async for collection in await database.list_collections(filter={"name": ENTITIES}):
            options = collection.get("options", {})
            if any(options.get(name) != value for name, value in OPTIONS.items()):
                await furnish(database, self._indexes)
            else:
                await self._indexes.learn(database[ENTITIES])
            self._ready.add(tenant)
            return True
        return False
