"""What is written, as JSON for a source: normalized, which every source understands (4.3.6.1), with nulls as they came.

Unlike a representation for a reader it has expiresAt, and what has expired, but no time of creation or change.
"""

from collections.abc import Sequence
from typing import Any

from ngsi_ld.attributes import NULL
from ngsi_ld.entity import Entity, Instance
from ngsi_ld.expansion import Fragment
from ngsi_ld.names import Names
from ngsi_ld.representation import Form, View, render_instance
from ngsi_ld.temporal.expansion import EntityTemporal

_NOT_SENT = frozenset({"createdAt", "modifiedAt", "subs"})
_NAMED = frozenset({"vocab", "objectType", "valueType"})
_SIMPLIFIED = View(form=Form.SIMPLIFIED)


def written(subject: Entity | Fragment, names: Names) -> dict[str, Any]:
    """An entity or a fragment of one with all that it brings; a fragment that came simplified stays so."""
    body: dict[str, Any] = {} if subject.id is None else {"id": subject.id}
    if subject.types:
        body["type"] = _one_or_list([names.term(iri) for iri in subject.types])
    if subject.scope:
        body["scope"] = _one_or_list(subject.scope)
    elif subject.scope is not None and isinstance(subject, Fragment):
        body["scope"] = NULL
    if subject.expires_at is not None:
        body["expiresAt"] = subject.expires_at or NULL
    if isinstance(subject, Fragment) and subject.simplified:
        for iri, instances in subject.attributes.items():
            body[names.term(iri)] = _simplified(instances, names)
    else:
        for iri, instances in subject.attributes.items():
            body[names.term(iri)] = _one_or_list([written_instance(one, names) for one in instances])
    return body


def written_temporal(subject: EntityTemporal, names: Names) -> dict[str, Any]:
    """Instances of the past of an entity: each attribute, and the scope, as a list of them."""
    body: dict[str, Any] = {"id": subject.id}
    if subject.types:
        body["type"] = _one_or_list([names.term(iri) for iri in subject.types])
    if subject.scope:
        body["scope"] = [
            {"type": "Property", "value": one.scopes}
            | ({} if one.observed_at is None else {"observedAt": one.observed_at})
            for one in subject.scope
        ]
    for iri, instances in subject.attributes.items():
        body[names.term(iri)] = [written_instance(one, names) for one in instances]
    return body


def written_instance(instance: Instance, names: Names) -> dict[str, Any]:
    """One instance of an attribute, or the members of one that are to be changed."""
    members = {
        member: _terms(value, names) if member in _NAMED else value
        for member, value in instance.items()
        if member not in _NOT_SENT
    }
    for iri, instances in instance.get("subs", {}).items():
        members[names.term(iri)] = _one_or_list([written_instance(one, names) for one in instances])
    return members


def _simplified(instances: Sequence[Instance], names: Names) -> Any:
    if len(instances) == 1 and "datasetId" not in instances[0]:
        return render_instance(instances[0], names, _SIMPLIFIED)
    return {"dataset": {one.get("datasetId", "@none"): render_instance(one, names, _SIMPLIFIED) for one in instances}}


def _terms(value: Any, names: Names) -> Any:
    if value == NULL:
        return value
    return [names.term(one) for one in value] if isinstance(value, list) else names.term(value)


def _one_or_list(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)
