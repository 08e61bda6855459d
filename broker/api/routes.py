"""Every resource of the API, in the order in which the documentation shows them."""

from broker.api import (
    attribute_value,
    attributes,
    batch,
    contexts,
    discovery,
    entities,
    entity_maps,
    events,
    identity,
    query_body,
    registrations,
    remote_notifications,
    snapshots,
    subscriptions,
    temporal,
)
from broker.api.endpoint import Resource

RESOURCES: tuple[Resource, ...] = (
    *entities.RESOURCES,
    *attributes.RESOURCES,
    *attribute_value.RESOURCES,
    *batch.RESOURCES,
    *query_body.RESOURCES,
    *temporal.RESOURCES,
    *discovery.RESOURCES,
    *subscriptions.RESOURCES,
    *registrations.RESOURCES,
    *remote_notifications.RESOURCES,
    *events.RESOURCES,
    *contexts.RESOURCES,
    *entity_maps.RESOURCES,
    *snapshots.RESOURCES,
    *identity.RESOURCES,
)
