"""From the internal entity to JSON: normalized, concise, simplified and GeoJSON (4.5.2 to 4.5.4, 4.5.16, 4.5.17).

Names are compacted with the reader's @context; what has expired is not there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from dataclasses import replace as with_
from enum import Enum
from typing import Any, Protocol, cast

from ngsi_ld.attributes import KINDS, VALUE_MEMBERS
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.expansion.members import is_geometry
from ngsi_ld.expiry import expired
from ngsi_ld.names import Names

LOCATION = "https://uri.etsi.org/ngsi-ld/location"

_HIDDEN = ("createdAt", "modifiedAt", "expiresAt", "subs")
_NAMED_MEMBERS = ("vocab", "objectType", "valueType")
_AMBIGUOUS = VALUE_MEMBERS | {"type", "@type"}


class Form(Enum):
    """The representations of an entity by their name in `format` and `options` (6.3.7)."""

    NORMALIZED = "normalized"
    CONCISE = "concise"
    SIMPLIFIED = "simplified"
    KEY_VALUES = "keyValues"


class Languages(Protocol):
    """A language filter (4.15): chooses from `{"fr": …, "en": …}` the text to show, with its tag."""

    def best(self, language_map: dict[str, Any]) -> tuple[str, Any]:
        """The tag that is used, and the text or texts under it."""
        ...


@dataclass(frozen=True, slots=True)
class View:
    """What of an entity is shown and how.

    `attributes` are the IRIs of `attrs`: id, type and scope stay. `pick` and `omit` hold IRIs and the member names
    `id`, `type`, `scope`. `dataset_ids` has "@none" for the default instance. None means no restriction. `linked` has
    the views of linked entities by the IRI of the Relationship, where `pick` or `omit` say something of them.
    """

    form: Form = Form.NORMALIZED
    sys_attrs: bool = False
    attributes: Set[str] | None = None
    pick: Set[str] | None = None
    omit: Set[str] | None = None
    dataset_ids: Set[str] | None = None
    languages: Languages | None = None
    linked: Mapping[str, "View"] = field(default_factory=dict)

    def through(self, relationship: str) -> "View":
        """The view of the entities that a Relationship leads to: the same form, and all their members if none named."""
        named = self.linked.get(relationship)
        return named if named is not None else with_(self, attributes=None, pick=None, omit=None, linked={})


NORMALIZED = View()

_Render = Callable[[Instance, Names, View, str], Any]


def render(entity: Entity, names: Names, view: View, now: str) -> dict[str, Any]:
    """The entity as JSON; without a member left (all is picked away) an empty object.

    `now` is the time by which attribute instances have expired or not.
    """
    rendered: dict[str, Any] = {"id": entity.id, "type": _one_or_list([names.term(iri) for iri in entity.types])}
    if entity.scope:
        rendered["scope"] = _one_or_list(entity.scope)
    if view.sys_attrs:
        if entity.created_at:  # another broker may not have told
            rendered["createdAt"] = entity.created_at
        if entity.modified_at:
            rendered["modifiedAt"] = entity.modified_at
        if entity.expires_at:
            rendered["expiresAt"] = entity.expires_at
    if view.pick is not None or view.omit is not None:
        rendered = {member: value for member, value in rendered.items() if _shown(member, view)}
    simplified = view.form is Form.SIMPLIFIED or view.form is Form.KEY_VALUES
    render_one = _RENDER[view.form]
    for iri, live in shown_attributes(entity, view, now):
        if simplified and (len(live) > 1 or "datasetId" in live[0]):
            rendered[names.term(iri)] = {
                "dataset": {one.get("datasetId", "@none"): render_one(one, names, view, now) for one in live}
            }
        elif len(live) == 1:
            rendered[names.term(iri)] = render_one(live[0], names, view, now)
        else:
            rendered[names.term(iri)] = [render_one(one, names, view, now) for one in live]
    return rendered


def shown_attributes(entity: Entity, view: View, now: str) -> Iterator[tuple[str, list[Instance]]]:
    """The attributes that the view shows, by IRI, each with those of its instances that are shown, at least one."""
    attributes, dataset_ids = view.attributes, view.dataset_ids
    projected = view.pick is not None or view.omit is not None
    for iri, instances in entity.attributes.items():
        if (attributes is not None and iri not in attributes) or (projected and not _shown(iri, view)):
            continue
        live = instances
        if len(instances) > 1 or "expiresAt" in instances[0]:
            live = [one for one in instances if "expiresAt" not in one or not expired(one["expiresAt"], now)]
        if dataset_ids is not None:
            live = [one for one in live if one.get("datasetId", "@none") in dataset_ids]
        if live:
            yield iri, live


def render_feature(entity: Entity, names: Names, view: View, now: str, geometry_property: str) -> dict[str, Any]:
    """The entity as a GeoJSON Feature whose geometry is that of the GeoProperty with this IRI, or null (4.5.16)."""
    return as_feature(render(entity, names, view, now), entity, view, now, geometry_property)


def as_feature(
    properties: dict[str, Any], entity: Entity, view: View, now: str, geometry_property: str
) -> dict[str, Any]:
    """The Feature of an entity that is rendered already: its members become the properties, its id goes outside."""
    feature: dict[str, Any] = {"id": entity.id, "type": "Feature", "geometry": None, "properties": properties}
    properties.pop("id", None)
    wanted = view.dataset_ids or {"@none"}
    for one in entity.attributes.get(geometry_property, ()):
        live = "expiresAt" not in one or not expired(one["expiresAt"], now)
        if one["type"] == "GeoProperty" and live and one.get("datasetId", "@none") in wanted:
            feature["geometry"] = one["value"]
            break
    return feature


def feature_collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection (4.5.17)."""
    return {"type": "FeatureCollection", "features": list(features)}


