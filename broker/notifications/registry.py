"""The subscriptions in memory, found by what a change is about, so that a change costs what matches and no more.

A subscription is listed under each id that it selects, or under one type of each alternative of its type selection, or
under any entity; and there under each attribute that it watches, or under any.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from ngsi_ld.changes import Trigger
from ngsi_ld.names import Names
from ngsi_ld.subscription import Subscription

_SHAPING = ("watchedAttributes", "notificationTrigger", "datasetId", "lang", "ngsildConformance")
_ANY = ""
_WHOLE = frozenset({Trigger.ENTITY_CREATED, Trigger.ENTITY_DELETED})


@dataclass(slots=True)
class Registered:
    """A subscription at work: `names` is its compiled @context.

    `shape` is the same for subscriptions whose notifications of one change hold the same data.
    """

    tenant: str
    subscription: Subscription
    created_at: str
    names: Names
    shape: bytes
    linked: bool


def registered(tenant: str, subscription: Subscription, created_at: str, names: Names) -> Registered:
    """The subscription with what is needed to work with it."""
    members = subscription.definition.members
    parameters = {name: value for name, value in members["notification"].items() if name != "endpoint"}
    shaping = [members.get(name) for name in _SHAPING]
    terms = subscription.definition.terms
    what = [parameters, shaping, terms, subscription.endpoint.accept, subscription.context]
    return Registered(
        tenant,
        subscription,
        created_at,
        names,
        orjson.dumps(what, option=orjson.OPT_SORT_KEYS),
        subscription.query.link_depth > 0,
    )


class Registry:
    """The subscriptions of all tenants."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Registered] = {}
        self._index: dict[tuple[str, str], dict[str, dict[str, Registered]]] = {}

    def __iter__(self) -> Iterator[Registered]:
        return iter(list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def get(self, tenant: str, subscription_id: str) -> Registered | None:
        """The subscription, None if there is none."""
        return self._all.get((tenant, subscription_id))

    def put(self, one: Registered) -> None:
        """Adds a subscription, in the place of that with the same id."""
        self.remove(one.tenant, one.subscription.id)
        self._all[one.tenant, one.subscription.id] = one
        for place in _places(one.subscription):
            attributes = self._index.setdefault((one.tenant, place), {})
            for attribute in _attributes(one.subscription):
                attributes.setdefault(attribute, {})[one.subscription.id] = one

    def remove(self, tenant: str, subscription_id: str) -> bool:
        """Takes a subscription out; whether it was there."""
        one = self._all.pop((tenant, subscription_id), None)
        if one is None:
            return False
        for place in _places(one.subscription):
            attributes = self._index[tenant, place]
            for attribute in _attributes(one.subscription):
                listed = attributes.get(attribute, {})
                listed.pop(subscription_id, None)
                if not listed:
                    attributes.pop(attribute, None)
            if not attributes:
                del self._index[tenant, place]
        return True

    def clear(self) -> None:
        """Forgets all."""
        self._all.clear()
        self._index.clear()

    def listens(self, tenant: str, entity_id: str, types: Iterable[str]) -> bool:
        """Whether there is any subscription that a change of this entity may concern."""
        return any((tenant, place) in self._index for place in (entity_id, *types, _ANY))

    def interested(self, tenant: str, entity_id: str, types: Iterable[str]) -> bool:
        """Whether any change of this entity may concern anyone: what can be told without looking at it."""
        return any((tenant, place) in self._index for place in (entity_id, *types, _ANY))

    def concerned(self, tenant: str, entity_id: str, types: Iterable[str], attributes: set[str]) -> list[Registered]:
        """The subscriptions that a change of these attributes (IRIs) of this entity may concern, each once."""
        found: dict[str, Registered] = {}
        for place in (entity_id, *types, _ANY):
            listed = self._index.get((tenant, place))
            if listed is None:
                continue
            if _ANY in listed:
                found.update(listed[_ANY])
            for attribute in listed.keys() & attributes:
                found.update(listed[attribute])
        return list(found.values())


def _places(subscription: Subscription) -> set[str]:
    if subscription.time_interval is not None:
        return set()
    places: set[str] = set()
    for selector in subscription.query.selectors:
        if selector.ids:
            places.update(selector.ids)
        elif selector.types is not None:
            places.update(min(alternative) for alternative in selector.types.alternatives)
        else:
            places.add(_ANY)
    return places or {_ANY}


def _attributes(subscription: Subscription) -> Iterable[str]:
    # The creation and the deletion of an entity are of interest whatever attributes it has.
    if subscription.watched is None or not subscription.triggers.isdisjoint(_WHOLE):
        return (_ANY,)
    return subscription.watched
