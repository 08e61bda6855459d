"""The language filter (GS CIM 009 v1.9.1, 4.15; RFC 4647)."""

import pytest

from ngsi_ld.errors import NgsiLdError
from ngsi_ld.query import parse_languages

MAP = {"fr": "Mairie", "en-GB": "Town hall", "de": ["Rathaus", "Gemeindehaus"]}

BEST = [
    ("fr", MAP, "fr"),
    ("FR", MAP, "fr"),
    ("fr-CH,fr", MAP, "fr"),
    ("fr-CH", MAP, "fr"),
    ("en", MAP, "en-GB"),
    ("de;q=0.2,fr;q=0.9", MAP, "fr"),
    ("fr-CH,fr;q=0.9,en;q=0.8,*;q=0.5", {"en": "x", "fr": "y"}, "fr"),
    ("*", {"it": "x", "@none": "y"}, "@none"),
    ("*", {"it": "x", "es": "y"}, "it"),
    ("fr;q=0,*", {"fr": "x", "es": "y"}, "es"),
    ("pt", {"it": "x", "@none": "y"}, "@none"),
    ("pt", {"it": "x", "es": "y"}, "it"),
    ("fr;q=0", {"fr": "x"}, "fr"),
]


@pytest.mark.parametrize(("text", "language_map", "tag"), BEST)
def test_best(text, language_map, tag):
    assert parse_languages(text).best(language_map) == (tag, language_map[tag])


@pytest.mark.parametrize("text", ["", "fr;q=2", "fr;q=x", "f_r", "fr,,en", "fr;x=1", "fr " * 500, "a" * 9])
def test_bad(text):
    with pytest.raises(NgsiLdError, match="lang must list languages"):
        parse_languages(text)
