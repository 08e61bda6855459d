"""Notifications of entities that are in parts at several sources (5.8.6): the other parts are fetched, then judged.

A copy of a subscription that may meet entities in parts has no filters, since a part alone may not pass what the whole
does. So what the source of a part notifies is put together with what this broker and the other sources have, and only
what the subscription's own query then selects is told, in the subscription's own form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from broker.federation.caller import Caller
from broker.federation.reads import Territory
from broker.federation.registry import Registry
from broker.federation.remote import Remotes
from broker.notifications.data import of_entities
from broker.notifications.registry import registered
from broker.store.store import Store
from ngsi_ld.context import Context
from ngsi_ld.expansion import expand_received
from ngsi_ld.merging import merged
from ngsi_ld.query.matching import matches, unresolved
from ngsi_ld.subscription import Subscription

_DELETED = "deletedAt"


async def rejoined(
    caller: Caller,
    subscription: Subscription,
    elements: Sequence[Mapping[str, Any]],
    received: Context,
    *,
    store: Store,
    registry: Registry,
    remotes: Remotes,
    most: int,
) -> bytes:
    """What is told of the parts that a source has notified: elements of an array, separated by commas; empty if none.

    `received` are the names that the parts are written with, `caller.context` those of the subscription; `caller.via`
    has the source, which is not asked for what it has just told. Raises BadRequestData for a part that is no entity.
    """
    territory = Territory(store, registry, remotes, caller, most=most)
    told: list[bytes] = []
    for element in elements:
        if _DELETED in element:
            told.append(orjson.dumps(element))
            continue
        part = expand_received(element, received)
        others = await territory.get(caller.tenant, part.id)
        whole = merged([part] if others is None else [part, others], (), caller.now)
        if whole is None:
            continue
        linked: dict[str, Any] = {}
        while missing := unresolved(subscription.query, whole, caller.now, linked):
            found = await territory.get_many(caller.tenant, list(missing))
            linked.update({entity_id: found.get(entity_id) for entity_id in missing})
        if matches(subscription.query, whole, caller.now, linked.get):
            one = registered(caller.tenant, subscription, "", caller.context)
            if data := await of_entities(one, [whole], caller.context, caller.now, store):
                told.append(data)
    return b",".join(told)
