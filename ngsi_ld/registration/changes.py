"""Making, restoring and updating registrations (5.9.2.4, 5.9.3.4): what is refused, and what a fragment does."""

from collections.abc import Mapping
from typing import Any

from ngsi_ld.attributes import NULL
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expiry import expired
from ngsi_ld.names import Names, checked_name, checked_uri
from ngsi_ld.registration.conditions import GEOMETRIES
from ngsi_ld.registration.members import (
    MANDATORY,
    MEMBERS,
    READ_ONLY,
    SourceInfo,
    parse_conformance,
    with_names,
)
from ngsi_ld.registration.operations import DEFAULT, GROUPS
from ngsi_ld.registration.registration import TYPE, Definition, Management, Mode, Registration
from ngsi_ld.subscription.values import shown

_IDENTITY = ("id", "type", "@context")
_OF_AUXILIARY = GROUPS["retrieveOps"]


class _Expanded:
    """The names of a stored definition: IRIs, which stay what they are."""

    def iri(self, name: str) -> str:
        return name

    def term(self, iri: str) -> str:
        return iri


_EXPANDED = _Expanded()


def new_registration(body: Any, names: Names, context: str, now: str, generated_id: str) -> Registration:
    """The registration that a client asks to create.

    `context` is the URL of the @context that `names` stands for; `generated_id` is used where the body has no id.
    Raises BadRequestData that names the member at fault.
    """
    given = _given(body, "a registration")
    if given.get("type") != TYPE:
        raise bad_request_data(f'type must be "{TYPE}", not {shown(given.get("type"))}')
    identifier = checked_uri(given.get("id", generated_id), "id")
    settable = _settable(given)
    for name in sorted(MANDATORY - settable.keys()):
        raise bad_request_data(f"a registration must have {name}")
    registration = restored_registration(Definition(identifier, _expanded(settable, names), context))
    _check_expiry(given, registration, now)
    return registration


def updated_registration(before: Registration, fragment: Any, names: Names, now: str) -> Registration:
    """The registration after a fragment (5.5.8): each member of it replaces the member of that name; null removes it.

    Raises as `new_registration`.
    """
    given = _given(fragment, "a fragment of a registration")
    if given.get("type", TYPE) != TYPE:
        raise bad_request_data(f'type must be "{TYPE}", not {shown(given["type"])}')
    if given.get("id", before.id) != before.id:
        raise bad_request_data(f"id cannot be changed: it is {before.id}")
    settable = _settable(given)
    removed = {name for name, value in settable.items() if value is None or value == NULL}
    for name in sorted(MANDATORY & removed):
        raise bad_request_data(f"{name} cannot be removed: a registration must have it")
    changed = _expanded({name: value for name, value in settable.items() if name not in removed}, names)
    gone = {name if name in MEMBERS else names.iri(name) for name in removed}
    kept = {name: value for name, value in before.definition.members.items() if name not in gone}
    registration = restored_registration(Definition(before.id, kept | changed, before.definition.context))
    if "expiresAt" in changed:
        _check_expiry(given, registration, now)
    return registration


def restored_registration(definition: Definition) -> Registration:
    """The registration of a stored definition; nothing but the definition is needed."""
    stored = definition.members
    read = {name: parse(stored[name], name, _EXPANDED) for name, parse in MEMBERS.items() if name in stored}
    mode: Mode = read.get("mode", Mode.INCLUSIVE)
    source_info: SourceInfo = read.get("contextSourceInfo", ())
    special = dict(source_info)
    registration = Registration(
        definition=definition,
        endpoint=read["endpoint"],
        information=read["information"],
        mode=mode,
        # What an auxiliary source cannot be asked for is not what it is asked for by default either (5.9.2.4).
        operations=read.get("operations", _OF_AUXILIARY if mode is Mode.AUXILIARY else GROUPS[DEFAULT]),
        alias=read.get("contextSourceAlias"),
        tenant=read.get("tenant"),
        dataset_ids=read.get("datasetId", frozenset()),
        scope=read.get("scope", ()),
        geometries={name: read[name] for name in GEOMETRIES if name in read},
        properties={name: value for name, value in stored.items() if name not in MEMBERS},
        observation=read.get("observationInterval"),
        management_interval=read.get("managementInterval"),
        management=read.get("management", Management()),
        source_info=source_info,
        conformance=parse_conformance(special["ngsildConformance"], "") if "ngsildConformance" in special else None,
        jsonld_context=special.get("jsonldContext"),
        expires_at=read.get("expiresAt"),
    )
    _check_mode(registration)
    return registration


def _given(body: Any, what: str) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request_data(f"{what} must be a JSON object, not {shown(body)}")
    return body


def _settable(given: Mapping[str, Any]) -> dict[str, Any]:
    """What of it is stored: neither read-only members nor those that are private to the client."""
    return {
        name: value
        for name, value in given.items()
        if name not in _IDENTITY and name not in READ_ONLY and not name.startswith("_")
    }


def _expanded(given: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """The members as they are stored: checked, with IRIs for the names in them."""
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name not in MEMBERS:
            made[names.iri(checked_name(name, "a property of a context source"))] = _property(name, value)
            continue
        MEMBERS[name](value, name, names)
        made[name] = with_names(value, names.iri) if name == "information" else value
    return made


def _property(name: str, value: Any) -> Any:
    if value is None or value == NULL:
        raise bad_request_data(f"{name} must have a value, not null")
    return value


def _check_expiry(given: Mapping[str, Any], registration: Registration, now: str) -> None:
    if registration.expires_at is not None and expired(registration.expires_at, now):
        raise bad_request_data(f"expiresAt must be in the future, not {given['expiresAt']}")


def _check_mode(registration: Registration) -> None:
    """The restrictions of 4.3.6.3 and 5.9.2.4 on what a registration of its mode may say."""
    if registration.mode is Mode.EXCLUSIVE:
        for position, information in enumerate(registration.information):
            if not information.entities or any(entity.id is None for entity in information.entities):
                raise bad_request_data(
                    f"information[{position}] must have entities by id: an exclusive registration is of single entities"
                )
            if not information.attributes:
                raise bad_request_data(
                    f"information[{position}] must have propertyNames or relationshipNames: an exclusive registration "
                    "is of single attributes"
                )
    if registration.mode is Mode.AUXILIARY and not registration.operations <= _OF_AUXILIARY:
        others = ", ".join(sorted(registration.operations - _OF_AUXILIARY))
        raise bad_request_data(
            f"operations of an auxiliary registration are only to retrieve and to query, not {others}"
        )
