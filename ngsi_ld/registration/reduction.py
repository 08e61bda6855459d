"""The copy of a subscription that a context source gets: what of it is matched by the registration (5.8.1.4)."""

from collections.abc import Iterator, Sequence
from typing import Any

from ngsi_ld.names import Names
from ngsi_ld.query.projection import MEMBERS
from ngsi_ld.query.query import EntitySelector
from ngsi_ld.query.writing import written_geo, written_q, written_scope_q, written_types
from ngsi_ld.registration.matching import Wanted, any_of, matched, selects
from ngsi_ld.registration.registration import EntityInfo, Information, Registration
from ngsi_ld.representation import View
from ngsi_ld.subscription.subscription import TYPE, Subscription

_VERBATIM = (
    "notificationTrigger",
    "timeInterval",
    "throttling",
    "datasetId",
    "lang",
    "expiresAt",
    "isActive",
    "ngsildConformance",
)
"""Members without names that a copy has like its subscription."""

_FORM = ("format", "join", "joinLevel", "showChanges", "sysAttrs")
"""Notification parameters of that kind: what the source sends is passed on as it is."""


def wanted(subscription: Subscription) -> list[Wanted]:
    """What a subscription is about, as registrations are matched with it (5.12); one for each of its selectors.

    Entities of any type are local ones (5.2.33): a selector without types is about no source.
    """
    attributes = frozenset[str]()
    if subscription.watched is not None and subscription.view.attributes is not None:
        attributes = subscription.watched | frozenset(subscription.view.attributes)
    query = subscription.query
    return [
        Wanted(one.ids, one.id_pattern, one.types, attributes, geo=query.geo, scope_q=query.scope_q)
        for one in query.selectors or (EntitySelector(),)
        if one.types is not None or not query.selectors
    ]


def concerned(subscription: Subscription, registration: Registration, now: str) -> tuple[Information, ...] | None:
    """The information of a registration that a subscription is about; None where it is about nothing of it."""
    found: dict[Information, None] = {}
    for one in wanted(subscription):
        match = matched(registration, one, now)
        if match is not None:
            found.update(dict.fromkeys(match.information))
    return tuple(found) or None


def reduced(
    subscription: Subscription,
    registration: Registration,
    information: tuple[Information, ...],
    names: Names,
    *,
    endpoint: str,
    split: bool,
) -> dict[str, Any]:
    """The JSON of the copy, without id, in the names of an @context; `endpoint` is the URL where we are notified.

    With `split`, entities may be in parts at several sources: then it brings what is there, and no filter is applied
    before all parts are together.
    """
    members, query = subscription.definition.members, subscription.query
    body: dict[str, Any] = {"type": TYPE, **{name: members[name] for name in _VERBATIM if name in members}}
    selectors = [_rendered(one, names) for one in _selectors(subscription, information)]
    if selectors:
        body["entities"] = selectors
    attributes = _attributes(information)
    watched = _both(subscription.watched, attributes)
    if watched is not None and subscription.time_interval is None:
        body["watchedAttributes"] = sorted(map(names.term, watched))
    notification: dict[str, Any] = {"endpoint": {"uri": endpoint, "accept": _accept(subscription)}}
    if split:
        body["splitEntities"] = True
        notification["sysAttrs"] = True
    else:
        if query.q is not None:
            body["q"] = written_q(query.q, names)
        if query.scope_q is not None:
            body["scopeQ"] = written_scope_q(query.scope_q)
        if query.geo is not None:
            body["geoQ"] = dict(written_geo(query.geo, names))
        given = members["notification"]
        notification |= {name: given[name] for name in _FORM if name in given}
        notification |= _projections(subscription, attributes, names)
        body["jsonldContext"] = subscription.context
    if registration.management.local_only:
        body["localOnly"] = True
    return {**body, "notification": notification}


def _accept(subscription: Subscription) -> str:
    """What the source sends: features where features are passed on, else JSON, which becomes JSON-LD by a word."""
    accept = subscription.endpoint.accept
    return accept if accept == "application/geo+json" else "application/json"


def _selectors(subscription: Subscription, information: tuple[Information, ...]) -> Iterator[EntitySelector]:
    """The subscription's selectors cut to the entities that are registered."""
    own = subscription.query.selectors
    infos = [info for one in information for info in one.entities]
    if not all(one.entities for one in information):
        yield from own
        return
    found: dict[tuple[Any, ...], EntitySelector] = {}
    for selector in own or (EntitySelector(),):
        asked = Wanted(selector.ids, selector.id_pattern, selector.types)
        for info in infos:
            if selects(info, asked, frozenset(selector.ids)):
                cut = _cut(selector, info)
                found[cut.types, cut.ids, cut.id_pattern] = cut
    yield from found.values()


def _cut(selector: EntitySelector, info: EntityInfo) -> EntitySelector:
    types = selector.types or (any_of(sorted(info.types)) if info.types else None)
    if info.id is not None:
        return EntitySelector(types, (info.id,))
    if selector.ids:
        pattern = info.id_pattern
        return EntitySelector(types, tuple(one for one in selector.ids if pattern is None or pattern.search(one)))
    return EntitySelector(types, (), selector.id_pattern or info.id_pattern)


def _rendered(selector: EntitySelector, names: Names) -> dict[str, Any]:
    rendered: dict[str, Any] = {"type": written_types(selector.types, names) if selector.types is not None else "*"}
    if selector.ids:
        rendered["id"] = selector.ids[0] if len(selector.ids) == 1 else list(selector.ids)
    elif selector.id_pattern is not None:
        rendered["idPattern"] = selector.id_pattern.text
    return rendered


def _attributes(information: tuple[Information, ...]) -> frozenset[str] | None:
    """The attributes that are registered; None: any."""
    if not all(one.attributes for one in information):
        return None
    return frozenset().union(*(one.attributes for one in information))


def _both(asked: frozenset[str] | None, registered: frozenset[str] | None) -> frozenset[str] | None:
    """What is asked for, as far as it is registered; None: all."""
    if asked is None or registered is None:
        return asked if registered is None else registered
    return asked & registered


def _projections(subscription: Subscription, registered: frozenset[str] | None, names: Names) -> dict[str, Any]:
    """The parameters that say which members are sent: those of the subscription, or what is registered."""
    view = subscription.view
    made: dict[str, Any] = {"pick": _picked(view, names), "omit": _omitted(view, names)}
    if not any(made.values()):
        asked = None if view.attributes is None else frozenset(view.attributes)
        attributes = _both(asked, registered)
        made["attributes"] = [] if attributes is None else sorted(map(names.term, attributes))
    return {name: listed for name, listed in made.items() if listed}


def _picked(view: View, names: Names) -> list[str]:
    return [_member(name, _picked(view.through(name), names), names) for name in view.pick or ()]


def _omitted(view: View, names: Names) -> list[str]:
    within = [(name, _omitted(linked, names)) for name, linked in view.linked.items()]
    return [_member(name, (), names) for name in view.omit or ()] + [
        _member(name, listed, names) for name, listed in within if listed
    ]


def _member(name: str, linked: Sequence[str], names: Names) -> str:
    """A member of an entity, with those of the entities that it leads to in braces (4.21)."""
    term = name if name in MEMBERS else names.term(name)
    return f"{term}{{{','.join(linked)}}}" if linked else term
