"""Linked entities rendered within the Relationships that lead to them (4.5.23.2)."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.expansion import expand_entity
from ngsi_ld.linked import Node, every, links, render_inline
from ngsi_ld.representation import Form, View

NOW = "2026-11-23T08:00:00.000Z"
IN = CORE.iri("in")


def node(body, view, **linked):
    """A node with what hangs from its Relationship `in`."""
    one = Node(expand_entity(body, CORE, NOW), view)
    for name, child in linked.items():
        one.linked[IN, f"urn:x:{name}"] = child
    return one


def street(view):
    return node({"id": "urn:x:s", "type": "Street", "name": "Rue"}, view.through(IN))


def lamp(view, instances, **linked):
    return node({"id": "urn:x:l", "type": "Lamp", "in": instances}, view, **linked)


@pytest.mark.parametrize(
    ("form", "instances", "shown"),
    [
        (
            Form.NORMALIZED,
            {"object": "urn:x:s"},
            {
                "type": "Relationship",
                "object": "urn:x:s",
                "entity": {"id": "urn:x:s", "type": "Street", "name": {"type": "Property", "value": "Rue"}},
            },
        ),
        (
            Form.CONCISE,
            [{"object": "urn:x:s"}, {"object": "urn:x:t", "datasetId": "urn:d:1"}],
            [
                {"object": "urn:x:s", "entity": {"id": "urn:x:s", "type": "Street", "name": "Rue"}},
                {"object": "urn:x:t", "datasetId": "urn:d:1"},
            ],
        ),
        (
            Form.SIMPLIFIED,
            [{"object": ["urn:x:t", "urn:x:s"]}, {"object": "urn:x:t", "datasetId": "urn:d:1"}],
            {
                "dataset": {
                    "@none": ["urn:x:t", {"id": "urn:x:s", "type": "Street", "name": "Rue"}],
                    "urn:d:1": "urn:x:t",
                }
            },
        ),
        (
            Form.KEY_VALUES,
            {"objectList": ["urn:x:s"]},
            [{"id": "urn:x:s", "type": "Street", "name": "Rue"}],
        ),
    ],
)
def test_inline(form, instances, shown):
    view = View(form=form)

    assert render_inline(lamp(view, instances, s=street(view)), CORE, NOW)["in"] == shown


def test_links_are_those_that_the_view_shows():
    instances = [{"object": ["urn:x:s", "urn:x:t"]}, {"object": "urn:x:u", "datasetId": "urn:d:1"}]

    assert list(links(lamp(View(), instances), NOW)) == [(IN, "urn:x:s"), (IN, "urn:x:t"), (IN, "urn:x:u")]
    assert list(links(lamp(View(dataset_ids={"urn:d:1"}), instances), NOW)) == [(IN, "urn:x:u")]
    assert list(links(lamp(View(omit={IN}), instances), NOW)) == []
    expired = {"object": "urn:x:s", "expiresAt": "2026-11-23T07:00:00Z"}
    assert list(links(lamp(View(), expired), NOW)) == []


def test_every_node():
    view = View()
    tree = lamp(view, {"object": "urn:x:s"}, s=street(view))

    assert [one.entity.id for one in every([tree])] == ["urn:x:l", "urn:x:s"]
