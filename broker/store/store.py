"""What the broker asks of its storage: one contract, whatever stands behind it.

A change to an entity is a pure function from the entity before to the entity after (`Mutation`). The store reads,
applies it and writes with compare-and-swap, and applies it again to what it then finds where another writer was
faster: two writers never lose each other's attributes, and a mutation may run more than once.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import orjson

from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError, bad_request_data

if TYPE_CHECKING:
    from broker.store.catalogue import AttributeUse
    from ngsi_ld.query.query import Query

Mutation = Callable[[Entity | None], Entity | None]
"""From what is stored, None where nothing is, to what shall be, None to delete it.

To give back the same object is to write nothing; to raise `NgsiLdError` is to refuse. The `version` of what it gives
is not looked at: the store counts. An entity that has expired but is not yet removed is given like any other.
"""


class StoreUnavailable(Exception):
    """The database is away or too slow to answer, or will not take the write: 503, try again later."""


def unavailable(error: Exception) -> StoreUnavailable:
    """What a client is told where the driver raised `error`, whose own text is long and names our machines."""
    told = StoreUnavailable(f"the database does not answer ({type(error).__name__})")
    told.__cause__ = error
    return told


@dataclass(frozen=True, slots=True)
class Written:
    """What a mutation did: the entity before and after it, the same object where nothing had to be written."""

    before: Entity | None
    after: Entity | None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of creation: just after this entity. It stays a place even if the entity is deleted."""

    created_at: str
    id: str

    @classmethod
    def after(cls, entity: Entity) -> "Position":
        """The place after an entity, such as the last of a page."""
        return cls(entity.created_at, entity.id)

    @classmethod
    def parse(cls, text: str) -> "Position":
        """What `str` made; BadRequestData for any other text."""
        try:
            created_at, entity_id = orjson.loads(base64.urlsafe_b64decode(text.encode() + b"=="))
            if isinstance(created_at, str) and isinstance(entity_id, str):
                return cls(created_at, entity_id)
        except (ValueError, TypeError, binascii.Error):
            pass
        raise bad_request_data("the cursor is not one that this broker gave: follow the Link with rel=next as it is")

    def __str__(self) -> str:
        """An opaque text, safe in a URL."""
        return base64.urlsafe_b64encode(orjson.dumps([self.created_at, self.id])).rstrip(b"=").decode()


class Reading(Protocol):
    """How entities are read: what the store has, or with `broker.federation.reads` what context sources have as well.

    Every method raises `StoreUnavailable` in bounded time when the database does not answer, and NonexistentTenant
    where the tenant is unknown.
    """

    async def get(self, tenant: str, entity_id: str) -> Entity | None:
        """The entity, None where there is none."""
        ...

    async def get_many(self, tenant: str, entity_ids: Sequence[str]) -> Mapping[str, Entity]:
        """Those of the entities that exist, by id."""
        ...

    async def find(
        self,
        tenant: str,
        query: "Query",
        *,
        now: str,
        limit: int,
        offset: int = 0,
        after: Position | None = None,
        bare: bool = False,
    ) -> list[Entity]:
        """A page of what matches, in order of creation (then of id): from `after` on if given, `offset` further.

        `bare`: attributes are not wanted, and need not come.

        With `after`, every page costs the same; with `offset`, what lies before it is counted off.
        """
        ...

    async def count(self, tenant: str, query: "Query", *, now: str) -> int:
        """How many match, exactly."""
        ...

    async def types(self, tenant: str, *, now: str) -> list[str]:
        """The IRIs of the types that there are, in order."""
        ...

    async def attributes_by_type(self, tenant: str, *, now: str) -> dict[str, list[str]]:
        """Each type that there is with the IRIs of the attributes that its entities have."""
        ...

    async def type_info(self, tenant: str, name: str, *, now: str) -> "tuple[int, list[AttributeUse]]":
        """How many entities have the type with this IRI, and the attributes that these have."""
        ...

    async def attribute_uses(
        self, tenant: str, *, now: str, of_type: str | None = None, attribute: str | None = None
    ) -> "list[AttributeUse]":
        """The attributes that there are, or those of one type, or the one named; in order of their IRIs."""
        ...


class Store(Reading, Protocol):
    """Entities by tenant; the tenant "" is the default one and always exists.

    Every method raises `StoreUnavailable` in bounded time when the database does not answer, and NonexistentTenant
    where the tenant is unknown and the call does not create it. What was acknowledged is on disk on a majority of the
    replica set, and is seen by every call that starts after.
    """

    async def ids(self, tenant: str, query: "Query", *, now: str, most: int) -> list[str]:
        """The ids of all that match, in the order of `find`; TooManyResults beyond `most`."""
        ...

    async def mutate(self, tenant: str, entity_id: str, mutation: Mutation) -> Written:
        """Apply `mutation`; raises what it raises. A tenant is created if an entity is."""
        ...

    async def mutate_many(self, tenant: str, mutations: Sequence[tuple[str, Mutation]]) -> list[Written | NgsiLdError]:
        """Apply many, each with its own outcome at its place; for equal ids in order, each a write of its own."""
        ...

    async def tenant_exists(self, tenant: str) -> bool:
        """Whether the tenant has been created."""
        ...

    async def create_tenant(self, tenant: str) -> None:
        """Create it, if it does not exist; BadRequestData if a tenant cannot be called so."""
        ...

    async def tenants(self) -> list[str]:
        """All tenants, the default one as ""."""
        ...
