"""The scope query language (GS CIM 009 v1.9.1, 4.19)."""

import pytest

from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import parse_scope_q

MATCHING = [
    ("/Madrid", ["/Madrid"]),
    ("/Madrid/Gardens/#", ["/Madrid/Gardens"]),
    ("/Madrid/Gardens/#", ["/Madrid/Gardens/ParqueNorte/Parterre1"]),
    ("/Madrid/+/ParqueNorte", ["/Madrid/Sights/ParqueNorte"]),
    ("(/Madrid/Districts;/CompanyA)", ["/CompanyA", "/Madrid/Districts"]),
    ("(/Madrid/Districts;/CompanyA)|CompanyB", ["/CompanyB"]),
    ("(/Madrid/Districts;/CompanyA),CompanyB", ["/CompanyB"]),
    ("/Madrid;/CompanyA|/x", ["/CompanyA", "/Madrid"]),
    ("/#", ["/x"]),
    ("/+/#", ["/x/y/z"]),
]
NOT_MATCHING = [
    ("/Madrid;/CompanyA", ["/Madrid"]),
    ("/Madrid", ["/Madrid/Gardens"]),
    ("/Madrid", ["/Madrid2"]),
    ("/Madrid/Gardens/#", ["/Madrid"]),
    ("/Madrid/Gardens/#", ["/Madrid/Gardens2"]),
    ("/Madrid/+/ParqueNorte", ["/Madrid/ParqueNorte"]),
    ("/Madrid/+", ["/Madrid/a/b"]),
    ("(/Madrid/Districts;/CompanyA)", ["/CompanyA"]),
    ("/#", []),
]


@pytest.mark.parametrize(("text", "scopes"), MATCHING)
def test_matching(text, scopes):
    assert parse_scope_q(text).matches(scopes)


@pytest.mark.parametrize(("text", "scopes"), NOT_MATCHING)
def test_not_matching(text, scopes):
    assert not parse_scope_q(text).matches(scopes)


@pytest.mark.parametrize("text", ["", "/", "/a/", "/a;", "(/a;/b", "/a/#/b", "#", "/a|", "/a b", "/a-b", "/++", "//a"])
def test_bad(text):
    with pytest.raises(NgsiLdError, match="scopeQ is wrong at character"):
        parse_scope_q(text)
