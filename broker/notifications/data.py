"""The data of a notification as JSON: entities as their subscription wants to see them, with those they lead to."""

import logging
from collections.abc import AsyncIterator, Sequence

import orjson

from broker.notifications.registry import Registered
from broker.operations.linked import with_linked
from broker.store.store import Position, Store
from ngsi_ld.changes import AttributeChange
from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.linked import Node
from ngsi_ld.names import Names
from ngsi_ld.notification import changed_entity, shown, shown_deleted

logger = logging.getLogger(__name__)

_MOST_LINKS = 1000
_PAGE = 100


async def of_change(
    one: Registered,
    before: Entity | None,
    after: Entity | None,
    changes: Sequence[AttributeChange],
    names: Names,
    at: str,
    store: Store,
) -> bytes:
    """What a change is told as: elements of an array, separated by commas; empty where nothing is to be shown."""
    if after is not None:
        return await of_entities(one, [changed_entity(one.subscription, after, changes, names, at)], names, at, store)
    if before is None:
        return b""
    deleted = shown_deleted(one.subscription, before, changes, names, at)
    return orjson.dumps(deleted) if deleted else b""


async def of_entities(one: Registered, entities: Sequence[Entity], names: Names, at: str, store: Store) -> bytes:
    """The entities as elements of an array, separated by commas; empty where nothing of them is to be shown."""
    subscription = one.subscription
    nodes = [Node(entity, subscription.view) for entity in entities]
    if subscription.linking is not None:
        try:
            nodes = await with_linked(store, one.tenant, nodes, subscription.linking, at, most=_MOST_LINKS)
        except NgsiLdError as error:
            logger.warning("a notification of %s goes without linked entities: %s", subscription.id, error.detail)
    rendered = [made for node in nodes if (made := shown(subscription, node, names, at))]
    return orjson.dumps(rendered)[1:-1]


async def pages(one: Registered, names: Names, at: str, store: Store) -> AsyncIterator[bytes]:
    """All entities that match a subscription, so many at a time as elements of an array; none where none match."""
    after: Position | None = None
    while True:
        entities = await store.find(one.tenant, one.subscription.query, now=at, limit=_PAGE, after=after)
        data = await of_entities(one, entities, names, at, store)
        if data:
            yield data
        if len(entities) < _PAGE:
            break
        after = Position.after(entities[-1])
