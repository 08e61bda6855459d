"""The members of a context source registration, each with what reads it (5.2.8 to 5.2.11, 5.2.34, 4.3.6.6)."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from ngsi_ld.datetimes import canonical_date_time, checked_date_time
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expiry import checked_expiry
from ngsi_ld.geojson import Geometry, checked_geometry
from ngsi_ld.names import Names, checked_name, checked_uri
from ngsi_ld.query.patterns import parse_pattern
from ngsi_ld.registration.operations import named
from ngsi_ld.registration.registration import EntityInfo, Information, Interval, Management, Mode
from ngsi_ld.scopes import checked_scopes
from ngsi_ld.subscription.values import array, boolean, members, one_of, positive, shown, text
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.durations import parse_duration

API_ROOT = "/ngsi-ld/v1"
SOURCE_MEDIA_TYPES = ("application/json", "application/ld+json")

_MODES = tuple(mode.value for mode in Mode)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FIELD_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_CONFORMANCE = re.compile(r"(\d{1,3})\.(\d{1,3})")

SourceInfo = tuple[tuple[str, str], ...]


def _endpoint(value: Any, where: str, _names: Names) -> str:
    """The URL of the source, to which the paths of the API are added; the API's root at its end is not part of it."""
    url = checked_uri(value, where)
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https"):
        raise bad_request_data(f"{where} must begin with http:// or https://, not {shown(parts.scheme)}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0 or (parts.netloc.endswith(":") and port is None):
        raise bad_request_data(f"{where} must name a host, and a port from 1 to 65535 if any, not {shown(url)}")
    if "@" in parts.netloc:
        raise bad_request_data(f"{where} must not hold a user or password; send them as a header by contextSourceInfo")
    if parts.query or parts.fragment:
        raise bad_request_data(f"{where} must be a URL without ? and #, since paths are added to it, not {shown(url)}")
    return url.rstrip("/").removesuffix(API_ROOT).rstrip("/")


def _information(value: Any, where: str, names: Names) -> tuple[Information, ...]:
    return array(value, where, lambda one, place: _registration_info(one, place, names))


def _registration_info(value: Any, where: str, names: Names) -> Information:
    given = members(value, where, ("entities", "propertyNames", "relationshipNames"))
    if not given:
        raise bad_request_data(f"{where} must have entities, propertyNames or relationshipNames")
    entities: tuple[EntityInfo, ...] = ()
    if "entities" in given:
        entities = array(given["entities"], f"{where}.entities", lambda one, place: _entity_info(one, place, names))
    attributes: set[str] = set()
    for member in ("propertyNames", "relationshipNames"):
        if member in given:
            attributes.update(array(given[member], f"{where}.{member}", lambda one, place: _name(one, place, names)))
    return Information(entities, frozenset(attributes))


def _entity_info(value: Any, where: str, names: Names) -> EntityInfo:
    given = members(value, where, ("type", "id", "idPattern"))
    if not given:
        # The standard wants a type; registrations by id alone are common and harm nobody.
        raise bad_request_data(f"{where} must have a type, an id or an idPattern")
    types: tuple[str, ...] = ()
    if "type" in given:
        one_or_more = given["type"] if isinstance(given["type"], list) else [given["type"]]
        types = array(one_or_more, f"{where}.type", lambda one, place: _name(one, place, names))
    pattern = None
    if "idPattern" in given:
        pattern = parse_pattern(text(given["idPattern"], f"{where}.idPattern"), f"{where}.idPattern")
    if "id" in given:
        return EntityInfo(frozenset(types), checked_uri(given["id"], f"{where}.id"))
    return EntityInfo(frozenset(types), id_pattern=pattern)


def _name(value: Any, where: str, names: Names) -> str:
    return names.iri(checked_name(value, where))


def _mode(value: Any, where: str, _names: Names) -> Mode:
    return Mode(one_of(value, _MODES, where))


def _operations(value: Any, where: str, _names: Names) -> frozenset[str]:
    given = array(value, where, text)
    try:
        return named(given)
    except KeyError as error:
        raise bad_request_data(
            f"{where} lists names of operations and of their groups (4.20), and {shown(error.args[0])} is none"
        ) from None


def _interval(value: Any, where: str, _names: Names) -> Interval:
    given = members(value, where, ("startAt", "endAt"))
    if "startAt" not in given:
        raise bad_request_data(f"{where} must have a startAt")
    start = canonical_date_time(checked_date_time(given["startAt"], f"{where}.startAt"))
    if "endAt" not in given:
        return Interval(start)
    end = canonical_date_time(checked_date_time(given["endAt"], f"{where}.endAt"))
    if instants.read(end) < instants.read(start):
        raise bad_request_data(f"{where}.endAt must not be before startAt, but {end} is before {start}")
    return Interval(start, end)


def _management(value: Any, where: str, _names: Names) -> Management:
    given = members(value, where, ("localOnly", "timeout", "cooldown", "cacheDuration"))
    cache = None
    if "cacheDuration" in given:
        place = f"{where}.cacheDuration"
        cache = parse_duration(text(given["cacheDuration"], place), place).approximate() / instants.SECOND
    return Management(
        boolean(given["localOnly"], f"{where}.localOnly") if "localOnly" in given else False,
        positive(given["timeout"], f"{where}.timeout") / 1000 if "timeout" in given else None,
        positive(given["cooldown"], f"{where}.cooldown") / 1000 if "cooldown" in given else None,
        cache,
    )


def _source_info(value: Any, where: str, _names: Names) -> SourceInfo:
    return array(value, where, _pair)


def _pair(value: Any, where: str) -> tuple[str, str]:
    given = members(value, where, ("key", "value"))
    key, content = text(given.get("key"), f"{where}.key"), given.get("value")
    if not isinstance(content, str):
        raise bad_request_data(f"{where}.value must be a text, not {shown(content)}")
    if not _TOKEN.fullmatch(key):
        raise bad_request_data(f"{where}.key: {shown(key)} cannot be sent as a header")
    if not _FIELD_VALUE.fullmatch(content):
        raise bad_request_data(f"{where}: the value of {key} has control characters")
    check = _SPECIAL.get(key)
    if check is not None:
        check(content, f"{where}: the value of {key}")
    return key, content


def _media_type(value: str, where: str) -> None:
    one_of(value, SOURCE_MEDIA_TYPES, where)


def _context_url(value: str, where: str) -> None:
    if urlsplit(checked_uri(value, where)).scheme.lower() not in ("http", "https"):
        raise bad_request_data(f"{where} must be the URL of an @context, with http or https, not {shown(value)}")


def parse_conformance(value: str, where: str) -> tuple[int, int]:
    """The version of NGSI-LD that is meant by `1.5`."""
    match = _CONFORMANCE.fullmatch(value)
    if match is None:
        raise bad_request_data(f"{where} must be a version of NGSI-LD such as 1.5, not {shown(value)}")
    return int(match[1]), int(match[2])


def _conformance(value: str, where: str) -> None:
    parse_conformance(value, where)


_SPECIAL: dict[str, Callable[[str, str], None]] = {
    "accept": _media_type,
    "contentType": _media_type,
    "jsonldContext": _context_url,
    "ngsildConformance": _conformance,
}
"""The keys of contextSourceInfo that have a meaning of their own (4.3.6.6), each with what checks its value."""


def _alias(value: Any, where: str, _names: Names) -> str:
    if isinstance(value, str) and _TOKEN.fullmatch(value):
        return value
    raise bad_request_data(f"{where} must be a pseudonym as the header Via has it, without spaces, not {shown(value)}")


def _tenant(value: Any, where: str, _names: Names) -> str:
    if isinstance(value, str) and value.strip() == value and value.isascii() and value.isprintable() and value:
        return value
    raise bad_request_data(f"{where} must be the name of a tenant of the source, not {shown(value)}")


def _dataset_ids(value: Any, where: str, _names: Names) -> frozenset[str]:
    return frozenset(array(value, where, lambda one, place: one if one == "@none" else checked_uri(one, place)))


def _scope(value: Any, where: str, _names: Names) -> tuple[str, ...]:
    if value == []:
        raise bad_request_data(f"{where} must not be an empty array")
    return tuple(checked_scopes(value))


def _geometry(value: Any, where: str, _names: Names) -> Geometry:
    if not isinstance(value, dict):
        raise bad_request_data(f"{where} must be a GeoJSON geometry, not {shown(value)}")
    return checked_geometry(value, where)


def _duration(value: Any, where: str, _names: Names) -> None:
    parse_duration(text(value, where), where)


Parse = Callable[[Any, str, Names], Any]


def _text(value: Any, where: str, _names: Names) -> str:
    return text(value, where)


MEMBERS: dict[str, Parse] = {
    "registrationName": _text,
    "description": _text,
    "endpoint": _endpoint,
    "information": _information,
    "mode": _mode,
    "operations": _operations,
    "contextSourceInfo": _source_info,
    "contextSourceAlias": _alias,
    "tenant": _tenant,
    "datasetId": _dataset_ids,
    "scope": _scope,
    "location": _geometry,
    "observationSpace": _geometry,
    "operationSpace": _geometry,
    "observationInterval": _interval,
    "managementInterval": _interval,
    "management": _management,
    "refreshRate": _duration,
    "expiresAt": lambda value, _where, _names: checked_expiry(value),
}
"""The members that clients give (5.2.9-1)."""

MANDATORY = frozenset({"endpoint", "information"})

READ_ONLY = frozenset(
    {"createdAt", "modifiedAt", "deletedAt"} | {"status", "timesSent", "timesFailed", "lastSuccess", "lastFailure"}
)
"""Ignored in what clients send (5.2.2, 5.2.9-2)."""


def with_names(information: list[dict[str, Any]], rename: Callable[[str], str]) -> list[dict[str, Any]]:
    """The JSON of `information`, which has been read before, with every type and attribute in it renamed."""
    return [_renamed_info(one, rename) for one in information]


def _renamed_info(info: dict[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in info.items():
        if name == "entities":
            made[name] = [_renamed_entity(entity, rename) for entity in value]
        elif name in ("propertyNames", "relationshipNames"):
            made[name] = [rename(one) for one in value]
    return made


def _renamed_entity(entity: dict[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    made = {name: value for name, value in entity.items() if name in ("id", "type", "idPattern")}
    if "type" in made:
        types = made["type"]
        made["type"] = [rename(one) for one in types] if isinstance(types, list) else rename(types)
    return made
