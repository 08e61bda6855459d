"""The core @context v1.9 (GS CIM 009 v1.9.1, 4.4 and annex B)."""

import pytest

from ngsi_ld.context import CORE, CORE_DOCUMENT, CORE_URL, is_core_url

NGSI_LD = "https://uri.etsi.org/ngsi-ld/"


@pytest.mark.parametrize(
    ("term", "iri", "coercion"),
    [
        ("Property", NGSI_LD + "Property", None),
        ("value", NGSI_LD + "hasValue", None),
        ("object", NGSI_LD + "hasObject", "@id"),
        ("objectList", NGSI_LD + "hasObjectList", None),
        ("languageMap", NGSI_LD + "hasLanguageMap", None),
        ("json", NGSI_LD + "hasJSON", "@json"),
        ("vocab", NGSI_LD + "hasVocab", "@vocab"),
        ("valueType", NGSI_LD + "hasValueType", "@vocab"),
        ("observedAt", NGSI_LD + "observedAt", NGSI_LD + "DateTime"),
        ("datasetId", NGSI_LD + "datasetId", "@id"),
        ("scope", NGSI_LD + "scope", None),
        ("location", NGSI_LD + "location", None),
        ("containedBy", NGSI_LD + "isContainedBy", None),
        ("title", "http://purl.org/dc/terms/title", None),
        ("Point", "https://purl.org/geojson/vocab#Point", None),
        ("coordinates", "https://purl.org/geojson/vocab#coordinates", None),
        ("id", "@id", None),
        ("type", "@type", None),
    ],
)
def test_a_core_term_means_what_the_standard_says(term, iri, coercion):
    assert CORE.iri(term) == iri
    assert CORE.term(iri) == term
    assert CORE.coercion(term) == coercion


@pytest.mark.parametrize(
    ("term", "container"),
    [
        ("valueList", "@list"),
        ("coordinates", "@list"),
        ("features", "@set"),
        ("languageMap", "@language"),
        ("dataset", "@index"),
        ("entityMap", "@index"),
    ],
)
def test_containers_of_the_document(term, container):
    assert CORE_DOCUMENT["@context"][term]["@container"] == container


def test_the_document_is_whole_and_protected():
    terms = {key for key in CORE_DOCUMENT["@context"] if not key.startswith("@")}

    assert len(terms) == 209
    assert CORE_DOCUMENT["@context"]["@version"] == 1.1
    assert CORE_DOCUMENT["@context"]["@protected"] is True
    assert CORE_DOCUMENT["@context"]["@vocab"] == NGSI_LD + "default-context/"
    assert "https://w3id.org/security/data-integrity/v2" in CORE_DOCUMENT["@context"]["ngsildproof"]["@context"]


def test_it_stands_where_no_context_is_given():
    assert CORE.source == CORE.link == CORE_URL
    assert CORE.size == 0
    assert CORE.iri("powerState") == NGSI_LD + "default-context/powerState"
    assert CORE.term(NGSI_LD + "default-context/powerState") == "powerState"
    assert CORE.term("https://example.org/powerState") == "https://example.org/powerState"


@pytest.mark.parametrize(
    "url",
    [
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
        "http://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.jsonld",
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.1.jsonld",
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.10.jsonld",
        "https://forge.etsi.org/rep/NGSI-LD/NGSI-LD/raw/master/coreContext/ngsi-ld-core-context.jsonld",
        "https://forge.etsi.org/gitlab/NGSI-LD/NGSI-LD/raw/master/coreContext/ngsi-ld-core-context.jsonld",
    ],
)
def test_every_version_is_the_built_in_one(url):
    assert is_core_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
        "https://uri.etsi.org.example.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld",
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld?x=.jsonld#",
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-test-context.jsonld",
    ],
)
def test_what_is_not_the_core(url):
    assert not is_core_url(url)
