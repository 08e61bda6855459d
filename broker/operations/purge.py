"""Purge Entities (5.6.21): deletes what a query selects, or some attributes of it."""

from collections.abc import Callable

from broker.operations.entities import Target
from broker.store.store import Mutation, Position, Store
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query.query import Query

_PAGE = 500


async def purge(
    store: Store,
    tenant: str,
    query: Query,
    now: str,
    changing: Callable[[Entity], Entity] | None = None,
    *,
    purged: list[str] | None = None,
) -> None:
    """Deletes all that the query selects now, or puts `changing(before)` in its place; `purged` gets their ids.

    Page by page in order of creation, so that memory stays small and entities made meanwhile are not touched.
    """
    after: Position | None = None
    while True:
        page = await store.find(tenant, query, now=now, limit=_PAGE, after=after)
        selected = [one for one in page if one.created_at <= now]
        outcomes = await store.mutate_many(
            tenant, [(one.id, _mutation(Target(tenant, one.id, None, now), changing)) for one in selected]
        )
        for one, outcome in zip(selected, outcomes, strict=True):
            # What another request deleted meanwhile is gone, as was wanted.
            if isinstance(outcome, NgsiLdError) and outcome.type is not ErrorType.RESOURCE_NOT_FOUND:
                raise outcome
            if purged is not None:
                purged.append(one.id)
        if len(page) < _PAGE or len(selected) < len(page):
            return
        after = Position.after(page[-1])


def _mutation(target: Target, changing: Callable[[Entity], Entity] | None) -> Mutation:
    def mutation(before: Entity | None) -> Entity | None:
        there = target.found(before)
        return None if changing is None else changing(there)

    return mutation
