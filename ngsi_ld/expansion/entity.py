"""The entity of a request, whole (create, replace, batch) or a fragment of one (update, merge, append): 4.5.1, 5.4."""

from dataclasses import dataclass
from dataclasses import replace as with_
from functools import lru_cache
from typing import Any

from ngsi_ld.attributes import NULL, SYSTEM_MEMBERS, VALUE_MEMBERS
from ngsi_ld.entity import Attributes, Entity
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.expansion.instance import Fill, attribute_iri, expand_attribute
from ngsi_ld.expiry import checked_expiry
from ngsi_ld.names import Names, checked_name, checked_uri
from ngsi_ld.scopes import checked_scopes

ENTITY_MEMBERS = frozenset({"id", "@id", "type", "@type", "scope", "expiresAt", "@context"}) | SYSTEM_MEMBERS
"""What an entity has that is no attribute."""

_SELF_DESCRIBING = ("languageMap", "json", "vocab")
_NOT_ATTRIBUTES = VALUE_MEMBERS | {"datasetId", "instanceId", "observedAt", "unitCode", "objectType", "valueType"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """An Entity Fragment: what is None was not given; an empty `scope` or `expires_at` deletes what is stored."""

    id: str | None
    types: list[str]
    attributes: Attributes
    scope: list[str] | None = None
    expires_at: str | None = None
    simplified: bool = False
    """Whether it came in simplified form, where the kind of an attribute is that of the stored one (5.6.17)."""


def expand_entity(body: Any, names: Names, now: str) -> Entity:
    """A whole entity; raises BadRequestData that names the member at fault, InvalidRequest if it is no JSON object."""
    checked_object(body)
    entity_id = checked_id(body.get("id", body.get("@id")))
    types = _types(body, names)
    if not types:
        raise bad_request_data("type is missing: name the entity's type, such as Streetlight")
    expires_at = body.get("expiresAt")
    return Entity(
        id=entity_id,
        types=types,
        attributes=_attributes(body, names, now, Fill.WHOLE),
        scope=checked_scopes(body["scope"]) if "scope" in body else [],
        created_at=now,
        modified_at=now,
        expires_at=None if expires_at is None else checked_expiry(expires_at),
    )


def expand_simplified(body: Any, names: Names, now: str) -> Fragment:
    """The Entity Fragment of a merge in simplified form (4.5.4): values without their kinds, `dataset` by datasetId."""
    checked_object(body)
    whole = {name: value if name in ENTITY_MEMBERS else _as_concise(value) for name, value in body.items()}
    return with_(expand_fragment(whole, names, now, Fill.MERGE), simplified=True)


def _as_concise(value: Any) -> Any:
    if isinstance(value, dict) and len(value) == 1:
        ((member, inner),) = value.items()
        if member == "dataset" and isinstance(inner, dict):
            return [{**_with_member(one), "datasetId": dataset_id} for dataset_id, one in inner.items()]
    return _with_member(value)


def _with_member(value: Any) -> dict[str, Any]:
    if isinstance(value, dict) and len(value) == 1 and not value.keys().isdisjoint(_SELF_DESCRIBING):
        return value
    return {"value": value}


def expand_fragment(body: Any, names: Names, now: str, fill: Fill) -> Fragment:
    """An Entity Fragment; its `id` and `type` may be left out. NGSI-LD Null stays where `fill` allows it."""
    checked_object(body)
    entity_id = body.get("id", body.get("@id"))
    nulls = fill is not Fill.WHOLE
    scope, expires_at = body.get("scope"), body.get("expiresAt")
    if scope is not None:
        scope = [] if nulls and scope == NULL else checked_scopes(scope)
    if expires_at is not None:
        expires_at = "" if nulls and expires_at == NULL else checked_expiry(expires_at)
    return Fragment(
        id=None if entity_id is None else checked_uri(entity_id, "id"),
        types=_types(body, names),
        attributes=_attributes(body, names, now, fill),
        scope=scope,
        expires_at=expires_at,
    )


def checked_object(body: Any) -> None:
    """InvalidRequest unless the body is a JSON object (TS 001_02)."""
    if type(body) is not dict:
        kind = "a list" if isinstance(body, list) else repr(body)
        raise invalid_request(f"The body must be one JSON object, not {kind}")


def checked_id(value: Any) -> str:
    """The id of an entity: any URI but NGSI-LD Null (5.5.4)."""
    if value == NULL:
        raise bad_request_data(f"id is {NULL}, which stands for deletion and names nothing")
    return checked_uri(value, "id")


_KEYWORDS = frozenset({"@id", "@type"})
"""What the core @context makes of the names id and type."""


def _types(body: dict[str, Any], names: Names) -> list[str]:
    stated = body.get("type", body.get("@type"))
    if stated is None:
        return []
    if type(stated) is str:
        return [_type_iri(stated, names)]
    listed = stated if isinstance(stated, list) else [stated]
    if not listed:
        raise bad_request_data("type must be a name or a list of at least one name")
    if not all(isinstance(name, str) for name in listed):
        raise bad_request_data(f"type must be a name or a list of names, not {stated!r}")
    return list(dict.fromkeys([_type_iri(name, names) for name in listed]))


@lru_cache(maxsize=8192)
def _type_iri(name: str, names: Names) -> str:
    if name == NULL:
        raise bad_request_data(f"type is {NULL}, but a type cannot be deleted (4.16)")
    iri = names.iri(checked_name(name, "type"))
    if iri in _KEYWORDS:
        raise bad_request_data(f"type is {name!r}, which is a member of every entity and cannot name a type (4.5.1)")
    return iri


def _attributes(body: dict[str, Any], names: Names, now: str, fill: Fill) -> Attributes:
    attributes: Attributes = {}
    for name, value in body.items():
        if name in ENTITY_MEMBERS:
            continue
        if name in _NOT_ATTRIBUTES:
            raise bad_request_data(f"{name} is a member of attributes and cannot be the name of one (4.5.1)")
        iri = attribute_iri(name, names)
        if iri in attributes:
            raise bad_request_data(f"{name} stands for {iri}, which another member stands for too")
        attributes[iri] = expand_attribute(name, value, names, now, fill)
    return attributes
