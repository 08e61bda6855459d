"""An entity as a MongoDB document, both ways.

    {"_id": "urn:ngsi-ld:Streetlight:1", "v": 3, "types": [IRI], "scope": ["/Chalons"],
     "createdAt": "2026-11-23T17:02:01.250Z", "modifiedAt": "…", "expiresAt": "…", "expiry": Date,
     "attrs": {KEY: [{"type": "Property", "value": 7, "createdAt": "…", "modifiedAt": "…", "subs": {KEY: […]}}]},
     "places": {KEY: [{"geo": {"type": "Point", "coordinates": [4.36, 48.95]}, "expiresAt": "…"}]}}

`v` counts the writes. `expiresAt` and `expiry` (what the TTL index deletes by) are absent for most. KEY is the IRI
spelled by `names.key`, as are the keys of objects inside values. An instance has its members as in `ngsi_ld.entity`.
Integers beyond 64 bits are Decimal128. `places` has what the geo-indexes are made of: the geometries of the instances
that are GeoProperties, as S2 takes them (see `geometry`). They stand apart so that only what moves costs an index.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from bson.decimal128 import Decimal128
from bson.int64 import Int64

from broker.store.geometry import indexable
from broker.store.names import iri, key
from broker.store.targets import target_value
from ngsi_ld.datetimes import parse_date_time
from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.errors import bad_request_data

Document = dict[str, Any]
"""What PyMongo encodes and decodes."""

MAX_DEPTH = 160
"""Of objects and arrays in each other in a document: MongoDB stores 180 levels, and the write around it has some."""

_INT64 = 1 << 63
_DECIMAL128 = 10**34
_ATTRIBUTE_DEPTH = 3
_PLAIN = frozenset({str, float, bool, type(None)})
_OWN_VALUE = frozenset({"Property", "GeoProperty"})
_COMPOSITE = frozenset({dict, list, Int64, Decimal128})


def document(entity: Entity, *, plain_geo: bool = False) -> Document:
    """The whole entity, as it is created. `plain_geo` keeps its geometries out of `places`, and so out of the index.

    Raises BadRequestData where a value is nested too deep or a number too large for MongoDB.
    """
    stored: Document = {
        "_id": entity.id,
        "v": entity.version,
        "types": entity.types,
        "scope": entity.scope,
        "createdAt": entity.created_at,
        "modifiedAt": entity.modified_at,
    }
    if entity.expires_at is not None:
        stored["expiresAt"] = entity.expires_at
        stored["expiry"] = parse_date_time(entity.expires_at)
    stored["attrs"] = _stored_attributes(entity.attributes, 0)
    places = {
        key(name): places
        for name, instances in entity.attributes.items()
        if _has_geometry(instances) and (places := _places(instances, plain_geo))
    }
    if places:
        stored["places"] = places
    return stored


def changes(before: Entity, after: Entity, *, plain_geo: bool = False) -> Document:
    """The update operators that make the document of `before` that of `after`: what differs and no more.

    An attribute whose list of instances is the same object in both is not looked at. Raises as `document`.
    """
    put: Document = {"v": after.version}
    drop: Document = {}
    if after.modified_at != before.modified_at:
        put["modifiedAt"] = after.modified_at
    if after.types != before.types:
        put["types"] = after.types
    if after.scope != before.scope:
        put["scope"] = after.scope
    if after.created_at != before.created_at:
        put["createdAt"] = after.created_at
    if after.expires_at != before.expires_at:
        if after.expires_at is None:
            drop = {"expiresAt": "", "expiry": ""}
        else:
            put["expiresAt"] = after.expires_at
            put["expiry"] = parse_date_time(after.expires_at)
    old = before.attributes
    for name, instances in after.attributes.items():
        was = old.get(name, ())
        if was is not instances:
            put[f"attrs.{key(name)}"] = [_stored_instance(instance, 0) for instance in instances]
            if _has_geometry(instances):
                if plain_geo or _geometries(was) != _geometries(instances):
                    put[f"places.{key(name)}"] = _places(instances, plain_geo)
            elif _has_geometry(was):
                drop[f"places.{key(name)}"] = ""
    for name in old.keys() - after.attributes.keys():
        drop[f"attrs.{key(name)}"] = ""
        if _has_geometry(old[name]):
            drop[f"places.{key(name)}"] = ""
    return {"$set": put, "$unset": drop} if drop else {"$set": put}


def entity(stored: Mapping[str, Any]) -> Entity:
    """The entity of a document just decoded, whose parts it takes over and changes in place."""
    return Entity(
        stored["_id"],
        stored["types"],
        _restored_attributes(stored["attrs"]),
        stored["scope"],
        stored["createdAt"],
        stored["modifiedAt"],
        stored.get("expiresAt"),
        int(stored["v"]),
    )


def geo_properties(before: Entity | None, after: Entity) -> Iterator[str]:
    """The attributes, by IRI, that a write brings and that have a GeoProperty among their instances."""
    old = {} if before is None else before.attributes
    for name, instances in after.attributes.items():
        if old.get(name) is not instances and _has_geometry(instances):
            yield name


def _stored_attributes(attributes: Attributes, depth: int) -> Document:
    return {
        key(name): [_stored_instance(instance, depth) for instance in instances]
        for name, instances in attributes.items()
    }


def _stored_instance(instance: Instance, depth: int) -> Document:
    """The instance itself where it can be stored as it is; `depth` is that of the attribute it belongs to."""
    members = cast("Document", instance)
    stored = members
    for name, member in members.items():
        kind = type(member)
        if kind is str or kind in _PLAIN or (kind is int and -_INT64 <= member < _INT64):
            continue
        if stored is members:
            stored = dict(members)
        if name == "subs":
            stored[name] = _stored_attributes(member, depth + _ATTRIBUTE_DEPTH)
        else:
            stored[name] = _stored_value(member, depth + _ATTRIBUTE_DEPTH)
    if members["type"] not in _OWN_VALUE and (target := target_value(cast("Instance", stored))) is not None:
        if stored is members:
            stored = dict(members)
        stored["value"] = target
    return stored


def _has_geometry(instances: Sequence[Instance]) -> bool:
    for instance in instances:  # noqa: SIM110  a loop takes a third of the time that any() does
        if instance["type"] == "GeoProperty":
            return True
    return False


def _geometries(instances: Sequence[Instance]) -> list[tuple[Any, str | None]]:
    """Of the GeoProperties among the instances, what `places` depends on."""
    return [(one["value"], one.get("expiresAt")) for one in instances if one["type"] == "GeoProperty"]


def _places(instances: Sequence[Instance], plain_geo: bool) -> list[Document]:
    places: list[Document] = []
    for value, expires_at in _geometries(instances):
        geometry = None if plain_geo else indexable(value)
        if geometry is not None:
            places.append({"geo": geometry} if expires_at is None else {"geo": geometry, "expiresAt": expires_at})
    return places


def _stored_value(value: Any, depth: int) -> Any:
    kind = type(value)
    if kind is dict or kind is list:
        if depth >= MAX_DEPTH:
            raise bad_request_data(
                "an attribute of the entity is nested too deep: "
                f"objects and arrays may stand in each other up to about {MAX_DEPTH // _ATTRIBUTE_DEPTH} times"
            )
        depth += 1
        if kind is list:
            return [item if type(item) in _PLAIN else _stored_value(item, depth) for item in value]
        return {key(name): item if type(item) in _PLAIN else _stored_value(item, depth) for name, item in value.items()}
    if kind is int and not -_INT64 <= value < _INT64:
        if not -_DECIMAL128 < value < _DECIMAL128:
            raise bad_request_data(f"the integer {str(value)[:40]}… has more than the 34 digits that can be kept")
        return Decimal128(str(value))
    return value


def _restored_attributes(stored: Document) -> Attributes:
    attributes: Attributes = {}
    for name, instances in stored.items():
        for instance in instances:
            if instance["type"] not in _OWN_VALUE:
                instance.pop("value", None)
            for member_name, member in instance.items():
                if type(member) in _COMPOSITE:
                    restored = _restored_attributes if member_name == "subs" else _restored_value
                    instance[member_name] = restored(member)
        attributes[iri(name)] = instances
    return attributes


def _restored_value(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {iri(name): _restored_value(item) if type(item) in _COMPOSITE else item for name, item in value.items()}
    if kind is list:
        return [_restored_value(item) if type(item) in _COMPOSITE else item for item in value]
    return int(value.to_decimal()) if kind is Decimal128 else int(value)
