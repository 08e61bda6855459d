"""The resource that context sources notify, for the copies of our subscriptions that they keep (5.8.6).

The standard leaves its path open. What names a copy is its id, which only the source knows.
"""

from collections.abc import Mapping
from typing import Any

import orjson

from broker.api.endpoint import Endpoint, Resource
from broker.api.media import GEO_JSON, JSON, JSON_LD
from broker.api.request import Request
from broker.api.response import Response
from broker.federation.caller import Caller
from broker.federation.rejoining import rejoined
from broker.federation.via import own_alias
from broker.notifications.forwarded import PATH
from ngsi_ld.errors import bad_request_data, not_found


async def _take(request: Request) -> Response:
    notification = request.body
    if not isinstance(notification, dict) or not isinstance(notification.get("subscriptionId"), str):
        raise bad_request_data("the body must be a Notification with the subscriptionId of a copy (5.3.1)")
    services = request.services
    copy = await services.forwarding.copy(notification["subscriptionId"])
    if copy is None:
        raise not_found(f"there is no subscription of ours that {notification['subscriptionId']} is a copy of")
    elements = _elements(notification.get("data"))
    data = await _rejoined(request, copy, elements) if copy["split"] else orjson.dumps(elements)[1:-1]
    if data:
        await services.forwarding.take(copy, str(notification.get("id", "")), data)
    return Response(200)


async def _rejoined(request: Request, copy: Mapping[str, Any], elements: list[dict[str, Any]]) -> bytes:
    services, tenant, received = request.services, copy["t"], await request.context()
    subscription = (await services.subscriptions.retrieve(tenant, copy["s"])).subscription
    source = services.registry.get(tenant, copy["r"])
    caller = Caller(
        tenant,
        await services.contexts.resolve(tenant, subscription.context),
        request.now,
        alias=own_alias(services.settings.alias, tenant),
        via=(source.alias,) if source is not None and source.alias is not None else (),
        split=True,
    )
    return await rejoined(
        caller,
        subscription,
        elements,
        received,
        store=services.store,
        registry=services.registry,
        remotes=services.remotes,
        most=services.settings.federation_entities,
    )


def _elements(data: Any) -> list[dict[str, Any]]:
    """The entities or features of a notification, without the @context that each may carry."""
    found = data.get("features") if isinstance(data, dict) and "features" in data else data
    elements = [found] if isinstance(found, dict) else found
    if not isinstance(elements, list) or not all(isinstance(one, dict) for one in elements):
        raise bad_request_data("data must be an array of entities, or a FeatureCollection")
    return [{name: value for name, value in one.items() if name != "@context"} for one in elements]


RESOURCES = (
    Resource(
        PATH,
        "Notifications of context sources",
        {
            "POST": Endpoint(
                "Notification", "5.8.6", _take, bodies=(JSON, JSON_LD, GEO_JSON), statuses=(200,), schema="Notification"
            )
        },
    ),
)
