"""A new value for an attribute instance that is there, whatever its kind (attribute value resource)."""

from typing import Any

from ngsi_ld.attributes import KINDS, NULL
from ngsi_ld.entity import Entity
from ngsi_ld.errors import bad_request_data
from ngsi_ld.expansion import Fill, expand_attribute
from ngsi_ld.mutations.attributes import existing
from ngsi_ld.mutations.merge import partial_update
from ngsi_ld.names import Names


def set_value(
    before: Entity,
    attribute: str,
    value: Any,
    names: Names,
    now: str,
    *,
    dataset_id: str | None = None,
    observed_at: str | None = None,
    lang: str | None = None,
) -> Entity:
    """`value` in the place of the one that the instance has; what else it has stays, but for its observedAt.

    `attribute` is its short name. With `lang`, `value` is the text of a LanguageProperty in that language. Raises
    ResourceNotFound for an instance that is not there, BadRequestData for a value that its kind cannot have.
    """
    name = names.iri(attribute)
    old = existing(before, name, dataset_id)
    kind = KINDS[old["type"]]
    if lang is not None:
        if kind.name != "LanguageProperty":
            raise bad_request_data(f"lang is for a LanguageProperty, and {attribute} is a {kind.name}")
        value = {**old["languageMap"], lang: value}
    fragment = {"type": kind.name, kind.member: value}
    if dataset_id is not None:
        fragment["datasetId"] = dataset_id
    if observed_at is not None or "observedAt" in old:
        fragment["observedAt"] = observed_at or NULL
    (instance,) = expand_attribute(attribute, fragment, names, now, Fill.PART)
    return partial_update(before, name, instance, now)
