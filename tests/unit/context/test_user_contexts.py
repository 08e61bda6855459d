"""User @contexts: expansion and compaction of names (GS CIM 009 v1.9.1, 4.4 and 5.5.7)."""

import itertools

import pytest

from ngsi_ld.context import CORE_URL, compile_context, context_of, references
from ngsi_ld.errors import ErrorType, NgsiLdError

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
LIGHTING = "https://smartdatamodels.org/dataModel.Streetlighting/"
URL = "https://example.org/lighting.jsonld"
DOCUMENTS = {
    URL: {"@context": {"Streetlight": LIGHTING + "Streetlight", "powerState": LIGHTING + "powerState"}},
    "https://example.org/all.jsonld": {"@context": [URL, {"city": "https://example.org/city"}, CORE_URL]},
}


def refused(value, documents=DOCUMENTS, **limits):
    with pytest.raises(NgsiLdError) as raised:
        compile_context(value, documents, **limits)
    assert raised.value.type is ErrorType.BAD_REQUEST_DATA
    return raised.value.detail


def test_terms_go_both_ways():
    context = compile_context(URL, DOCUMENTS)

    assert context.iri("powerState") == LIGHTING + "powerState"
    assert context.term(LIGHTING + "powerState") == "powerState"
    assert context.iri("unknown") == DEFAULT + "unknown"
    assert context.iri("https://example.org/x") == "https://example.org/x"
    assert context.iri("urn:example:x") == "urn:example:x"
    assert context.size == 2


def test_later_entries_of_an_array_win_and_documents_may_refer_to_others():
    context = compile_context(
        ["https://example.org/all.jsonld", {"powerState": "https://example.org/state"}], DOCUMENTS
    )

    assert context.iri("powerState") == "https://example.org/state"
    assert context.iri("city") == "https://example.org/city"
    assert context.term(LIGHTING + "powerState") == LIGHTING + "powerState"


def test_the_core_has_the_last_word_wherever_it_stands():
    for core_first in (
        [CORE_URL, {"location": "https://example.org/location", "value": "https://example.org/v"}],
        [{"location": "https://example.org/location", "value": "https://example.org/v"}, CORE_URL],
    ):
        context = compile_context(core_first, {})

        assert context.iri("location") == "https://uri.etsi.org/ngsi-ld/location"
        assert context.iri("value") == "https://uri.etsi.org/ngsi-ld/hasValue"
        assert context.term("https://example.org/location") == "https://example.org/location"


def test_a_core_iri_is_written_with_the_core_term():
    context = compile_context({"loc": "https://uri.etsi.org/ngsi-ld/location"}, {})

    assert context.iri("loc") == "https://uri.etsi.org/ngsi-ld/location"
    assert context.term("https://uri.etsi.org/ngsi-ld/location") == "location"


def test_a_protected_user_context_cannot_keep_the_core_out():
    context = compile_context({"@protected": True, "status": "https://example.org/status"}, {})

    assert context.iri("status") == "https://uri.etsi.org/ngsi-ld/status"


def test_the_default_vocabulary_is_that_of_the_core():
    context = compile_context({"@vocab": "https://example.org/", "lamp": {"@type": "@id"}}, {})

    assert context.iri("lamp") == "https://example.org/lamp"
    assert context.iri("other") == DEFAULT + "other"


def test_coercions():
    context = compile_context(
        {
            "on": {"@id": "https://example.org/on", "@type": "DateTime"},
            "in": {"@id": "https://example.org/in", "@type": "@id"},
        },
        {},
    )

    assert context.coercion("on") == "https://uri.etsi.org/ngsi-ld/DateTime"
    assert context.coercion("in") == "@id"
    assert context.coercion("other") is None
    assert context.term("https://example.org/on") == "on"


def test_prefixes():
    context = compile_context({"ex": "https://example.org/ns#", "no": "https://example.org/other"}, {})

    assert context.iri("ex:lamp") == "https://example.org/ns#lamp"
    assert context.term("https://example.org/ns#lamp") == "ex:lamp"
    assert context.iri("no:lamp") == "no:lamp", "a term is a prefix only where its IRI ends as one"
    assert context.term("https://example.org/ns#a/b") == "ex:a/b"


def test_a_name_of_the_default_vocabulary_that_is_a_term_of_something_else_has_a_prefix():
    context = compile_context({"lamp": "https://example.org/lamp"}, {})

    assert context.term(DEFAULT + "lamp") == "ngsi-ld:default-context/lamp"
    assert context.iri("ngsi-ld:default-context/lamp") == DEFAULT + "lamp"


def test_of_two_terms_for_an_iri_the_shortest_then_the_least_is_written():
    context = compile_context({"Streetlight": LIGHTING + "Streetlight", "StreetLight": LIGHTING + "Streetlight"}, {})

    assert context.iri("StreetLight") == context.iri("Streetlight") == LIGHTING + "Streetlight"
    assert context.term(LIGHTING + "Streetlight") == "StreetLight"


