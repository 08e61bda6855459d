"""Scopes (4.18): a path of levels such as /Chalons/Centre that says where an entity belongs."""

import re
from typing import Any

from ngsi_ld.errors import bad_request_data

_LEVEL = r"[^\W\d_]\w*"
_SCOPE = re.compile(rf"/?{_LEVEL}(?:/{_LEVEL})*")


def checked_scopes(value: Any) -> list[str]:
    """The scopes with their leading slash, each once; BadRequestData on one that is not a path of names."""
    scopes = value if isinstance(value, list) else [value]
    for scope in scopes:
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise bad_request_data(f"scope must be a path such as /Chalons/Centre, or a list of them, not {scope!r}")
    return list(dict.fromkeys(scope if scope.startswith("/") else f"/{scope}" for scope in scopes))
