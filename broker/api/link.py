"""Link headers (RFC 8288): the one with the @context is found among whatever else is linked."""

import re
from functools import lru_cache

_LINK = re.compile(r'<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]+))?)*)')
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]+))', re.IGNORECASE)


@lru_cache(maxsize=512)
def context_link(header: str, relation: str) -> str | None:
    """The target of the first link with this relation, or None; several headers come joined by commas."""
    for target, attributes in _LINK.findall(header):
        match = _RELATION.search(attributes)
        if match and relation in (match[1] or match[2] or "").split():
            return target.strip() or None
    return None
