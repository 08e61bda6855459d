"""Compiled contexts agree with the general algorithms of JSON-LD, as PyLD has them."""

from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld

from ngsi_ld.context import CORE_DOCUMENT, CORE_URL, DEFAULT_VOCABULARY, compile_context

CORE_TERMS = sorted(key for key in CORE_DOCUMENT["@context"] if not key.startswith("@"))
NAMES = ["lamp", "lampe", "Lamp", "power", "État", "x1", "ex", "org", "flow", *CORE_TERMS[::20]]
NAMESPACES = ["https://example.org/", "https://example.org/ns#", "http://example.com/v/", DEFAULT_VOCABULARY]

iris = st.builds(str.__add__, st.sampled_from(NAMESPACES), st.sampled_from(NAMES))
definitions = st.one_of(
    iris,
    st.sampled_from(NAMESPACES),
    st.builds(lambda prefix, name: f"{prefix}:{name}", st.sampled_from(["geojson", "ngsi-ld"]), st.sampled_from(NAMES)),
    st.fixed_dictionaries({"@id": iris, "@type": st.just("@id")}),
    st.fixed_dictionaries({"@id": iris, "@container": st.just("@set")}),
    st.fixed_dictionaries({"@id": st.sampled_from(NAMESPACES), "@prefix": st.just(True)}),
)
literal_definitions = st.fixed_dictionaries(
    {"@id": iris, "@type": st.sampled_from(["@vocab", "@json", "DateTime", "https://example.org/Unit"])}
)


def contexts(of):
    one = st.dictionaries(st.sampled_from(NAMES), of, max_size=6)
    return st.lists(one, max_size=3)


def load(url, _options=None):
    document = CORE_DOCUMENT if url == CORE_URL else {"@context": {}}
    return {"contentType": "application/ld+json", "contextUrl": None, "documentUrl": url, "document": document}


def pyld_context(user):
    """The core first for its prefixes, unprotected; then the user's; then the core again."""
    first = {key: value for key, value in CORE_DOCUMENT["@context"].items() if key not in ("@protected", "ngsildproof")}
    return [first, *user, CORE_URL]


names = st.one_of(
    st.sampled_from(NAMES),
    iris,
    st.builds(lambda prefix, name: f"{prefix}:{name}", st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5),
)


@settings(max_examples=150, deadline=None)
@given(contexts(st.one_of(definitions, literal_definitions)), names)
def test_types_and_attributes_expand_alike(user, name):
    context = compile_context(user, {})

    expanded = jsonld.expand({"@context": pyld_context(user), "@id": "urn:x", "@type": name}, {"documentLoader": load})

    assert expanded == [{"@id": "urn:x", "@type": [context.iri(name)]}]


@settings(max_examples=150, deadline=None)
@given(contexts(definitions), iris)
def test_types_compact_alike(user, iri):
    context = compile_context(user, {})

    options = {"documentLoader": load}
    compacted = jsonld.compact({"@id": "urn:x", "@type": iri}, {"@context": pyld_context(user)}, options)["type"]

    assert context.term(iri) == compacted


@settings(max_examples=150, deadline=None)
@given(contexts(st.one_of(definitions, literal_definitions)), iris)
def test_what_is_written_is_read_back(user, iri):
    context = compile_context(user, {})

    assert context.iri(context.term(iri)) == iri
