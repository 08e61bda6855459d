"""A subscription as JSON (5.8.3, 5.8.4): what was given, in the reader's names, and what the broker knows of it."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ngsi_ld.changes import DEFAULT_TRIGGERS
from ngsi_ld.names import Names
from ngsi_ld.subscription.members import ENTITY_MEMBERS, NAME_LISTS
from ngsi_ld.subscription.subscription import TYPE, Subscription

_TYPE_NAME = re.compile(r"[^|,;()\s]+")
_PROJECTED_NAME = re.compile(r"[^{},|\s]+")


def render_subscription(
    subscription: Subscription,
    names: Names,
    now: str,
    *,
    delivery: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    to_registrations: bool = False,
) -> dict[str, Any]:
    """The JSON of a subscription.

    `delivery` has the output members of its notification that exist (5.2.14.2), `system` createdAt and modifiedAt
    where they were asked for. `q`, `scopeQ` and `csf` are shown as they were written. Of a subscription
    `to_registrations` only what was given is shown: triggers are of entities.
    """
    definition = subscription.definition
    terms = definition.terms
    rendered: dict[str, Any] = {"id": definition.id, "type": TYPE, **definition.members}
    for name, render in _NAMED.items():
        if name in rendered:
            rendered[name] = render(rendered[name], terms.get(name, {}), names)
    if delivery:
        rendered["notification"] = {**rendered["notification"], **delivery}
    if not to_registrations:
        rendered.setdefault("notificationTrigger", [trigger.value for trigger in DEFAULT_TRIGGERS])
        rendered["jsonldContext"] = subscription.context
    rendered["status"] = subscription.status(now).value
    return {**rendered, **system} if system else rendered


def _one(name: str, known: Mapping[str, str], names: Names) -> str:
    return name if name in ENTITY_MEMBERS else names.term(known.get(name, name))


def _within(pattern: re.Pattern[str], text: str, known: Mapping[str, str], names: Names) -> str:
    return pattern.sub(lambda match: _one(match[0], known, names), text)


def _entities(value: list[dict[str, Any]], known: Mapping[str, str], names: Names) -> list[dict[str, Any]]:
    return [{**one, "type": _within(_TYPE_NAME, one["type"], known, names)} for one in value]


def _listed(value: list[str], known: Mapping[str, str], names: Names) -> list[str]:
    return [_within(_PROJECTED_NAME, one, known, names) for one in value]


def _joined(value: str, known: Mapping[str, str], names: Names) -> str:
    return ",".join(_one(name.strip(), known, names) for name in value.split(","))


def _geo_q(value: dict[str, Any], known: Mapping[str, str], names: Names) -> dict[str, Any]:
    if "geoproperty" not in value:
        return value
    return {**value, "geoproperty": _one(value["geoproperty"], known, names)}


def _notification(value: dict[str, Any], known: Mapping[str, str], names: Names) -> dict[str, Any]:
    named = {name: _listed(value[name], known, names) for name in NAME_LISTS if name in value}
    return {**value, **named}


_NAMED: dict[str, Callable[[Any, Mapping[str, str], Names], Any]] = {
    "entities": _entities,
    "watchedAttributes": _listed,
    "expandValues": _joined,
    "jsonKeys": _joined,
    "geoQ": _geo_q,
    "notification": _notification,
}
