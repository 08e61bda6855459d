"""One attribute of a request: its form recognised, its members checked, its sub-attributes expanded (4.5.2, 4.5.3)."""

from enum import Enum
from functools import lru_cache
from typing import Any, cast

from ngsi_ld.attributes import KINDS, NULL, OUTPUT_MEMBERS, SYSTEM_MEMBERS, VALUE_MEMBERS, Kind
from ngsi_ld.entity import Attributes, Instance
from ngsi_ld.errors import NgsiLdError, bad_request_data
from ngsi_ld.expansion.members import MEMBERS, PROOF_MEMBERS, Check, geometry_value, is_geometry
from ngsi_ld.names import Names, checked_name

MAX_SUB_ATTRIBUTE_DEPTH = 24
"""How deeply sub-attributes may nest: each is several levels of a stored document, which has about a hundred."""

_LANG_STRING = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
_PLACES = frozenset({"location", "observationSpace", "operationSpace"})

_IGNORED = SYSTEM_MEMBERS | {"instanceId"}
_REFUSED = OUTPUT_MEMBERS - _IGNORED
_PROOF_ONLY = PROOF_MEMBERS.keys() - MEMBERS.keys()

_KIND_OF_MEMBER = {
    "value": KINDS["Property"],
    "object": KINDS["Relationship"],
    "languageMap": KINDS["LanguageProperty"],
    "json": KINDS["JsonProperty"],
    "vocab": KINDS["VocabProperty"],
    "valueList": KINDS["ListProperty"],
    "objectList": KINDS["ListRelationship"],
}

_UNITLESS = frozenset(kind.name for kind in KINDS.values() if not kind.unit_code)
_WITHOUT_OBJECT_TYPE = frozenset(kind.name for kind in KINDS.values() if not kind.object_type)


@lru_cache(maxsize=8192)
def attribute_iri(name: str, names: Names) -> str:
    """The IRI of an attribute; BadRequestData for what cannot be the name of one."""
    return names.iri(checked_name(name, "the name of an attribute"))


class Fill(Enum):
    """How complete an instance must be, which is what sets the operations apart (5.4)."""

    WHOLE = "whole"  # create, append, replace: a value, and no NGSI-LD Null
    WHOLE_OR_NULL = "whole or null"  # update attributes: a value, or NGSI-LD Null in its place
    PART = "part"  # partial update: any members, each of which may be NGSI-LD Null
    MERGE = "merge"  # merge: any members, NGSI-LD Null at any depth


_WHOLE, _MERGE = Fill.WHOLE, Fill.MERGE
_PARTIAL = frozenset({Fill.PART, Fill.MERGE})
_GEO_PROPERTY = KINDS["GeoProperty"]


def expand_attribute(name: str, value: Any, names: Names, now: str, fill: Fill, depth: int = 1) -> list[Instance]:
    """The instances of the attribute `name`; an error begins with the attribute's name."""
    members = PROOF_MEMBERS if name == "ngsildproof" else MEMBERS
    try:
        if type(value) is list and value and all(type(one) is dict and _looks_like_instance(one) for one in value):
            instances = [expand_instance(one, names, now, fill, depth, members) for one in value]
            if len({one.get("datasetId") for one in instances}) < len(instances):
                raise bad_request_data("two of its instances have the same datasetId (or both have none)")
            return instances
        instance = expand_instance(value, names, now, fill, depth, members)
        kind = instance.get("type", "GeoProperty")
        if name in _PLACES and depth == 1 and kind != "GeoProperty" and not is_deletion(instance):
            raise bad_request_data(f"it must be a GeoProperty with a GeoJSON geometry, not a {kind}")
        return [instance]
    except NgsiLdError as error:
        raise NgsiLdError(error.type, f"{name}: {error.detail}") from None


def expand_instance(
    body: Any, names: Names, now: str, fill: Fill, depth: int = 1, members: dict[str, Check] = MEMBERS
) -> Instance:
    """One instance in any of its forms; `now` becomes its createdAt and modifiedAt.

    With a partial `fill` the `type` is there only where the client gave it or a value member tells it.
    """
    if type(body) is not dict or is_geometry(body):
        return _bare(body, names, now, fill, members)
    stated = body.get("type", body.get("@type"))
    kind = KINDS.get(stated) if isinstance(stated, str) else None
    if kind is None:
        given = VALUE_MEMBERS & body.keys()
        if stated is not None and given:
            raise bad_request_data(f"type must be one of {', '.join(KINDS)}, not {stated!r}")
        if not given and (fill not in _PARTIAL or stated is not None):
            return _bare(body, names, now, fill, members)
        if given:
            kind = _inferred(given, body)
    elif kind.member not in body and fill not in _PARTIAL:
        given = VALUE_MEMBERS & body.keys()
        instead = f", not {', '.join(sorted(given))}" if given else ""
        raise bad_request_data(f"a {kind.name} needs the member {kind.member}{instead}")
    if kind is not None and fill is _WHOLE and body[kind.member] == NULL:
        raise bad_request_data(f"{kind.member} is {NULL}, which only an update or a merge may send, to delete")
    return _members(body, kind, names, now, fill, depth, members)


