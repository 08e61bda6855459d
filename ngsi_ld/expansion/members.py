"""The members of an attribute instance: for each, what it may hold and the form in which it is kept (4.5.2, 4.6)."""

from collections.abc import Callable
from typing import Any

from ngsi_ld.attributes import NULL
from ngsi_ld.datetimes import checked_date_time
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expiry import checked_expiry
from ngsi_ld.geojson import checked_geometry
from ngsi_ld.names import Names, checked_uri

MAX_DEPTH = 64
"""How deeply the JSON of a value may nest; a document database refuses more than about a hundred levels."""

GEOMETRY_TYPES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon")

_SCALARS = frozenset({str, int, float, bool})

Check = Callable[[Any, Names, bool], Any]
"""(what the client sent, the @context's names, whether NGSI-LD Null may stand within) to what is kept."""


def is_geometry(value: object) -> bool:
    """Whether a concise value is a GeoJSON geometry, and so makes its attribute a GeoProperty (4.5.2.3)."""
    return isinstance(value, dict) and "coordinates" in value and value.get("type") in GEOMETRY_TYPES


def checked_json(value: Any, member: str, nulls: bool, depth: int = 1) -> Any:
    """A JSON value within its depth, without NGSI-LD Null unless `nulls`; it is kept as it is."""
    if depth > MAX_DEPTH:
        raise bad_request_data(f"{member} nests more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            if type(item) not in _SCALARS or item == NULL:
                checked_json(item, member, nulls, depth + 1)
    elif value == NULL and not nulls:
        raise bad_request_data(f"{member} holds {NULL}, which only an update or a merge may send, to delete")
    return value


def _value(value: Any, _names: Names, nulls: bool) -> Any:
    if value is None:
        raise bad_request_data("value must not be null; leave the attribute out, or send urn:ngsi-ld:null to delete it")
    if type(value) not in _SCALARS or value == NULL:
        checked_json(value, "value", nulls)
    return value


def _geometry(value: Any, _names: Names, nulls: bool) -> Any:
    if value == NULL and nulls:
        return value
    return checked_geometry(value, "value")


def _object(value: Any, _names: Names, nulls: bool) -> Any:
    if isinstance(value, list):
        if not value:
            raise bad_request_data("object must be a URI or a list of at least one URI, not an empty list")
        return [_target(item) for item in value]
    if value == NULL and nulls:
        return value
    return _target(value)


def _target(value: Any) -> str:
    if value == NULL:
        raise bad_request_data(f"object is {NULL}, which only an update or a merge may send, to delete")
    return checked_uri(value, "object")


def _language_map(value: Any, _names: Names, nulls: bool) -> Any:
    if value == NULL and nulls:
        return {"@none": NULL}
    if not isinstance(value, dict) or not value:
        raise bad_request_data('languageMap must be an object of language tags and texts, such as {"fr": "Mairie"}')
    for tag, text in value.items():
        texts = text if isinstance(text, list) else [text]
        if not tag or not all(isinstance(one, str) for one in texts):
            raise bad_request_data(f"languageMap must give a text, or a list of texts, for the language {tag!r}")
        if text == NULL and not nulls:
            raise bad_request_data(f"languageMap holds {NULL}, which only an update or a merge may send, to delete")
    return value


def _json(value: Any, _names: Names, nulls: bool) -> Any:
    if not isinstance(value, dict | list) and not (value == NULL and nulls):
        raise bad_request_data(f"json must be a JSON object or a list, not {value!r} (4.5.24)")
    return checked_json(value, "json", nulls)


def _vocab(value: Any, names: Names, nulls: bool) -> Any:
    if value == NULL and nulls:
        return value
    return _expanded(value, "vocab", names)


def _expanded(value: Any, member: str, names: Names) -> Any:
    if isinstance(value, str) and value and value != NULL:
        return names.iri(value)
    if isinstance(value, list) and value and all(isinstance(one, str) and one for one in value):
        return [names.iri(one) for one in value]
    raise bad_request_data(f"{member} must be a name or IRI, or a list of them, not {value!r}")


def _value_list(value: Any, _names: Names, nulls: bool) -> Any:
    if value == NULL and nulls:
        return [NULL]
    if not isinstance(value, list):
        raise bad_request_data(f"valueList must be a list, not {value!r}")
    return checked_json(value, "valueList", nulls)


def _object_list(value: Any, _names: Names, nulls: bool) -> Any:
    if nulls and value in (NULL, [NULL], [{"object": NULL}]):
        return [NULL]
    if not isinstance(value, list):
        raise bad_request_data(f"objectList must be a list of URIs, not {value!r}")
    return [{"object": _target(one.get("object") if isinstance(one, dict) else one)} for one in value]


def _text(member: str) -> Check:
    def check(value: Any, _names: Names, nulls: bool) -> Any:
        if isinstance(value, str) and value and (nulls or value != NULL):
            return value
        raise bad_request_data(f"{member} must be a text, not {value!r}")

    return check


def _names_of(member: str) -> Check:
    def check(value: Any, names: Names, nulls: bool) -> Any:
        return value if value == NULL and nulls else _expanded(value, member, names)

    return check


def _observed_at(value: Any, _names: Names, nulls: bool) -> Any:
    return value if value == NULL and nulls else checked_date_time(value, "observedAt")


def _expires_at(value: Any, _names: Names, nulls: bool) -> Any:
    return value if value == NULL and nulls else checked_expiry(value)


def _dataset_id(value: Any, _names: Names, _nulls: bool) -> Any:
    if value == NULL:
        raise bad_request_data("datasetId cannot be deleted; name the instance that is meant (5.5.8)")
    return value if value == "@none" else checked_uri(value, "datasetId")


def _sealed(member: str) -> Check:
    def check(value: Any, _names: Names, _nulls: bool) -> Any:
        if isinstance(value, str) and value:
            return value
        raise bad_request_data(f"{member} must be a text, not {value!r}")

    return check


def _proof(value: Any, _names: Names, nulls: bool) -> Any:
    if not isinstance(value, dict) and not (value == NULL and nulls):
        raise bad_request_data(f"value must be a proof, a JSON object, not {value!r}")
    return checked_json(value, "value", nulls)


MEMBERS: dict[str, Check] = {
    "value": _value,
    "object": _object,
    "languageMap": _language_map,
    "json": _json,
    "vocab": _vocab,
    "valueList": _value_list,
    "objectList": _object_list,
    "unitCode": _text("unitCode"),
    "valueType": _names_of("valueType"),
    "objectType": _names_of("objectType"),
    "datasetId": _dataset_id,
    "observedAt": _observed_at,
    "expiresAt": _expires_at,
}
"""Every member of an instance that is not a sub-attribute. `value` of a GeoProperty goes through `geometry_value`."""

PROOF_MEMBERS: dict[str, Check] = MEMBERS | {
    "value": _proof,
    "entityIdSealed": _sealed("entityIdSealed"),
    "entityTypeSealed": _sealed("entityTypeSealed"),
}
"""The members of `ngsildproof` (4.5.2.2): two more than other attributes have, and a proof for its value."""

geometry_value: Check = _geometry
