"""Operations on one entity and its attributes: create, retrieve, change, delete (5.6.1 to 5.6.6, 5.6.17 to 5.6.19)."""

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as with_

from broker.store.store import Reading, Store
from ngsi_ld.entity import Entity
from ngsi_ld.errors import already_exists, not_found
from ngsi_ld.expiry import alive
from ngsi_ld.mutations import UpdateResult
from ngsi_ld.query.type_selection import TypeSelection


@dataclass(frozen=True, slots=True)
class Target:
    """The entity that an operation is about, which must be there, at the time of the request, and of these types."""

    tenant: str
    id: str
    types: TypeSelection | None
    now: str

    def found(self, entity: Entity | None) -> Entity:
        """The entity; ResourceNotFound if it is not there, has expired, or is of other types."""
        entity = alive(entity, self.now)
        if entity is None:
            raise not_found(f"there is no entity {self.id}")
        if self.types is not None and not self.types.selects(entity.types):
            raise not_found(f"the entity {self.id} is not of the types that were asked for")
        return entity


async def create(store: Store, tenant: str, entity: Entity) -> None:
    """Create Entity (5.6.1); AlreadyExists if its id is taken."""
    await store.mutate(tenant, entity.id, lambda before: creating(before, entity))


def creating(before: Entity | None, entity: Entity) -> Entity:
    """The entity in a free place; one that has expired leaves its place."""
    if alive(before, entity.created_at) is not None:
        raise already_exists(f"the entity {entity.id} exists; update or replace it, or choose another id")
    return entity if before is None else with_(entity, version=before.version)


async def retrieve(store: Reading, target: Target) -> Entity:
    """Retrieve Entity (5.7.1)."""
    return target.found(await store.get(target.tenant, target.id))


async def change(store: Store, target: Target, changing: Callable[[Entity], Entity]) -> None:
    """Puts `changing(before)` in the place of the entity: replace, merge, replace and delete of attributes."""
    await store.mutate(target.tenant, target.id, lambda before: changing(target.found(before)))


async def update(
    store: Store, target: Target, updating: Callable[[Entity], tuple[Entity, UpdateResult]]
) -> UpdateResult:
    """As `change`, for those changes that may do a part only and say which: append and update of attributes."""
    result = UpdateResult()

    def mutation(before: Entity | None) -> Entity:
        nonlocal result
        after, result = updating(target.found(before))
        return after

    await store.mutate(target.tenant, target.id, mutation)
    return result


async def delete(store: Store, target: Target) -> None:
    """Delete Entity (5.6.6)."""

    def deleting(before: Entity | None) -> None:
        target.found(before)

    await store.mutate(target.tenant, target.id, deleting)
