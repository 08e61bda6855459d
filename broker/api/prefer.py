"""The Prefer header (RFC 7240): what a client would like, if it can be had (6.3.6)."""

import re
from functools import lru_cache

from broker.api.request import Request
from ngsi_ld.conformance import LATEST, Version

_PREFERENCES = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_VERSION = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})")


@lru_cache(maxsize=256)
def preferences(text: str) -> dict[str, str]:
    """The preferences by name in lower case, without quotes and parameters; of a name given twice the first stands."""
    found: dict[str, str] = {}
    for preference in _PREFERENCES.findall(text):
        name, _, value = preference.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def preferred(request: Request, name: str) -> str | None:
    """The value of a preference, None without it."""
    header = request.headers.get(b"prefer")
    return None if header is None else preferences(header.decode("latin-1")).get(name)


def preferred_version(request: Request) -> Version | None:
    """The version of NGSI-LD that entities are to conform to, the latest at most; None where none is asked for."""
    wanted = _VERSION.fullmatch(preferred(request, "ngsi-ld") or "")
    return None if wanted is None else min((int(wanted[1]), int(wanted[2])), LATEST)
