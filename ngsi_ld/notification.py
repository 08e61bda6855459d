"""The data of a notification (5.8.6): a changed entity as its subscription wants to see it, deletions included.

An attribute that was deleted stands there with NGSI-LD Null for its value, so that the subscriber learns of it; with
`showChanges` a changed or deleted attribute also has its previous value.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, cast

from ngsi_ld.attributes import KINDS, NULL
from ngsi_ld.changes import AttributeChange, Trigger
from ngsi_ld.conformance import Version, conforming
from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.linked import Node, render_inline
from ngsi_ld.names import Names
from ngsi_ld.representation import LOCATION, Form, render_feature
from ngsi_ld.subscription import Subscription

_SIMPLIFIED = (Form.SIMPLIFIED, Form.KEY_VALUES)
_REPEATED = ("datasetId", "createdAt", "modifiedAt")


def changed_entity(
    subscription: Subscription, after: Entity, changes: Sequence[AttributeChange], names: Names, at: str
) -> Entity:
    """The entity to be shown in a notification of these changes: with what was deleted, with previous values.

    `changes` are those that `attribute_changes` found, `at` is the time of the change.
    """
    attributes = _shown_attributes(subscription, after, changes, names, at)
    return after if attributes is None else replace(after, attributes=attributes)


def shown(subscription: Subscription, node: Node, names: Names, at: str) -> dict[str, Any]:
    """An entity in the representation that the subscription asks for; empty where nothing of it is to be shown."""
    if subscription.conformance is not None:
        _conform(node, subscription.conformance, names)
    if subscription.endpoint.accept == "application/geo+json":
        return render_feature(node.entity, names, node.view, at, LOCATION)
    rendered = render_inline(node, names, at)
    if rendered and subscription.endpoint.accept == "application/ld+json":
        rendered["@context"] = subscription.context
    return rendered


def _conform(node: Node, version: Version, names: Names) -> None:
    node.entity = conforming(node.entity, version, names)
    for linked in node.linked.values():
        _conform(linked, version, names)


def _shown_attributes(
    subscription: Subscription, after: Entity, changes: Iterable[AttributeChange], names: Names, at: str
) -> Attributes | None:
    """The attributes with what was deleted and what was there before; None where there is nothing to add."""
    updated = [one for one in changes if one.trigger is Trigger.ATTRIBUTE_UPDATED] if subscription.show_changes else []
    deleted = (
        [one for one in changes if one.trigger is Trigger.ATTRIBUTE_DELETED]
        if Trigger.ATTRIBUTE_DELETED in subscription.triggers
        else []
    )
    if not updated and not deleted:
        return None
    attributes = dict(after.attributes)
    for change in updated:
        attributes[change.name] = [
            _with_previous(one, change.before, names) if one is change.after else one for one in attributes[change.name]
        ]
    for name, markers in _markers(subscription, deleted, names, at).items():
        attributes[name] = [*attributes[name], *markers] if name in attributes else _whole(subscription, markers)
    return attributes


def shown_deleted(
    subscription: Subscription, before: Entity, changes: Sequence[AttributeChange], names: Names, at: str
) -> dict[str, Any]:
    """An entity that is no more: id, type and deletedAt, with its attributes only where they were asked about."""
    attributes: Attributes = {}
    if subscription.show_changes:
        attributes = _markers(subscription, changes, names, at)
    elif Trigger.ENTITY_DELETED not in subscription.triggers:
        watched = subscription.watched
        wanted = [one for one in changes if watched is None or one.name in watched]
        markers = _markers(subscription, wanted, names, at)
        attributes = {name: _whole(subscription, instances) for name, instances in markers.items()}
    gone = Entity(before.id, before.types, attributes, [], before.created_at, before.modified_at, before.expires_at)
    rendered = shown(subscription, Node(gone, subscription.view), names, at)
    if rendered:
        properties = rendered.get("properties", rendered) if rendered.get("type") == "Feature" else rendered
        properties["deletedAt"] = at
    return rendered


def _markers(subscription: Subscription, deleted: Iterable[AttributeChange], names: Names, at: str) -> Attributes:
    """NGSI-LD Null for each deleted instance, by attribute."""
    markers: Attributes = {}
    for change in deleted:
        if change.before is not None:
            markers.setdefault(change.name, []).append(_marker(subscription, change.before, names, at))
    return markers


def _whole(subscription: Subscription, markers: list[Instance]) -> list[Instance]:
    """What stands for an attribute that is gone with all its instances: its default one, if no more need be said."""
    if subscription.show_changes:
        return markers
    return [one for one in markers if "datasetId" not in one] or markers


def _marker(subscription: Subscription, before: Instance, names: Names, at: str) -> Instance:
    form = subscription.view.form
    kind = KINDS["Property" if form in _SIMPLIFIED else before["type"]]
    # As the entity model has it, and not as it is written: a ListRelationship holds objects with the URI.
    null = [{"object": NULL}] if kind.name == "ListRelationship" and form is Form.CONCISE else kind.null
    members: dict[str, Any] = {"type": kind.name, kind.member: null}
    members.update((name, value) for name, value in before.items() if name in _REPEATED)
    if subscription.view.sys_attrs:
        members["deletedAt"] = at
    marker = cast("Instance", members)
    return _with_previous(marker, before, names) if subscription.show_changes else marker


def _with_previous(instance: Instance, before: Instance | None, names: Names) -> Instance:
    if before is None:
        return instance
    kind = KINDS[before["type"]]
    previous: Any = before.get(kind.member)
    if kind.name == "VocabProperty":
        previous = [names.term(one) for one in previous] if isinstance(previous, list) else names.term(previous)
    return cast("Instance", {**instance, kind.previous: previous})