def is_deletion(instance: Instance) -> bool:
    """Whether an instance of a fragment stands for the deletion of its counterpart."""
    kind = KINDS.get(instance.get("type", ""))
    return kind is not None and cast("dict[str, Any]", instance).get(kind.member) == kind.null


def _bare(value: Any, names: Names, now: str, fill: Fill, members: dict[str, Check]) -> Instance:
    if value == NULL and fill is Fill.WHOLE:
        raise bad_request_data(f"it is {NULL}, which only an update or a merge may send, to delete")
    if value is None:
        raise bad_request_data("it must not be null; leave it out, or send urn:ngsi-ld:null to delete it")
    nulls = fill is Fill.MERGE or value == NULL
    kind, check = ("GeoProperty", geometry_value) if is_geometry(value) else ("Property", members["value"])
    return {"type": kind, "value": check(value, names, nulls), "createdAt": now, "modifiedAt": now}


def _inferred(given: frozenset[str], body: dict[str, Any]) -> Kind:
    if len(given) > 1:
        raise bad_request_data(f"it has {' and '.join(sorted(given))}, but only one of them can be its value")
    (member,) = given
    return KINDS["GeoProperty"] if member == "value" and is_geometry(body["value"]) else _KIND_OF_MEMBER[member]


def _members(
    body: dict[str, Any], kind: Kind | None, names: Names, now: str, fill: Fill, depth: int, members: dict[str, Check]
) -> Instance:
    instance: dict[str, Any] = {}
    subs: Attributes = {}
    own = ""
    if kind is not None:
        instance["type"] = kind.name
        own = kind.member
    for name, value in body.items():
        check = members.get(name)
        if check is not None:
            if name in VALUE_MEMBERS:
                if name != own:
                    raise bad_request_data(f"a {instance['type']} has {own}, not {name}")
                if kind is _GEO_PROPERTY:
                    check = geometry_value
                nulls = fill is _MERGE or (fill is not _WHOLE and _is_null(value, kind))
            else:
                nulls = fill in _PARTIAL
            instance[name] = check(value, names, nulls)
        elif name in ("type", "@type") or name in _IGNORED:
            continue
        elif name in _REFUSED:
            raise bad_request_data(f"{name} is made by the broker in its answers and cannot be sent")
        elif name in _PROOF_ONLY:
            raise bad_request_data(f"{name} goes into ngsildproof only")
        else:
            if depth > MAX_SUB_ATTRIBUTE_DEPTH:
                raise bad_request_data(f"its sub-attributes nest more than {MAX_SUB_ATTRIBUTE_DEPTH} levels deep")
            iri = attribute_iri(name, names)
            subs[iri] = expand_attribute(name, value, names, now, fill, depth + 1)
    if instance.get("datasetId") == "@none":
        del instance["datasetId"]
    if kind is not None:
        _checked_combination(instance, kind)
    if subs:
        instance["subs"] = subs
    instance["createdAt"] = instance["modifiedAt"] = now
    return cast("Instance", instance)


def _is_null(value: Any, kind: Kind | None) -> bool:
    return value == NULL or (kind is not None and value == kind.null)


def _checked_combination(instance: dict[str, Any], kind: Kind) -> None:
    if "unitCode" in instance and kind.name in _UNITLESS:
        raise bad_request_data(f"unitCode does not go with a {kind.name}")
    if "objectType" in instance and kind.name in _WITHOUT_OBJECT_TYPE:
        raise bad_request_data(f"objectType does not go with a {kind.name}")
    if kind.name == "LanguageProperty" and instance.get("valueType", _LANG_STRING) not in (_LANG_STRING, NULL):
        raise bad_request_data("the valueType of a LanguageProperty can only be langString (5.2.32)")


def _looks_like_instance(body: dict[str, Any]) -> bool:
    stated = body.get("type", body.get("@type"))
    return (isinstance(stated, str) and stated in KINDS) or not VALUE_MEMBERS.isdisjoint(body)
