"""The Prefer header (RFC 7240)."""

import pytest

from broker.api.prefer import preferences


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ngsi-ld=1.5", {"ngsi-ld": "1.5"}),
        ('NGSI-LD = "1.5" ; strict, body=json', {"ngsi-ld": "1.5", "body": "json"}),
        ('foo; bar="a,b", wait=10', {"foo": "", "wait": "10"}),
        ("body=json, body=ld+json", {"body": "json"}),
        ("", {}),
        ('a="', {"a": ""}),
    ],
)
def test_preferences(text, found):
    assert preferences(text) == found
