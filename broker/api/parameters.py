"""The query parameters of the API: one table with the name, meaning, JSON Schema and parser of each (6.4 to 6.33)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.names import checked_uri
from ngsi_ld.temporal.durations import Duration, parse_duration
from ngsi_ld.temporal.query import TIME_PROPERTIES, TIMERELS

Parser = Callable[[str, str], Any]
"""(text, parameter name) to the value; BadRequestData or InvalidRequest that names the parameter."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter: how its text is read, and what the OpenAPI document says of it."""

    description: str
    parse: Parser
    schema: dict[str, Any]


FORMATS = ("normalized", "concise", "simplified", "keyValues")
TEMPORAL_FORMATS = ("temporalValues", "aggregatedValues")
JOINS = ("inline", "flat", "@none")


def text(value: str, name: str) -> str:
    """A text that is not empty."""
    if not value:
        raise bad_request_data(f"{name} is empty; give it a value or leave it out")
    return value


def names(value: str, name: str) -> list[str]:
    """A list of texts separated by commas."""
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise bad_request_data(f"{name} must be a list separated by commas without empty parts, not {value!r}")
    return parts


def uris(value: str, name: str) -> list[str]:
    """A list of URIs separated by commas."""
    return [checked_uri(part, name) for part in names(value, name)]


def dataset_ids(value: str, name: str) -> frozenset[str]:
    """A list of dataset URIs, or @none for the default instance."""
    return frozenset(part if part == "@none" else checked_uri(part, name) for part in names(value, name))


def boolean(value: str, name: str) -> bool:
    """The literal true or false."""
    if value not in ("true", "false"):
        raise bad_request_data(f"{name} must be true or false, not {value!r}")
    return value == "true"


def count_from(least: int) -> Parser:
    """A whole number of at least `least`."""

    def parse(value: str, name: str) -> int:
        if not value.isascii() or not value.isdigit() or len(value) > 15 or int(value) < least:
            raise bad_request_data(f"{name} must be a whole number from {least} on, not {value!r}")
        return int(value)

    return parse


