"""What is written as JSON for a source (4.3.6.1, 4.3.6.6, 4.3.6.8)."""

from ngsi_ld.conformance import conforming
from ngsi_ld.context import CORE
from ngsi_ld.expansion import Fill, expand_entity, expand_fragment, expand_simplified
from ngsi_ld.registration.writing import written

NOW = "2026-11-23T08:00:00.000Z"


def test_what_is_concise_is_normalized_and_keeps_all_that_it_has():
    entity = expand_entity(
        {
            "id": "urn:e",
            "type": ["A", "B"],
            "scope": "/a",
            "expiresAt": "2030-01-01T00:00:00Z",
            "speed": [{"value": 1, "source": {"value": "gps"}}, {"value": 2, "datasetId": "urn:d"}],
            "kind": {"vocab": "car"},
        },
        CORE,
        NOW,
    )

    assert written(entity, CORE) == {
        "id": "urn:e",
        "type": ["A", "B"],
        "scope": "/a",
        "expiresAt": "2030-01-01T00:00:00Z",
        "speed": [
            {"type": "Property", "value": 1, "source": {"type": "Property", "value": "gps"}},
            {"type": "Property", "value": 2, "datasetId": "urn:d"},
        ],
        "kind": {"type": "VocabProperty", "vocab": "car"},
    }


def test_nulls_go_as_they_came():
    null = "urn:ngsi-ld:null"
    body = {
        "scope": null,
        "speed": null,
        "size": {"value": 3, "unitCode": null},
        "label": {"languageMap": {"fr": null}},
    }

    assert written(expand_fragment(body, CORE, NOW, Fill.MERGE), CORE) == {
        "scope": null,
        "speed": {"type": "Property", "value": null},
        "size": {"type": "Property", "value": 3, "unitCode": null},
        "label": {"type": "LanguageProperty", "languageMap": {"fr": null}},
    }


def test_what_came_simplified_stays_so():
    body = {"speed": 3, "label": {"languageMap": {"fr": "oui"}}, "many": {"dataset": {"@none": 1, "urn:d": 2}}}

    assert written(expand_simplified(body, CORE, NOW), CORE) == body


def test_a_fragment_for_an_older_source():
    body = {
        "scope": "urn:ngsi-ld:null",
        "label": {"type": "LanguageProperty", "languageMap": {"@none": "urn:ngsi-ld:null"}},
        "kind": {"type": "VocabProperty", "vocab": "car"},
    }

    older = conforming(expand_fragment(body, CORE, NOW, Fill.WHOLE_OR_NULL), (1, 3), CORE)

    assert written(older, CORE) == {
        "label": {"type": "Property", "value": "urn:ngsi-ld:null"},
        "kind": {"type": "Property", "value": "car"},
    }
