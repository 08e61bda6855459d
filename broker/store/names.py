"""How IRIs and the keys inside values are spelled as MongoDB field names.

MongoDB reads `.` in a field name as a path and `$` as an operator, and cannot hold NUL. All three are percent-escaped,
and `%` too, so that the way back is exact for any text: `key("https://a.b/c%20d")` is `"https://a%2Eb/c%2520d"`.
Names given by clients reach the database through `key` and no other way: no operator can be slipped in by a name.
"""

from functools import lru_cache

_ESCAPES = {"%": "%25", ".": "%2E", "$": "%24", "\0": "%00"}
_TABLE = str.maketrans(_ESCAPES)


@lru_cache(maxsize=16384)
def key(iri: str) -> str:
    """The field name for an attribute IRI or for a key inside a value."""
    return iri.translate(_TABLE)


@lru_cache(maxsize=16384)
def iri(key: str) -> str:
    """What `key` was made from."""
    if "%" not in key:
        return key
    # %25 last: the others cannot appear out of an escaped %, which is followed by 25.
    return key.replace("%2E", ".").replace("%24", "$").replace("%00", "\0").replace("%25", "%")
