"""The members of a subscription and of its notification parameters, each with what reads it (5.2.12 to 5.2.14)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ngsi_ld.changes import ATTRIBUTE_TRIGGERS, Trigger
from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.errors import bad_request_data
from ngsi_ld.linked import Join, Linking
from ngsi_ld.names import Names, checked_name, checked_uri
from ngsi_ld.query.geo import GeoQuery, parse_geo_query
from ngsi_ld.query.language import parse_languages
from ngsi_ld.query.patterns import parse_pattern
from ngsi_ld.query.projection import MEMBERS as ENTITY_MEMBERS
from ngsi_ld.query.projection import Projection, parse_projection
from ngsi_ld.query.q import Condition, parse_q
from ngsi_ld.query.query import EntitySelector
from ngsi_ld.query.scope_q import ScopeQuery, parse_scope_q
from ngsi_ld.query.type_selection import parse_type_selection
from ngsi_ld.representation import Form
from ngsi_ld.subscription.endpoint import Endpoint, parse_endpoint
from ngsi_ld.subscription.values import array, boolean, members, name_list, one_of, positive, shown, text
from ngsi_ld.temporal.query import TemporalQuery, parse_temporal_query

_CONFORMANCE = re.compile(r"(\d{1,3})\.(\d{1,3})")
_NOT_ATTRIBUTES = frozenset({"id", "type", "scope"})
_FORMS = tuple(form.value for form in Form)
_NO_JOIN = "@none"
_JOINS = (_NO_JOIN, *(join.value for join in Join))
_TRIGGERS = tuple(trigger.value for trigger in Trigger)
_MAX_JOIN_LEVEL = 10


@dataclass(frozen=True, slots=True)
class Parameters:
    """NotificationParams (5.2.14) as read."""

    endpoint: Endpoint
    attributes: frozenset[str] | None
    pick: Projection | None
    omit: Projection | None
    form: Form
    linking: Linking | None
    show_changes: bool
    sys_attrs: bool


def _entities(value: Any, where: str, names: Names) -> tuple[EntitySelector, ...]:
    return array(value, where, lambda one, place: _selector(one, place, names))


def _selector(value: Any, where: str, names: Names) -> EntitySelector:
    given = members(value, where, ("type", "id", "idPattern"))
    if "type" not in given:
        raise bad_request_data(f'{where} must have a type; "*" stands for any')
    types = parse_type_selection(text(given["type"], f"{where}.type"), names, f"{where}.type")
    if "id" in given:
        ids = given["id"] if isinstance(given["id"], list) else [given["id"]]
        # An id takes precedence over a pattern (5.2.33).
        return EntitySelector(types, array(ids, f"{where}.id", checked_uri))
    if "idPattern" not in given:
        return EntitySelector(types)
    pattern = text(given["idPattern"], f"{where}.idPattern")
    return EntitySelector(types, id_pattern=parse_pattern(pattern, f"{where}.idPattern"))


def _names(value: Any, where: str, names: Names) -> frozenset[str]:
    return frozenset(array(value, where, lambda one, place: names.iri(checked_name(one, place))))


def _triggers(value: Any, where: str, _names: Names) -> frozenset[Trigger]:
    given = frozenset(array(value, where, lambda one, place: Trigger(one_of(one, _TRIGGERS, place))))
    if Trigger.ENTITY_UPDATED in given:
        given = (given - {Trigger.ENTITY_UPDATED}) | ATTRIBUTE_TRIGGERS
    return given


def _geo_q(value: Any, where: str, names: Names) -> GeoQuery:
    given = members(value, where, ("georel", "geometry", "coordinates", "geoproperty"))
    return parse_geo_query(
        names,
        georel=given.get("georel"),
        geometry=given.get("geometry"),
        coordinates=given.get("coordinates"),
        geoproperty=given.get("geoproperty"),
    )


def _dataset_ids(value: Any, where: str, _names: Names) -> frozenset[str]:
    return frozenset(array(value, where, lambda one, place: one if one == "@none" else checked_uri(one, place)))


def _conformance(value: Any, where: str, _names: Names) -> tuple[int, int]:
    match = _CONFORMANCE.fullmatch(text(value, where))
    if match is None:
        raise bad_request_data(f"{where} must be a version of NGSI-LD such as 1.8, not {shown(value)}")
    return int(match[1]), int(match[2])


def _temporal_q(value: Any, where: str, _names: Names) -> TemporalQuery:
    given = members(value, where, ("timerel", "timeAt", "endTimeAt", "timeproperty", "lastN"))
    return parse_temporal_query(
        timerel=given.get("timerel"),
        time_at=given.get("timeAt"),
        end_time_at=given.get("endTimeAt"),
        timeproperty=given.get("timeproperty"),
        last_n=given.get("lastN"),
        required=True,
    )


def _parameters(value: Any, where: str, names: Names) -> Parameters:
    given = members(value, where, (*PARAMETERS, *PARAMETERS_READ_ONLY))
    if "endpoint" not in given:
        raise bad_request_data(f"{where} must have an endpoint")
    read = {name: parse(given[name], f"{where}.{name}", names) for name, parse in PARAMETERS.items() if name in given}
    parameters = Parameters(
        read["endpoint"],
        read.get("attributes"),
        read.get("pick"),
        read.get("omit"),
        read.get("format", Form.NORMALIZED),
        Linking(read["join"], read.get("joinLevel", 1)) if read.get("join") is not None else None,
        read.get("showChanges", False),
        read.get("sysAttrs", False),
    )
    _check_parameters(parameters, read, where)
    return parameters


def _check_parameters(parameters: Parameters, read: dict[str, Any], where: str) -> None:
    simplified = parameters.form in (Form.SIMPLIFIED, Form.KEY_VALUES)
    if parameters.show_changes and simplified:
        raise bad_request_data(f"{where}.showChanges cannot be true with the format {parameters.form.value}")
    if parameters.attributes is not None and (parameters.pick or parameters.omit):
        raise bad_request_data(f"{where}.attributes cannot be given together with pick or omit")
    if parameters.pick and parameters.omit:
        both = parameters.pick.members.keys() & own(parameters.omit)
        if both:
            raise bad_request_data(f"{where}.pick and {where}.omit cannot both have {', '.join(sorted(both))}")
    if "joinLevel" in read and parameters.linking is None:
        raise bad_request_data(f"{where}.joinLevel is only for the join inline or flat")
    level = parameters.linking.levels if parameters.linking is not None else 0
    for name, projection in (("pick", parameters.pick), ("omit", parameters.omit)):
        if projection is not None and projection.depth > level:
            raise bad_request_data(f"{where}.{name} reaches into linked entities: it needs a join and that joinLevel")


def own(omit: Projection) -> frozenset[str]:
    """The members that an `omit` leaves out of the entity itself: what stands before braces is not among them."""
    return frozenset(name for name, linked in omit.members.items() if linked is None)


def _attributes(value: Any, where: str, names: Names) -> frozenset[str]:
    for name in value if isinstance(value, list) else ():
        if name in _NOT_ATTRIBUTES:
            raise bad_request_data(f"{where} lists attributes, and {name} is none; use pick instead")
    return _names(value, where, names)


def _projection(value: Any, where: str, names: Names) -> Projection:
    return parse_projection(array(value, where, text), names, where)


def _join(value: Any, where: str, _names: Names) -> Join | None:
    join = one_of(value, _JOINS, where)
    return None if join == _NO_JOIN else Join(join)


def _join_level(value: Any, where: str, _names: Names) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_JOIN_LEVEL:
        return value
    raise bad_request_data(f"{where} must be a whole number from 1 to {_MAX_JOIN_LEVEL}, not {shown(value)}")


def parse_condition(value: Any, where: str, names: Names, expand: frozenset[str] = frozenset()) -> Condition:
    """`q`, whose percent-escapes are those of a URL, as people write them; `expand` has the IRIs of expandValues."""
    return parse_q(unquote(text(value, where)), names, expand_values=expand, parameter=where)


def _scope_q(value: Any, where: str, _names: Names) -> ScopeQuery:
    return parse_scope_q(unquote(text(value, where)))


Parse = Callable[[Any, str, Names], Any]


def _plain(check: Callable[[Any, str], Any]) -> Parse:
    return lambda value, where, _names: check(value, where)


MEMBERS: dict[str, Parse] = {
    "subscriptionName": _plain(text),
    "description": _plain(text),
    "entities": _entities,
    "watchedAttributes": _names,
    "notificationTrigger": _triggers,
    "timeInterval": _plain(positive),
    "throttling": _plain(positive),
    "expandValues": name_list,
    "jsonKeys": name_list,
    "geoQ": _geo_q,
    "scopeQ": _scope_q,
    "csf": parse_condition,
    "temporalQ": _temporal_q,
    "datasetId": _dataset_ids,
    "lang": lambda value, where, _names: parse_languages(text(value, where)),
    "expiresAt": _plain(checked_date_time),
    "isActive": _plain(boolean),
    "localOnly": _plain(boolean),
    "splitEntities": _plain(boolean),
    "jsonldContext": _plain(checked_uri),
    "ngsildConformance": _conformance,
    "notification": _parameters,
}
"""The members that clients give, `q` excepted: it is read after expandValues and jsonKeys."""

READ_ONLY = frozenset({"status", "createdAt", "modifiedAt", "deletedAt"})
"""Ignored in what clients send (5.2.2, 5.2.12-2)."""

PARAMETERS: dict[str, Parse] = {
    "endpoint": lambda value, where, _names: parse_endpoint(value, where),
    "attributes": _attributes,
    "pick": _projection,
    "omit": _projection,
    "format": lambda value, where, _names: Form(one_of(value, _FORMS, where)),
    "join": _join,
    "joinLevel": _join_level,
    "showChanges": _plain(boolean),
    "sysAttrs": _plain(boolean),
}

PARAMETERS_READ_ONLY = frozenset(
    {"status", "timesSent", "timesFailed", "lastNotification", "lastSuccess", "lastFailure"}
)
"""Ignored in what clients send (5.2.14.2)."""

NAME_LISTS = ("attributes", "pick", "omit")
"""The notification parameters whose elements are names or projections."""

__all__ = [
    "ENTITY_MEMBERS",
    "MEMBERS",
    "NAME_LISTS",
    "PARAMETERS",
    "PARAMETERS_READ_ONLY",
    "READ_ONLY",
    "Parameters",
    "own",
    "parse_condition",
]
