"""The API under requests made from its own OpenAPI document: whatever comes, no failure of ours and no hang.

A few hundred requests in the normal suite; `BEFFROI_FUZZ=20000 pytest tests/api/test_fuzz.py` makes so many.
"""

import os

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, openapi

from broker.api.openapi import document

REQUESTS = int(os.environ.get("BEFFROI_FUZZ", "300"))
SECONDS = 15
MEANT = {503, 504, 507}
"""The database is away, an @context cannot be had, there is no room for a snapshot: said on purpose, in a sentence."""

HEADERS = {"NGSILD-Tenant": "fuzz"}
IDS = [f"urn:ngsi-ld:Fuzz:{number}" for number in range(3)]
NAMES = ["name", "place", "knows", "label", "json", "urn:x:y", "scope", "a.b", "$where", "\u00e9t\u00e9", "nothing"]
IN_PATH = {
    "entityId": st.sampled_from([*IDS, "urn:ngsi-ld:Fuzz:none", "no uri", "urn:a:%00"]),
    "attrId": st.sampled_from(NAMES),
    "type": st.sampled_from(["Fuzz", "urn:x:y", "$where"]),
}
TEXTS = {
    "q": [
        'name=="a"',
        "name",
        "knows{name}==1",
        "a.b[c.d]>=2..3",
        'x~="(a+)+$"',
        "((((",
        "label[en]!=1,2",
        "createdAt>1",
    ],
    "type": ["Fuzz", "*", "(Fuzz;Other)|x:y", "("],
    "pick": ["id,name", "knows{id,knows{name}}", "name,name", "{"],
    "omit": ["name", "knows{name}", "id|type"],
    "attrs": ["name,place", "id"],
    "georel": ["near;maxDistance==5", "within", "near", "equals"],
    "geometry": ["Point", "Polygon", "Circle"],
    "coordinates": ["[4,48]", "[[[4,48],[5,48],[5,49],[4,48]]]", "[[]]", "[1e400,0]", "{"],
    "orderBy": ["name,place;dist-asc", "id;desc", "label[en],knows.name", ";"],
    "orderFrom": ["[4,48]", "4,48"],
    "collation": ["und-x-icu", "fr-u-ks-level1", "xx", "de-u-co-nothing"],
    "scopeQ": ["/a/#", "/+;/b", "/#"],
    "idPattern": ["Fuzz:[12]$", "(", "(a*)*b"],
    "lang": ["fr;q=0.5,en", "*", "-"],
    "join": ["inline", "flat", "@none"],
    "joinLevel": ["1", "3", "0"],
    "cursor": ["WyJhIiwiYiJd", "x"],
    "observedAt": ["2026-11-23T08:00:00Z", "2026-13-45T00:00:00Z"],
}
"""Texts of the query languages, right and nearly right, that a schema cannot say."""

OPERATIONS = [
    operation
    for operation in (found.ok() for found in openapi.from_dict(document()).get_all_operations())
    if "text/event-stream" not in str(operation.definition.raw)  # such an answer has no end to wait for
]


@pytest.fixture(scope="module", autouse=True)
def entities(broker):
    bodies = [
        {
            "id": one,
            "type": "Fuzz",
            "name": "a",
            "place": {"type": "Point", "coordinates": [4.36, 48.95]},
            "knows": {"object": IDS},
            "label": {"languageMap": {"en": "x", "fr": ["y"]}},
        }
        for one in IDS
    ]
    answer = requests.post(f"{broker.url}/ngsi-ld/v1/entityOperations/upsert", json=bodies, headers=HEADERS, timeout=9)
    assert answer.status_code in (201, 204), answer.text


@st.composite
def cases(draw, operation):
    mode = draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    case = draw(operation.as_strategy(generation_mode=mode))
    if draw(st.booleans()):
        known = {name: draw(IN_PATH[name]) for name in case.path_parameters or {} if name in IN_PATH}
        case.path_parameters = {**(case.path_parameters or {}), **known}
        named = {parameter.name for parameter in operation.query} & TEXTS.keys()
        for name in draw(st.lists(st.sampled_from(sorted(named)), max_size=4)) if named else ():
            case.query = {**(case.query or {}), name: draw(st.sampled_from(TEXTS[name]))}
    # Each tenant is a database: one is enough to look for faults in.
    case.headers = {**(case.headers or {}), **HEADERS}
    return case


@pytest.mark.timeout(0 if REQUESTS > 1000 else 120)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_no_failure_and_no_hang(broker, operation):
    @settings(
        max_examples=max(1, REQUESTS // len(OPERATIONS)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation))
    def ask(case):
        try:
            answer = case.call(base_url=f"{broker.url}/ngsi-ld/v1", timeout=SECONDS)
        except requests.ConnectionError as error:
            raise AssertionError(f"{case.as_curl_command()}: {error}; the broker says:\n{broker.log()}") from None
        assert answer.status_code < 500 or answer.status_code in MEANT, (case.as_curl_command(), answer.text)
        if answer.status_code >= 400 and answer.status_code not in (411, 415) and operation.method != "head":
            problem = answer.json()
            assert problem["title"]
            assert problem["detail"]

    ask()
    assert requests.get(f"{broker.url}/health/ready", timeout=SECONDS).status_code == 200
