"""Names and URIs (4.6.2 and 4.6.3): what may name an entity type, an attribute or an entity."""

import re
from typing import Protocol

from ngsi_ld.errors import bad_request_data

_NAME = re.compile(r"[^\W\d_]\w*(?::[^\W\d_]\w*)?")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s<>\"{}|\\^`\x00-\x20]+")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Characters that show nothing, besides those that `str.isprintable` knows: two ids must not look the same."""


def is_uri(text: object) -> bool:
    """Whether it is an absolute URI or IRI (RFC 3986, 3987): a scheme, a colon, and only what can be seen."""
    if not isinstance(text, str) or _URI.fullmatch(text) is None:
        return False
    return text.isascii() or (text.isprintable() and _INVISIBLE.search(text) is None)


def is_name(text: str) -> bool:
    """Whether it is a short or prefixed name, or a full IRI."""
    return _NAME.fullmatch(text) is not None or is_uri(text)


def checked_uri(value: object, where: str) -> str:
    """`value` if it is an absolute URI; else BadRequestData that names `where` it stood."""
    if isinstance(value, str) and is_uri(value):
        return value
    raise bad_request_data(f"{where} must be an absolute URI such as urn:ngsi-ld:Streetlight:1, not {_shown(value)}")


def checked_name(value: object, where: str) -> str:
    """`value` if it is an NGSI-LD name or an IRI; else BadRequestData that names `where` it stood."""
    if isinstance(value, str) and is_name(value):
        return value
    raise bad_request_data(
        f"{where} must be a name of letters, digits and _ that begins with a letter, or an IRI, not {_shown(value)}"
    )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class Names(Protocol):
    """What expansion, queries and rendering need of an @context; `ngsi_ld.context.Context` is one."""

    def iri(self, name: str) -> str:
        """The IRI of a type or attribute name; an IRI stays itself."""
        ...

    def term(self, iri: str) -> str:
        """The short name of an IRI, or the IRI where the @context has none."""
        ...

    def __hash__(self) -> int:
        """What names mean is remembered by the @context that gives them their meaning."""
        ...
