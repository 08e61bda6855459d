"""The language filter `lang` (GS CIM 009 v1.9.1, 4.15): `fr-CH,fr;q=0.9,en;q=0.8,*;q=0.5` (RFC 3282, RFC 4647)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ngsi_ld.errors import bad_request_data

_RANGE = re.compile(r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?")
_MAX_LENGTH = 1024
_NONE = "@none"


@dataclass(frozen=True, slots=True)
class LanguageRanges:
    """The wished languages, best first, in lower case; `refused` are those with q=0."""

    wished: tuple[str, ...]
    refused: frozenset[str]

    def best(self, language_map: dict[str, Any]) -> tuple[str, Any]:
        """Of `{"fr": "Mairie", "en": "Town hall"}` the tag that is used, and the text or texts under it.

        A range means its tag, then tags that narrow it (en: en-US), then those that it narrows (nl-BE: nl). Without
        a match it is the text of no language, else the first that is there: some text is always shown.
        """
        tags = {tag.lower(): tag for tag in language_map}
        for wished in self.wished:
            tag = self._any(tags) if wished == "*" else _lookup(wished, tags)
            if tag is not None:
                return tag, language_map[tag]
        tag = self._any(tags) or next(iter(language_map))
        return tag, language_map[tag]

    def _any(self, tags: dict[str, str]) -> str | None:
        if _NONE in tags:
            return tags[_NONE]
        return next((tag for lower, tag in tags.items() if lower not in self.refused), None)


@lru_cache(maxsize=256)
def parse_languages(text: str) -> LanguageRanges:
    """The ranges in the order of their weights, then of the list; BadRequestData if it is none."""
    weighted = []
    for part in text[: _MAX_LENGTH + 1].split(","):
        match = _RANGE.fullmatch(part)
        if match is None or len(text) > _MAX_LENGTH:
            raise bad_request_data(f"lang must list languages such as fr-CH,fr;q=0.9,*;q=0.5, not {text[:80]!r}")
        weighted.append((float(match[2] or 1), match[1].lower()))
    wished = sorted((pair for pair in weighted if pair[0] > 0), key=lambda pair: -pair[0])
    return LanguageRanges(
        tuple([tag for _, tag in wished]), frozenset([tag for weight, tag in weighted if weight == 0])
    )


def _lookup(wished: str, tags: dict[str, str]) -> str | None:
    if wished in tags:
        return tags[wished]
    for lower, tag in tags.items():
        if lower.startswith(f"{wished}-"):
            return tag
    while "-" in wished:
        wished = wished.rpartition("-")[0]
        if wished in tags:
            return tags[wished]
    return None
