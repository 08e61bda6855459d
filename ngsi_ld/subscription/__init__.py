"""Subscriptions (GS CIM 009 v1.9.1, 5.2.12 to 5.2.15, 5.8.1 to 5.8.4): read, checked, updated, rendered."""

from ngsi_ld.subscription.endpoint import Endpoint, MqttEndpoint
from ngsi_ld.subscription.operations import new_subscription, restored_subscription, updated_subscription
from ngsi_ld.subscription.rendering import render_subscription
from ngsi_ld.subscription.subscription import Definition, Status, Subscription

__all__ = [
    "Definition",
    "Endpoint",
    "MqttEndpoint",
    "Status",
    "Subscription",
    "new_subscription",
    "render_subscription",
    "restored_subscription",
    "updated_subscription",
]
