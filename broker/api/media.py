"""Content negotiation (6.3.4, 6.3.6): which media type a request body has, which one the answer gets."""

import re
from dataclasses import dataclass
from functools import lru_cache

JSON = "application/json"
JSON_LD = "application/ld+json"
GEO_JSON = "application/geo+json"
MERGE_PATCH = "application/merge-patch+json"
EVENT_STREAM = "text/event-stream"

PLAIN = (JSON, JSON_LD)
"""What most operations answer in, in the standard's order of preference."""

SPATIAL = (JSON, JSON_LD, GEO_JSON)
"""What Retrieve Entity and Query Entities answer in."""


_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
"""RFC 9110, 12.4.2; it does not say what another weight means, so the default, 1, stands (6.3.4)."""


@dataclass(frozen=True, slots=True)
class _Range:
    type: str
    subtype: str
    quality: float

    def specificity(self, offered: str) -> int:
        """2 for an exact match, 1 for `application/*`, 0 for `*/*`, -1 for no match (RFC 9110, 12.5.1)."""
        offered_type, offered_subtype = offered.split("/")
        if self.type == "*" and self.subtype == "*":
            return 0
        if self.type != offered_type:
            return -1
        if self.subtype == "*":
            return 1
        return 2 if self.subtype == offered_subtype else -1


@lru_cache(maxsize=512)
def chosen(accept: str, offered: tuple[str, ...]) -> str | None:
    """The media type to answer in, or None where none of `offered` is acceptable.

    The highest weight wins; among equals the order of `offered` does, not the header's.
    """
    ranges = [parsed for part in accept.split(",") if (parsed := _parse_range(part)) is not None]
    if not ranges:
        return offered[0] if not accept.strip() else None
    best, best_quality = None, 0.0
    for media_type in offered:
        quality = _quality(media_type, ranges)
        if quality > best_quality:
            best, best_quality = media_type, quality
    return best


def _quality(media_type: str, ranges: list[_Range]) -> float:
    specificity, quality = max(((one.specificity(media_type), one.quality) for one in ranges), default=(-1, 0.0))
    return quality if specificity >= 0 else 0.0


def _parse_range(text: str) -> _Range | None:
    media, *parameters = (part.strip() for part in text.split(";"))
    main, slash, sub = media.lower().partition("/")
    if not slash or not main or not sub:
        return None
    quality = 1.0
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            quality = float(value) if _WEIGHT.fullmatch(value) else 1.0
    return _Range(main, sub, quality)


@lru_cache(maxsize=512)
def base_type(content_type: str) -> str:
    """The media type of a Content-Type header without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()
