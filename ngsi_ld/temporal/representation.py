"""A temporal evolution as JSON: normalized (4.5.7, 4.5.8), simplified (4.5.9) and aggregated (4.5.19)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

from ngsi_ld.attributes import KINDS, NULL
from ngsi_ld.entity import Attributes, Instance
from ngsi_ld.names import Names
from ngsi_ld.representation import Form, View, render_instance
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.aggregation import Summary, result

SCOPE = "scope"


class TemporalForm(Enum):
    """The representations of a temporal evolution by their name in `format` and `options` (6.3.12)."""

    NORMALIZED = "normalized"
    TEMPORAL_VALUES = "temporalValues"
    AGGREGATED_VALUES = "aggregatedValues"


@dataclass(frozen=True, slots=True)
class Evolution:
    """What is shown of an entity's history: instances by attribute IRI, each list in order of time.

    Instances have, besides what `Instance` has, `instanceId` and, where they mark a deletion, `deletedAt`. `scope` has
    instances whose value is the list of scopes; None where nothing of the scope is shown.
    """

    id: str
    types: list[str]
    attributes: Attributes = field(default_factory=dict)
    scope: list[dict[str, Any]] | None = None
    created_at: str = ""
    modified_at: str = ""
    deleted_at: str | None = None


Series = tuple[str, str | None, str]
"""Attribute IRI, datasetId, kind."""


def render_normalized(evolution: Evolution, names: Names, view: View) -> dict[str, Any]:
    """Each attribute as the list of its instances; empty where the projection leaves nothing."""
    rendered = _entity_members(evolution, names, view)
    for iri, listed in evolution.attributes.items():
        rendered[names.term(iri)] = [_instance(one, names, view) for one in listed]
    if evolution.scope is not None:
        hidden = () if view.sys_attrs else ("createdAt", "modifiedAt")
        rendered[SCOPE] = [
            {name: _scopes(value) if name == "value" else value for name, value in one.items() if name not in hidden}
            for one in evolution.scope
        ]
    return rendered


def render_values(evolution: Evolution, names: Names, view: View, timeproperty: str) -> dict[str, Any]:
    """Each attribute as pairs of value and time; an instance without `timeproperty` has no pair."""
    rendered = _entity_members(evolution, names, view)
    simplified = View(form=Form.SIMPLIFIED, languages=view.languages)
    for iri, listed in evolution.attributes.items():
        parts = []
        for (dataset_id, kind), several in _by_dataset(listed).items():
            pairs = [
                [_value(one, names, simplified), cast("dict[str, Any]", one)[timeproperty]]
                for one in several
                if timeproperty in one
            ]
            member = KINDS[kind].plural
            if view.languages is not None and kind == "LanguageProperty":
                kind, member = "Property", KINDS["Property"].plural
            dataset = {} if dataset_id is None else {"datasetId": dataset_id}
            if pairs or not listed:
                parts.append({"type": kind, **dataset, member: pairs})
        if parts:
            rendered[names.term(iri)] = parts[0] if len(parts) == 1 else parts
        elif not listed:
            rendered[names.term(iri)] = {"type": "Property", "values": []}
    if evolution.scope:
        pairs = [[_scopes(one["value"]), one[timeproperty]] for one in evolution.scope if timeproperty in one]
        rendered[SCOPE] = {"type": "Property", "values": pairs}
    return rendered


def render_aggregated(
    evolution: Evolution,
    aggregates: Mapping[Series, Mapping[tuple[int, int], Summary]],
    methods: Sequence[str],
    names: Names,
    view: View,
) -> dict[str, Any]:
    """Each attribute with a member per method: result, start and end of each period, in order of time."""
    rendered = _entity_members(evolution, names, view)
    by_name: dict[str, list[dict[str, Any]]] = {}
    for (iri, dataset_id, kind), by_period in sorted(aggregates.items(), key=lambda one: (one[0][0], one[0][1] or "")):
        shown: dict[str, Any] = {"type": kind, **({} if dataset_id is None else {"datasetId": dataset_id})}
        for method in methods:
            shown[method] = [
                [result(method, summary), instants.show(start), instants.show(end)]
                for (start, end), summary in sorted(by_period.items())
            ]
        by_name.setdefault(names.term(iri), []).append(shown)
    for name, parts in by_name.items():
        rendered[name] = parts[0] if len(parts) == 1 else parts
    return rendered


def _entity_members(evolution: Evolution, names: Names, view: View) -> dict[str, Any]:
    types = [names.term(iri) for iri in evolution.types]
    rendered: dict[str, Any] = {"id": evolution.id, "type": types[0] if len(types) == 1 else types}
    if view.sys_attrs:
        rendered["createdAt"] = evolution.created_at
        rendered["modifiedAt"] = evolution.modified_at
        if evolution.deleted_at is not None:
            rendered["deletedAt"] = evolution.deleted_at
    if view.pick is None and view.omit is None:
        return rendered
    return {
        name: value
        for name, value in rendered.items()
        if (view.pick is None or name in view.pick) and (view.omit is None or name not in view.omit)
    }


def _instance(one: Instance, names: Names, view: View) -> dict[str, Any]:
    if "deletedAt" in one:
        kept = {name: value for name, value in one.items() if name not in ("createdAt", "modifiedAt", "subs")}
        system = {"createdAt": one["createdAt"], "modifiedAt": one["modifiedAt"]} if view.sys_attrs else {}
        return kept | system
    return cast("dict[str, Any]", render_instance(one, names, view))


def _value(one: Instance, names: Names, view: View) -> Any:
    if "deletedAt" in one:
        return {"languageMap": {"@none": NULL}} if one["type"] == "LanguageProperty" else NULL
    return render_instance(one, names, view)


def _by_dataset(listed: list[Instance]) -> dict[tuple[str | None, str], list[Instance]]:
    parts: dict[tuple[str | None, str], list[Instance]] = {}
    for one in listed:
        parts.setdefault((one.get("datasetId"), one["type"]), []).append(one)
    return parts


def _scopes(value: list[str]) -> Any:
    return value[0] if len(value) == 1 else value
