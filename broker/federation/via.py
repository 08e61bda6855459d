"""The Via header (RFC 9110, 7.6.3): the brokers that a request has come through, so that none is asked twice (6.3.18).

1.1 beffroi-chalons, HTTP/1.1 orion.example:1026 (Orion)      →      ("beffroi-chalons", "orion.example:1026")
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_COMMENT = re.compile(r"\([^()]*\)")


def own_alias(alias: str, tenant: str) -> str:
    """What this broker is called as the context source of a tenant: each tenant counts as a source of its own."""
    return f"{alias}-{tenant}" if tenant else alias


@lru_cache(maxsize=1024)
def aliases(header: str) -> tuple[str, ...]:
    """The aliases in a Via header, in the order of the way; several header lines come joined by commas."""
    entries = (entry.split() for entry in _COMMENT.sub(" ", header).split(","))
    # The protocol comes first; an entry without one is not by the grammar, and names a broker all the same.
    return tuple(words[1] if len(words) > 1 else words[0] for words in entries if words)


def via_header(passed: Iterable[str]) -> str:
    """The header that names these aliases."""
    return ", ".join(f"1.1 {alias}" for alias in passed)
