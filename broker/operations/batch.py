"""Batch operations (5.6.7 to 5.6.10, 5.6.20): many entities, each with its own outcome, in two database commands.

An element of a batch is an entity or fragment that was read well, or the error that says why it was not: it goes
into the result at its place and the others go on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from broker.operations.entities import Target, creating
from broker.store.store import Mutation, Store, Written
from ngsi_ld import mutations
from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError, bad_request_data
from ngsi_ld.expansion import Fragment
from ngsi_ld.expiry import alive
from ngsi_ld.mutations import UpdateResult

Element = TypeVar("Element", Entity, Fragment)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An element that could not be read, with its id if that much is known."""

    id: str | None
    error: NgsiLdError


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: ids that succeeded, those of them that were created, errors by id (5.2.16).

    `told` has the errors of context sources, each as it goes into the answer.
    """

    success: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    errors: list[tuple[str | None, NgsiLdError]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether anything was not done."""
        return bool(self.errors or self.told)

    def body(self) -> dict[str, Any]:
        """The JSON of a 207 answer: `{"success": [id, …], "errors": [{"entityId": id, "error": {…}}]}`."""
        return {
            "success": self.success,
            "errors": [
                ({"entityId": entity_id} if entity_id else {}) | {"error": error.problem_details()}
                for entity_id, error in self.errors
            ]
            + self.told,
        }


async def create(store: Store, tenant: str, elements: Sequence[Entity | Unreadable]) -> BatchResult:
    """Batch Entity Creation (5.6.7)."""
    return await _run(store, tenant, elements, lambda new: lambda before: creating(before, new))


async def upsert(store: Store, tenant: str, elements: Sequence[Entity | Unreadable], *, update: bool) -> BatchResult:
    """Batch Entity Upsert (5.6.8): creates what is not there, replaces or with `update` updates what is."""

    def upserting(new: Entity) -> Mutation:
        fragment = as_fragment(new)

        def mutation(before: Entity | None) -> Entity:
            there = alive(before, new.created_at)
            if there is None:
                return creating(before, new)
            if not update:
                return mutations.replace(there, new)
            return mutations.update(there, fragment, new.modified_at)[0]

        return mutation

    return await _run(store, tenant, elements, upserting)


async def update(
    store: Store, tenant: str, elements: Sequence[Fragment | Unreadable], now: str, *, no_overwrite: bool
) -> BatchResult:
    """Batch Entity Update (5.6.9): appends attributes, replacing those that are there unless `no_overwrite`."""

    def updating(fragment: Fragment) -> Mutation:
        target = _target(tenant, fragment, now)

        def mutation(before: Entity | None) -> Entity:
            after, result = mutations.append(target.found(before), fragment, now, no_overwrite=no_overwrite)
            outcomes[target.id] = result
            return after

        return mutation

    outcomes: dict[str, UpdateResult] = {}
    done = await _run(store, tenant, elements, updating)
    for entity_id, outcome in outcomes.items():
        if outcome.not_updated and entity_id in done.success:
            done.success.remove(entity_id)
            kept = ", ".join(name for name, _ in outcome.not_updated)
            done.errors.append((entity_id, bad_request_data(f"left as they were because of noOverwrite: {kept}")))
    return done


async def merge(store: Store, tenant: str, elements: Sequence[Fragment | Unreadable], now: str) -> BatchResult:
    """Batch Entity Merge (5.6.20)."""

    def merging(fragment: Fragment) -> Mutation:
        target = _target(tenant, fragment, now)
        return lambda before: mutations.merge(target.found(before), fragment, now)

    return await _run(store, tenant, elements, merging)


async def delete(store: Store, tenant: str, elements: Sequence[Fragment | Unreadable], now: str) -> BatchResult:
    """Batch Entity Delete (5.6.10); of each fragment the id counts."""

    def deleting(fragment: Fragment) -> Mutation:
        target = _target(tenant, fragment, now)

        def mutation(before: Entity | None) -> None:
            target.found(before)

        return mutation

    return await _run(store, tenant, elements, deleting)


def as_fragment(entity: Entity) -> Fragment:
    """The whole entity as a fragment that brings all it has."""
    return Fragment(
        id=entity.id,
        types=entity.types,
        attributes=entity.attributes,
        scope=entity.scope or None,
        expires_at=entity.expires_at,
    )


def _target(tenant: str, fragment: Fragment, now: str) -> Target:
    return Target(tenant, fragment.id or "", None, now)


async def _run(
    store: Store,
    tenant: str,
    elements: Sequence[Element | Unreadable],
    mutation_for: Callable[[Element], Mutation],
) -> BatchResult:
    result = BatchResult()
    readable: list[tuple[str, Mutation]] = []
    for element in elements:
        if isinstance(element, Unreadable):
            result.errors.append((element.id, element.error))
        else:
            readable.append((element.id or "", mutation_for(element)))
    outcomes = await store.mutate_many(tenant, readable)
    for (entity_id, _), outcome in zip(readable, outcomes, strict=True):
        if isinstance(outcome, Written):
            result.success.append(entity_id)
            if outcome.after is not None and outcome.after.created_at != _creation(outcome.before):
                result.created.append(entity_id)
        else:
            result.errors.append((entity_id, outcome))
    return result


def _creation(before: Entity | None) -> str:
    """When the entity before was created; one that had expired does not keep its time for what takes its place."""
    return "" if before is None else before.created_at