def _shown(member: str, view: View) -> bool:
    return (view.pick is None or member in view.pick) and (view.omit is None or member not in view.omit)


def _one_or_list(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values


def _normalized(instance: Instance, names: Names, view: View, now: str) -> dict[str, Any]:
    if view.languages is not None and instance["type"] == "LanguageProperty":
        instance = _in_language(instance, view.languages)
    members = _visible(instance)
    _complete(members, instance, names, view, now)
    return members


def _visible(instance: Instance) -> dict[str, Any]:
    """The members that are shown as they are. To copy all and drop a few is quicker than to choose."""
    members = cast("dict[str, Any]", instance).copy()
    for hidden in _HIDDEN:
        members.pop(hidden, None)
    return members


def _concise(instance: Instance, names: Names, view: View, now: str) -> Any:
    if view.languages is not None and instance["type"] == "LanguageProperty":
        instance = _in_language(instance, view.languages)
    members = _visible(instance)
    del members["type"]
    _complete(members, instance, names, view, now)
    if "objectList" in members:
        members["objectList"] = [one["object"] for one in members["objectList"]]
    if "value" in members:
        value = members["value"]
        if instance["type"] == "Property" and is_geometry(value):
            return {"type": "Property", **members}
        if len(members) == 1 and (instance["type"] == "GeoProperty" or not _ambiguous(value)):
            return value
    return members


def value_of(instance: Instance, names: Names, languages: Languages | None) -> Any:
    """The value of an instance by itself: 21.5, a URI, a language map or with `languages` one text of it, …"""
    kind = instance["type"]
    value: Any = instance.get(KINDS[kind].member)
    if kind == "LanguageProperty" and languages is not None:
        return languages.best(value)[1]
    if kind == "VocabProperty":
        return _terms(value, names)
    return [one["object"] for one in value] if kind == "ListRelationship" else value


def _simplified(instance: Instance, names: Names, view: View, _now: str) -> Any:
    kind = instance["type"]
    value: Any = instance.get(KINDS[kind].member)
    if kind == "LanguageProperty":
        return {"languageMap": value} if view.languages is None else view.languages.best(value)[1]
    if kind == "JsonProperty":
        return {"json": value}
    if kind == "VocabProperty":
        return {"vocab": _terms(value, names)}
    if kind == "ListRelationship":
        return [one["object"] for one in value]
    return value


_RENDER: dict[Form, _Render] = {
    Form.NORMALIZED: _normalized,
    Form.CONCISE: _concise,
    Form.SIMPLIFIED: _simplified,
    Form.KEY_VALUES: _simplified,
}


def render_instance(instance: Instance, names: Names, view: View) -> Any:
    """One instance by itself in the form of the view, whether or not it has expired: an instance of a history."""
    return _RENDER[view.form](instance, names, view, "")


def _complete(members: dict[str, Any], instance: Instance, names: Names, view: View, now: str) -> None:
    """Adds what needs the @context or was asked for: terms, sub-attributes, system attributes."""
    for member in _NAMED_MEMBERS:
        if member in members:
            members[member] = _terms(members[member], names)
    if "subs" in instance:
        render_one = _RENDER[view.form]
        for iri, instances in instance["subs"].items():
            rendered = [
                render_one(one, names, view, now)
                for one in instances
                if "expiresAt" not in one or not expired(one["expiresAt"], now)
            ]
            if rendered:
                members[names.term(iri)] = rendered[0] if len(rendered) == 1 else rendered
    if view.sys_attrs:
        for time in ("createdAt", "modifiedAt"):
            if instance.get(time):
                members[time] = instance[time]
        if "expiresAt" in instance:
            members["expiresAt"] = instance["expiresAt"]


def _in_language(instance: Instance, languages: Languages) -> Instance:
    tag, text = languages.best(instance["languageMap"])
    members = {member: value for member, value in instance.items() if member != "languageMap"}
    return cast("Instance", {**members, "type": "Property", "value": text, "lang": tag})


def _terms(value: Any, names: Names) -> Any:
    return [names.term(one) for one in value] if isinstance(value, list) else names.term(value)


def _ambiguous(value: Any) -> bool:
    """Whether a bare value would be read back as something else than the value of a Property."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) and not _AMBIGUOUS.isdisjoint(one) for one in value)
    return isinstance(value, dict) and not _AMBIGUOUS.isdisjoint(value)