def one_of(*allowed: str) -> Parser:
    """One of a few words; another is an InvalidRequest (6.3.7)."""

    def parse(value: str, name: str) -> str:
        if value not in allowed:
            raise invalid_request(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    return parse


def choice(*allowed: str) -> Parser:
    """One of a few words; another is BadRequestData."""

    def parse(value: str, name: str) -> str:
        if value not in allowed:
            raise bad_request_data(f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        return value

    return parse


def keywords(value: str, name: str) -> frozenset[str]:
    """A set of texts separated by commas; which of them an operation knows, its endpoint says."""
    return frozenset(names(value, name))


def lifetime(value: str, name: str) -> Duration:
    """A duration that is not nothing."""
    duration = parse_duration(value, name)
    if duration.is_zero:
        raise bad_request_data(f"{name} must be longer than nothing")
    return duration


def _date_time(value: str, name: str) -> str:
    return checked_date_time(value, name)


_STRING = {"type": "string", "minLength": 1}
_NAMES = {"type": "array", "items": _STRING, "minItems": 1}
_URIS = {"type": "array", "items": {"type": "string", "format": "uri"}, "minItems": 1}
_BOOLEAN = {"type": "boolean"}


def _whole(least: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": 10**15 - 1}


PARAMETERS: dict[str, Parameter] = {
    "id": Parameter("Only the entities with these ids.", uris, _URIS),
    "type": Parameter("Selection of entity types: `A,B` either, `(A;B)` both.", text, _STRING),
    "idPattern": Parameter("Regular expression that the id must match.", text, _STRING),
    "attrs": Parameter("Attributes to show; an entity needs at least one of them. Deprecated.", names, _NAMES),
    "pick": Parameter("The only members to show.", text, _STRING),
    "omit": Parameter("The members to leave out.", text, _STRING),
    "q": Parameter('Condition on attributes, such as `temperature>20;status=="on"`.', text, _STRING),
    "scopeQ": Parameter("Condition on scopes, such as `/Chalons/#`.", text, _STRING),
    "csf": Parameter("Condition on context sources.", text, _STRING),
    "georel": Parameter("Relation to the geometry, such as `near;maxDistance==500`.", text, _STRING),
    "geometry": Parameter("Type of the reference geometry.", text, _STRING),
    "coordinates": Parameter("Coordinates of the reference geometry, as a JSON array.", text, _STRING),
    "geoproperty": Parameter("GeoProperty that is compared; location by default.", text, _STRING),
    "join": Parameter(
        "Whether linked entities come within the Relationship that leads to them, or after the others.",
        choice(*JOINS),
        {"type": "string", "enum": [*JOINS]},
    ),
    "joinLevel": Parameter("How many links are followed.", count_from(1), _whole(1)),
    "containedBy": Parameter("Entities that are not shown as linked ones: they are had already.", uris, _URIS),
    "geometryProperty": Parameter("GeoProperty that becomes the geometry of a Feature.", text, _STRING),
    "lang": Parameter("Languages in order of preference, as in Accept-Language.", text, _STRING),
    "datasetId": Parameter("Only these instances of each attribute; @none for the default one.", dataset_ids, _NAMES),
    "expandValues": Parameter("Attributes whose compared values are names to expand.", names, _NAMES),
    "jsonKeys": Parameter("Attributes whose inner keys are plain JSON keys.", names, _NAMES),
    "orderBy": Parameter("Members to sort by, such as `name,speed;desc`.", text, _STRING),
    "collation": Parameter("ICU locale that texts are sorted by.", text, _STRING),
    "orderFrom": Parameter("Coordinates that distances are taken from.", text, _STRING),
    "orderGeometry": Parameter("Type of the geometry that distances are taken from.", text, _STRING),
    "limit": Parameter("Most elements in the page.", count_from(0), _whole(0)),
    "offset": Parameter("Elements to skip before the page.", count_from(0), _whole(0)),
    "cursor": Parameter("Where the page begins; taken from the next link of the page before.", text, _STRING),
    "count": Parameter("Whether to count all that match, in NGSILD-Results-Count.", boolean, _BOOLEAN),
    "splitEntities": Parameter("Whether one entity may be in parts in several sources.", boolean, _BOOLEAN),
    "local": Parameter("Whether to ask this broker only.", boolean, _BOOLEAN),
    "entityMap": Parameter("Whether an EntityMap is made, which NGSILD-EntityMap then names.", boolean, _BOOLEAN),
    "entityMapLifetime": Parameter("For how long the EntityMap is wanted, as ISO 8601: PT10M.", lifetime, _STRING),
    "format": Parameter(
        "Representation of entities; of temporal evolutions normalized, temporalValues or aggregatedValues.",
        one_of(*FORMATS, *TEMPORAL_FORMATS),
        {"type": "string", "enum": [*FORMATS, *TEMPORAL_FORMATS]},
    ),
    "options": Parameter("Keywords; `format` has taken over most of them.", keywords, _NAMES),
    "observedAt": Parameter("Time given to merged attributes that have an observedAt.", _date_time, _STRING),
    "deleteAll": Parameter("Whether every instance of the attribute is deleted.", boolean, _BOOLEAN),
    "drop": Parameter("Attributes to delete from the entities, which stay.", names, _NAMES),
    "keep": Parameter("Attributes to keep in the entities; the others are deleted.", names, _NAMES),
    "timerel": Parameter("Relation to timeAt.", text, {"type": "string", "enum": [*TIMERELS]}),
    "timeAt": Parameter("Time that is compared with, such as 2026-11-23T17:02:00Z.", text, _STRING),
    "endTimeAt": Parameter("End of the time between.", text, _STRING),
    "timeproperty": Parameter(
        "Time of instances that counts; observedAt by default.", text, {"type": "string", "enum": [*TIME_PROPERTIES]}
    ),
    "lastN": Parameter("Only so many of the latest instances of each attribute.", count_from(1), _whole(1)),
    "aggrMethods": Parameter("What is computed of each period, such as `avg,max`.", names, _NAMES),
    "aggrPeriodDuration": Parameter("Length of the periods, as ISO 8601: PT1H, P1D, P1M.", text, _STRING),
    "timezone": Parameter("Time zone whose days and months periods are counted in; UTC by default.", text, _STRING),
    "details": Parameter("Whether to describe each element.", boolean, _BOOLEAN),
    "kind": Parameter("Kind of stored @contexts.", text, _STRING),
    "reload": Parameter("Whether a cached @context is fetched again instead of deleted.", boolean, _BOOLEAN),
}
"""Every query parameter; an endpoint names those that apply to it, and any other is refused (6.3.20)."""
