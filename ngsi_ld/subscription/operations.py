"""Making, restoring and updating subscriptions (5.8.1.4, 5.8.2.4): what is refused, and what a fragment does."""

from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from ngsi_ld.attributes import NULL
from ngsi_ld.changes import DEFAULT_TRIGGERS
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expiry import expired
from ngsi_ld.names import Names, checked_uri
from ngsi_ld.query.projection import Projection
from ngsi_ld.query.query import Query
from ngsi_ld.representation import View
from ngsi_ld.subscription.endpoint import EVENTS_URI, GEO_JSON
from ngsi_ld.subscription.members import MEMBERS, PARAMETERS_READ_ONLY, READ_ONLY, Parameters, own, parse_condition
from ngsi_ld.subscription.subscription import TYPE, Definition, Status, Subscription
from ngsi_ld.subscription.values import Vocabulary, shown

_IDENTITY = ("id", "type", "@context")
_MANDATORY = frozenset({"notification"})
_ALL = (*_IDENTITY, *MEMBERS, "q", *sorted(READ_ONLY))


def new_subscription(
    body: Any, names: Names, context: str, now: str, generated_id: str, *, to_registrations: bool = False
) -> Subscription:
    """The subscription that a client asks to create, `to_registrations` (5.11.2) or to entities.

    `context` is the URL of the @context that `names` stands for; `generated_id` is used where the body has no id.
    Raises BadRequestData that names the member at fault.
    """
    given = _given(body, "a subscription")
    if given.get("type") != TYPE:
        raise bad_request_data(f'type must be "{TYPE}", not {shown(given.get("type"))}')
    identifier = checked_uri(given.get("id", generated_id), "id")
    members = _settable(given)
    _check_temporal(members, to_registrations)
    subscription = _read(identifier, members, {}, context, names, members.keys())
    _check_expiry(members, subscription, now)
    _check_kind(subscription, to_registrations)
    return subscription


def restored_subscription(definition: Definition) -> Subscription:
    """The subscription of a stored definition; nothing but the definition is needed."""
    return _read(definition.id, definition.members, definition.terms, definition.context)


def updated_subscription(
    before: Subscription, fragment: Any, names: Names, now: str, *, to_registrations: bool = False
) -> Subscription:
    """The subscription after a fragment (5.5.8): each member of it replaces the member of that name; null removes it.

    The names in a member mean what they mean in the @context that the member came with. Raises as `new_subscription`.
    """
    given = _given(fragment, "a fragment of a subscription")
    if given.get("type", TYPE) != TYPE:
        raise bad_request_data(f'type must be "{TYPE}", not {shown(given["type"])}')
    if given.get("id", before.id) != before.id:
        raise bad_request_data(f"id cannot be changed: it is {before.id}")
    changed = _settable(given)
    _check_temporal(changed, to_registrations)
    members, terms = dict(before.definition.members), dict(before.definition.terms)
    for name, value in changed.items():
        terms.pop(name, None)
        if value is None or value == NULL:
            if name in _MANDATORY:
                raise bad_request_data(f"{name} cannot be removed: a subscription must have it")
            members.pop(name, None)
        else:
            members[name] = value
    if (
        before.status(now) is Status.EXPIRED
        and changed.get("expiresAt") not in (None, NULL)
        and "isActive" not in changed
    ):
        # 5.8.2.4: an expired one becomes active by a new expiresAt alone, even if it was paused before it expired.
        members.pop("isActive", None)
    subscription = _read(before.id, members, terms, before.definition.context, names, changed.keys())
    _check_expiry(changed, subscription, now)
    _check_kind(subscription, to_registrations)
    return subscription


