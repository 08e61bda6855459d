"""Whether a change concerns a subscription (5.8.6): its triggers, its watched attributes, its query."""

from collections.abc import Sequence

from broker.changelog.changes import EntityChange
from broker.notifications.registry import Registered
from broker.store.store import Store
from ngsi_ld.changes import AttributeChange, Trigger
from ngsi_ld.entity import Entity
from ngsi_ld.query import matches, unresolved
from ngsi_ld.subscription import Status, Subscription


def triggered(
    subscription: Subscription, before: Entity | None, after: Entity | None, changes: Sequence[AttributeChange]
) -> bool:
    """Whether one of the changes is one that the subscription wants to hear of."""
    triggers, watched = subscription.triggers, subscription.watched
    if before is None and Trigger.ENTITY_CREATED in triggers:
        return True
    if after is None and Trigger.ENTITY_DELETED in triggers:
        return True
    return any(one.trigger in triggers and (watched is None or one.name in watched) for one in changes)


async def selected(one: Registered, change: EntityChange, at: str, store: Store) -> bool:
    """Whether the subscription is active at the time of the change and its query selects the entity.

    A deleted entity is judged by its last state, as it was when it was last written.
    """
    subscription = one.subscription
    if subscription.status(at) is not Status.ACTIVE:
        return False
    entity, moment = change.after, at
    if entity is None:
        if change.before is None:
            return False
        entity, moment = change.before, change.before.modified_at
    if not one.linked:
        return matches(subscription.query, entity, moment)
    linked: dict[str, Entity | None] = {}
    while missing := unresolved(subscription.query, entity, moment, linked):
        found = await store.get_many(one.tenant, list(missing))
        linked.update({entity_id: found.get(entity_id) for entity_id in missing})
    return matches(subscription.query, entity, moment, linked.get)
