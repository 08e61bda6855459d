"""Members that a JSON text has twice, of which a parser silently keeps the last (RFC 8259, 4).

    doubled_member(b'{"a": 1, "a": 2}', {"a": 2})     "a"

Seen by counting: written again, what was parsed has as many quotation marks as the text, unless a member was lost,
and with it at least the two marks of its name. That costs a fifth of a parser that tells, which is only asked for the
name of what is known to be doubled.
"""

import json
from typing import Any

import orjson


def doubled_member(text: bytes, parsed: Any) -> str | None:
    """The name of a member that an object in `text` has twice, None without one; `parsed` is what orjson made of it.

    TypeError where it is nested deeper than orjson writes (254 levels).
    """
    written = orjson.dumps(parsed)
    if b"\\" in text:
        if _marks(text) == _marks(written):
            return None
    elif text.count(b'"') == written.count(b'"'):
        return None
    doubled: list[str] = []

    def note(members: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in members]
        if len(set(names)) < len(names):
            doubled.extend(name for name in names if names.count(name) > 1)

    json.loads(text.decode(), object_pairs_hook=note)
    return doubled[0]


def _marks(text: bytes) -> int:
    """The quotation marks around strings: not those inside, which a backslash precedes that is not itself escaped."""
    text = text.replace(b"\\\\", b"")
    return text.count(b'"') - text.count(b'\\"')