def test_an_alias_coerced_to_a_vocabulary_is_read_but_not_written():
    alias = {"@id": LIGHTING + "Streetlight", "@type": "@vocab"}
    context = compile_context({"StreetLight": alias, "Streetlight": LIGHTING + "Streetlight"}, {})

    assert context.iri("StreetLight") == LIGHTING + "Streetlight"
    assert context.term(LIGHTING + "Streetlight") == "Streetlight"


def test_an_import_is_under_the_terms_of_its_importer():
    context = compile_context({"@import": URL, "powerState": "https://example.org/state"}, DOCUMENTS)

    assert context.iri("Streetlight") == LIGHTING + "Streetlight"
    assert context.iri("powerState") == "https://example.org/state"


def test_null_forgets_what_came_before():
    assert compile_context([URL, None], DOCUMENTS).iri("powerState") == DEFAULT + "powerState"


@pytest.mark.parametrize("name", ["nothing", "@value", "@any", "identity"])
def test_names_that_json_ld_would_drop_are_refused(name):
    context = compile_context({"nothing": None, "identity": "@id"}, {})

    with pytest.raises(NgsiLdError) as raised:
        context.iri(name)
    assert raised.value.type is ErrorType.BAD_REQUEST_DATA
    assert name in raised.value.detail


@pytest.mark.parametrize(
    ("value", "link"),
    [
        (URL, URL),
        ([URL], URL),
        ([URL, CORE_URL], URL),
        (CORE_URL, CORE_URL),
        ([], CORE_URL),
        ({}, CORE_URL),
        ([URL, {"city": "https://example.org/city"}], None),
        ({"city": "https://example.org/city"}, None),
        ([URL, "https://example.org/all.jsonld"], None),
    ],
)
def test_a_link_stands_for_a_single_url(value, link):
    context = compile_context(value, DOCUMENTS)

    assert context.link == link
    assert context.source == value


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (42, "42"),
        (True, "True"),
        (["https://example.org/lighting.jsonld", 7], "7"),
        ("lighting.jsonld", "lighting.jsonld"),
        ("ftp://example.org/lighting.jsonld", "ftp://example.org"),
        ({"lamp": 5}, "lamp"),
        ({"lamp": {"@id": "https://example.org/lamp", "@context": {}}}, "lamp"),
        ({"lamp": {"@id": 5}}, "lamp"),
        ({"lamp": {"@id": "https://example.org/lamp", "colour": "red"}}, "colour"),
        ({"lamp": {"@id": "https://example.org/lamp", "@type": "no iri"}}, "lamp"),
        ({"lamp": {"@id": "https://example.org/lamp", "@container": "@heap"}}, "lamp"),
        ({"a": "b:x", "b": "a:x"}, "'a'"),
        ({"@id": "https://example.org/"}, "@id"),
        ({"@version": 2}, "@version"),
        ({"@vocab": 5}, "@vocab"),
        ({"": "https://example.org/"}, "without a name"),
        ({"@import": ["https://example.org/lighting.jsonld"]}, "absolute"),
        ({f"a{i}": f"a{i + 1}:x" for i in range(3000)}, "chain"),
    ],
)
def test_what_is_no_context_is_refused_by_name(value, named):
    assert named in refused(value)


def test_a_bad_document_is_named():
    documents = {URL: {"@context": {"lamp": {"@id": "x y", "@type": "@id", "@nest": "@id"}}}}

    assert URL in refused([{}, URL], documents)
    assert URL in refused(URL, {URL: ["no context"]})
    assert URL in refused(URL, {URL: {"lamp": "https://example.org/lamp"}})


def test_a_circle_is_refused():
    first, second = "https://example.org/1", "https://example.org/2"

    detail = refused(first, {first: {"@context": [second]}, second: {"@context": first}})

    assert f"{first} → {second} → {first}" in detail


def test_documents_that_multiply_are_refused():
    urls = [f"https://example.org/{n}" for n in range(40)]
    documents = {url: {"@context": [after, after]} for url, after in itertools.pairwise(urls)}
    documents[urls[-1]] = {"@context": {"lamp": "https://example.org/lamp"}}

    assert "100 context objects" in refused(urls[0], documents)


def test_too_many_terms_are_refused():
    assert "more than 10 terms" in refused({f"t{n}": f"https://example.org/{n}" for n in range(11)}, max_terms=10)


def test_references_are_what_must_be_fetched():
    assert references([URL, CORE_URL, {"@import": "https://example.org/i"}, URL]) == [URL, "https://example.org/i"]
    assert references({"lamp": "https://example.org/lamp"}) == []
    assert references(None) == []


def test_references_of_a_document_are_relative_to_it():
    document = {"@context": ["../common.jsonld", {"@import": "base.jsonld"}, "https://example.com/c"], "ignored": 1}

    assert context_of(document, "https://example.org/a/b.jsonld") == [
        "https://example.org/common.jsonld",
        {"@import": "https://example.org/a/base.jsonld"},
        "https://example.com/c",
    ]
