"""What goes out: every form of 4.5, and that the lossless ones come back as they went (property-based)."""

from hypothesis import given
from hypothesis import strategies as st

from ngsi_ld.context import CORE
from ngsi_ld.expansion import expand_entity
from ngsi_ld.representation import Form, View, render, render_feature

NOW = "2026-11-23T10:00:00.000Z"
LATER = "2026-11-23T12:00:00.000Z"
ROOM = {
    "id": "urn:ngsi-ld:Room:1",
    "type": "Room",
    "scope": ["/BldA/F1", "/BldA/F2"],
    "temperature": [
        {"type": "Property", "value": 21.5, "unitCode": "CEL", "observedAt": "2026-01-01T10:00:00Z"},
        {"type": "Property", "value": 21.9, "datasetId": "urn:ds:b"},
    ],
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.364, 48.957]}},
    "label": {"type": "LanguageProperty", "languageMap": {"fr": "Labo", "de": "Labor"}},
    "cfg": {"type": "JsonProperty", "json": {"id": 7, "value": None}},
    "cat": {"type": "VocabProperty", "vocab": "office"},
    "steps": {"type": "ListProperty", "valueList": [1, 2, 3]},
    "inside": {"type": "Relationship", "object": "urn:ngsi-ld:Floor:1", "objectType": "Floor"},
    "path": {"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}, {"object": "urn:x:2"}]},
}
CONCISE = {
    "id": "urn:ngsi-ld:Room:1",
    "type": "Room",
    "scope": ["/BldA/F1", "/BldA/F2"],
    "temperature": [
        {"value": 21.5, "unitCode": "CEL", "observedAt": "2026-01-01T10:00:00Z"},
        {"value": 21.9, "datasetId": "urn:ds:b"},
    ],
    "location": {"type": "Point", "coordinates": [4.364, 48.957]},
    "label": {"languageMap": {"fr": "Labo", "de": "Labor"}},
    "cfg": {"json": {"id": 7, "value": None}},
    "cat": {"vocab": "office"},
    "steps": {"valueList": [1, 2, 3]},
    "inside": {"object": "urn:ngsi-ld:Floor:1", "objectType": "Floor"},
    "path": {"objectList": ["urn:x:1", "urn:x:2"]},
}


def entity(body):
    return expand_entity(body, CORE, NOW)


def shown(body, now=NOW, **view):
    return render(entity(body), CORE, View(**view), now)


def test_normalized():
    assert shown(ROOM) == ROOM


def test_concise():
    assert shown(ROOM, form=Form.CONCISE) == CONCISE


def test_simplified():
    assert shown(ROOM, form=Form.SIMPLIFIED) == {
        "id": "urn:ngsi-ld:Room:1",
        "type": "Room",
        "scope": ["/BldA/F1", "/BldA/F2"],
        "temperature": {"dataset": {"@none": 21.5, "urn:ds:b": 21.9}},
        "location": {"type": "Point", "coordinates": [4.364, 48.957]},
        "label": {"languageMap": {"fr": "Labo", "de": "Labor"}},
        "cfg": {"json": {"id": 7, "value": None}},
        "cat": {"vocab": "office"},
        "steps": [1, 2, 3],
        "inside": "urn:ngsi-ld:Floor:1",
        "path": ["urn:x:1", "urn:x:2"],
    }


def test_feature():
    room = entity({"id": "urn:x:1", "type": "Room", "location": ROOM["location"], "level": 2})

    feature = render_feature(
        room, CORE, View(form=Form.SIMPLIFIED), NOW, geometry_property="https://uri.etsi.org/ngsi-ld/location"
    )

    assert feature == {
        "id": "urn:x:1",
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [4.364, 48.957]},
        "properties": {"type": "Room", "location": ROOM["location"]["value"], "level": 2},
    }


def test_system_attributes_everywhere_or_nowhere():
    body = {"id": "urn:x:1", "type": "Room", "a": {"value": 1, "b": {"value": 2}}}

    assert "createdAt" not in str(shown(body))
    times = {"createdAt": NOW, "modifiedAt": NOW}
    assert shown(body, sys_attrs=True) == {
        "id": "urn:x:1",
        "type": "Room",
        **times,
        "a": {"type": "Property", "value": 1, "b": {"type": "Property", "value": 2, **times}, **times},
    }


def test_what_has_expired_is_not_there():
    body = {"id": "urn:x:1", "type": "Room", "a": {"value": 1, "expiresAt": "2026-11-23T11:00:00Z"}, "b": 2}

    assert list(shown(body)) == ["id", "type", "a", "b"]
    assert list(shown(body, now=LATER)) == ["id", "type", "b"]


def test_projections():
    a, b = "https://uri.etsi.org/ngsi-ld/default-context/a", "https://uri.etsi.org/ngsi-ld/default-context/b"
    body = {"id": "urn:x:1", "type": "Room", "a": 1, "b": 2}

    assert list(shown(body, attributes={a})) == ["id", "type", "a"]
    assert list(shown(body, pick={"id", b})) == ["id", "b"]
    assert list(shown(body, omit={"type", b})) == ["id", "a"]
    assert shown(body, pick={"scope"}) == {}


JSON = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "value", "x", "$y.z"]), inner),
    max_leaves=8,
)


@given(JSON)
def test_normalized_and_concise_come_back_as_they_went(value):
    sent = entity({"id": "urn:x:1", "type": "Room", "a": {"type": "Property", "value": value}})

    for form in (Form.NORMALIZED, Form.CONCISE):
        assert entity(render(sent, CORE, View(form=form), NOW)) == sent