def _given(body: Any, what: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request_data(f"{what} must be a JSON object, not {shown(body)}")
    for name in body:
        if name not in _ALL and not name.startswith("_"):
            raise bad_request_data(f"{what} cannot have a member {shown(name)}")
    return body


def _settable(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of it is stored: neither read-only members nor those that are private to the client, at any depth."""
    stored = {name: _without_private(value) for name, value in given.items() if name in MEMBERS or name == "q"}
    if isinstance(parameters := stored.get("notification"), dict):
        stored["notification"] = {name: value for name, value in parameters.items() if name not in PARAMETERS_READ_ONLY}
    return stored


def _without_private(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_private(member) for name, member in value.items() if not name.startswith("_")}
    return [_without_private(element) for element in value] if isinstance(value, list) else value


def _check_expiry(given: Mapping[str, Any], subscription: Subscription, now: str) -> None:
    if "expiresAt" in given and subscription.expires_at is not None and expired(subscription.expires_at, now):
        raise bad_request_data(f"expiresAt must be in the future, not {given['expiresAt']}")


def _check_temporal(given: Mapping[str, Any], to_registrations: bool) -> None:
    if "temporalQ" in given and not to_registrations:
        raise bad_request_data("temporalQ is for subscriptions to context source registrations only (5.2.12)")


def _check_kind(subscription: Subscription, to_registrations: bool) -> None:
    """What a subscription to registrations cannot have: the media type and the endpoint that are for entities."""
    if not to_registrations:
        return
    if subscription.endpoint.accept == GEO_JSON:
        raise bad_request_data(f"notification.endpoint.accept cannot be {GEO_JSON}: registrations are no features")
    if subscription.endpoint.uri == EVENTS_URI:
        raise bad_request_data(f"notification.endpoint.uri: {EVENTS_URI} is for subscriptions to entities only")


def _read(
    identifier: str,
    members: dict[str, Any],
    known: Mapping[str, Mapping[str, str]],
    context: str,
    names: Names | None = None,
    new: Set[str] = frozenset(),
) -> Subscription:
    """Reads every member: the `new` ones with `names`, whose use is noted, the others by the terms they came with."""
    if "notification" not in members:
        raise bad_request_data("a subscription must have a notification with an endpoint")
    terms: dict[str, dict[str, str]] = {}
    read: dict[str, Any] = {}

    def vocabulary(member: str) -> Vocabulary:
        # New expandValues make names of what were texts in an older q.
        fresh = member in new or (member == "q" and "expandValues" in new)
        return Vocabulary(known.get(member, {}), names if fresh else None)

    for name, parse in MEMBERS.items():
        if name in members:
            used = vocabulary(name)
            read[name] = parse(members[name], name, used)
            terms[name] = used.learnt
    if "q" in members:
        used = vocabulary("q")
        expand = read.get("expandValues", frozenset())
        read["q"] = parse_condition(members["q"], "q", used, expand)
        terms["q"] = used.learnt
    _check_combinations(members, read)
    parameters: Parameters = read["notification"]
    return Subscription(
        definition=Definition(identifier, members, {name: learnt for name, learnt in terms.items() if learnt}, context),
        endpoint=parameters.endpoint,
        view=_view(parameters, read),
        context=read.get("jsonldContext", context),
        query=Query(
            selectors=read.get("entities", ()), q=read.get("q"), scope_q=read.get("scopeQ"), geo=read.get("geoQ")
        ),
        watched=read.get("watchedAttributes"),
        triggers=read.get("notificationTrigger", frozenset(DEFAULT_TRIGGERS)),
        throttling=read.get("throttling"),
        time_interval=read.get("timeInterval"),
        expires_at=read.get("expiresAt"),
        is_active=read.get("isActive", True),
        local_only=read.get("localOnly", False),
        show_changes=parameters.show_changes,
        linking=parameters.linking,
        conformance=read.get("ngsildConformance"),
        csf=read.get("csf"),
        temporal=read.get("temporalQ"),
    )


def _view(parameters: Parameters, read: Mapping[str, Any]) -> View:
    view = View(
        form=parameters.form,
        sys_attrs=parameters.sys_attrs,
        attributes=parameters.attributes,
        dataset_ids=read.get("datasetId"),
        languages=read.get("lang"),
    )
    return _projected(view, parameters.pick, parameters.omit)


def _projected(view: View, pick: Projection | None, omit: Projection | None) -> View:
    """The view of the entity, and within it those of the entities that it leads to."""
    braced = {name for one in (pick, omit) if one for name, linked in one.members.items() if linked is not None}
    return replace(
        view,
        pick=pick.members.keys() if pick else None,
        omit=own(omit) if omit else None,
        linked={
            name: _projected(
                replace(view, attributes=None), pick.linked(name) if pick else None, omit.linked(name) if omit else None
            )
            for name in braced
        },
    )


def _check_combinations(members: Mapping[str, Any], read: Mapping[str, Any]) -> None:
    local = read.get("localOnly", False)
    if "timeInterval" in read:
        for other in ("watchedAttributes", "throttling"):
            if other in read:
                raise bad_request_data(f"timeInterval and {other} cannot be given together")
        if "entities" not in read and not local:
            raise bad_request_data("a subscription with timeInterval must have entities, or localOnly true")
    elif "entities" not in read and "watchedAttributes" not in read and not local:
        raise bad_request_data("a subscription must have entities or watchedAttributes, or localOnly true")
    if members.get("localOnly") is False and any(selector.types is None for selector in read.get("entities", ())):
        raise bad_request_data('entities of the type "*" are local ones: localOnly cannot be false')
