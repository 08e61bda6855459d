"""A collection of definitions in the database of each tenant: subscriptions, registrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import AsyncMongoClient, IndexModel, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from broker.changelog.watched import make_watched
from broker.store.store import Store, unavailable
from broker.store.tenants import database_name, nonexistent_tenant

Document = dict[str, Any]

_SECONDS = 10.0


class TenantCollections:
    """The collections of one name, which the change log watches.

    `create_tenants`: whether a first write creates its tenant.
    """

    def __init__(
        self,
        client: AsyncMongoClient[Any],
        store: Store,
        name: str,
        indexes: tuple[IndexModel, ...] = (),
        *,
        create_tenants: bool,
    ) -> None:
        self._client = client
        self._store = store
        self._name = name
        self._indexes = indexes
        self._create_tenants = create_tenants
        self._ready: set[str] = set()

    async def existing(self, tenant: str) -> AsyncCollection[Document]:
        """That of a tenant; NonexistentTenant."""
        if tenant not in self._ready and not await self._store.tenant_exists(tenant):
            raise nonexistent_tenant(tenant)
        return self._of(tenant)

    async def for_writing(self, tenant: str) -> AsyncCollection[Document]:
        """That of a tenant, made ready to be written to, as the tenant is where a first write creates it (5.5.10)."""
        collection = self._of(tenant)
        if tenant not in self._ready:
            if not await self._store.tenant_exists(tenant):
                if not self._create_tenants:
                    raise nonexistent_tenant(tenant)
                await self._store.create_tenant(tenant)
            with asking():
                await make_watched(collection)
                if self._indexes:
                    await collection.create_indexes(list(self._indexes))
            self._ready.add(tenant)
        return collection

    def _of(self, tenant: str) -> AsyncCollection[Document]:
        return self._client[database_name(tenant)].get_collection(
            self._name, write_concern=WriteConcern(w="majority", j=True)
        )


@contextmanager
def asking() -> Iterator[None]:
    """While the database is asked: in bounded time; StoreUnavailable where it does not answer."""
    try:
        with pymongo.timeout(_SECONDS):
            yield
    except PyMongoError as error:
        raise unavailable(error) from error
