"""Linked entity retrieval (GS CIM 009 v1.9.1, 4.5.23): what the Relationships of an entity lead to, inline or flat.

An answer is a `Node` for each linking entity. `links` tells where one leads; who can read entities hangs the next
nodes into `linked`, level by level (`broker.operations.linked`), and `render_inline` shows the tree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ngsi_ld.entity import Entity, Instance
from ngsi_ld.names import Names
from ngsi_ld.representation import Form, View, render, shown_attributes

_SIMPLIFIED = frozenset({Form.SIMPLIFIED, Form.KEY_VALUES})


class Join(Enum):
    """How linked entities come: within the Relationship that leads to them, or after the linking entities."""

    INLINE = "inline"
    FLAT = "flat"


@dataclass(frozen=True, slots=True)
class Linking:
    """What a request asks: `levels` links are followed, never to an entity in `contained_by` (`join`, `joinLevel`)."""

    join: Join
    levels: int = 1
    contained_by: frozenset[str] = frozenset()


@dataclass(slots=True)
class Node:
    """An entity of the answer, how it is shown, and the nodes shown within it by (Relationship IRI, target id)."""

    entity: Entity
    view: View
    linked: "dict[tuple[str, str], Node]" = field(default_factory=dict)


def every(nodes: Iterable[Node]) -> Iterator[Node]:
    """The nodes and all that hang from them."""
    for node in nodes:
        yield node
        yield from every(node.linked.values())


def links(node: Node, now: str) -> Iterator[tuple[str, str]]:
    """(IRI, target id) of each Relationship and ListRelationship that the node's view shows, in their order.

    Sub-attributes are not followed: the simplified forms could not show what they lead to.
    """
    for iri, instances in shown_attributes(node.entity, node.view, now):
        for instance in instances:
            for target in _targets(instance):
                yield iri, target


def render_inline(node: Node, names: Names, now: str) -> dict[str, Any]:
    """The entity as JSON with its linked entities inside: `entity`, `entityList`, or in the place of the URI."""
    rendered = render(node.entity, names, node.view, now)
    if not node.linked:
        return rendered
    simplified = node.view.form in _SIMPLIFIED
    followed = {iri for iri, _ in node.linked}
    for iri, instances in shown_attributes(node.entity, node.view, now):
        if iri not in followed:
            continue
        within = {target: render_inline(one, names, now) for (via, target), one in node.linked.items() if via == iri}
        term = names.term(iri)
        if simplified:
            values = [_simplified(one, within) for one in instances]
            if len(instances) > 1 or "datasetId" in instances[0]:
                ids = [one.get("datasetId", "@none") for one in instances]
                rendered[term] = {"dataset": dict(zip(ids, values, strict=True))}
            else:
                rendered[term] = values[0]
        else:
            shown = rendered[term] if len(instances) > 1 else [rendered[term]]
            for instance, members in zip(instances, shown, strict=True):
                _add(instance, members, within)
    return rendered


def _targets(instance: Instance) -> list[str]:
    if instance["type"] == "Relationship":
        target = instance["object"]
        return [target] if isinstance(target, str) else target
    if instance["type"] == "ListRelationship":
        return [one["object"] for one in instance["objectList"]]
    return []


def _add(instance: Instance, members: dict[str, Any], within: dict[str, dict[str, Any]]) -> None:
    """Adds `entity` beside `object`, or `entityList` beside `objectList`, for the targets that were found."""
    found = [within[target] for target in _targets(instance) if target in within]
    if not found:
        return
    if instance["type"] == "ListRelationship":
        members["entityList"] = found
    else:
        members["entity"] = found[0] if isinstance(instance["object"], str) else found


def _simplified(instance: Instance, within: dict[str, dict[str, Any]]) -> Any:
    """The targets of an instance, those that were found as entities, the others as their URIs."""
    shown = [within.get(target, target) for target in _targets(instance)]
    single = instance["type"] == "Relationship" and isinstance(instance["object"], str)
    return shown[0] if single else shown
