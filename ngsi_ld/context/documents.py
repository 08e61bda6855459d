"""From an @context value to the plain context objects it stands for: references resolved, checked term by term.

An @context value is a URL, an object, or a list of those (JSON-LD 1.1, 4.1). What it refers to is given as documents,
`{"https://example.org/lighting.jsonld": {"@context": {…}}}`; nothing is fetched here. What passes these checks has the
shape that JSON-LD asks for, so that context processing itself only sees what it was written for.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

from ngsi_ld.context.core import CORE_TERMS, is_core_url
from ngsi_ld.errors import NgsiLdError, bad_request_data

JSON: TypeAlias = Any
"""A JSON value as `orjson.loads` gives it."""

_KEYWORD_LIKE = re.compile(r"@[A-Za-z]+")


def _is_text(value: JSON) -> bool:
    return isinstance(value, str) and value != ""


def _is_text_or_null(value: JSON) -> bool:
    return value is None or isinstance(value, str)


def _is_truth(value: JSON) -> bool:
    return isinstance(value, bool)


def _is_container(value: JSON) -> bool:
    return _is_text(value) or (isinstance(value, list) and all(map(_is_text, value)))


_TEXT = (_is_text, "a string")
_TEXT_OR_NULL = (_is_text_or_null, "a string or null")
_TRUTH = (_is_truth, "true or false")

_Rule = tuple[Callable[[JSON], bool], str]

_CONTEXT_KEYWORDS: dict[str, _Rule] = {
    "@version": (lambda value: not isinstance(value, bool) and value == 1.1, "1.1"),
    "@vocab": _TEXT_OR_NULL,
    "@base": _TEXT_OR_NULL,
    "@language": _TEXT_OR_NULL,
    "@direction": _TEXT_OR_NULL,
    "@import": _TEXT,
    "@propagate": _TRUTH,
    "@protected": _TRUTH,
    "@type": (lambda value: isinstance(value, dict) and value.get("@container") == "@set", '{"@container": "@set"}'),
}
_WITHOUT_EFFECT = frozenset({"@version", "@base", "@language", "@direction", "@propagate", "@type"})
"""Keywords that change values or document-relative references, never what a name means."""

_DEFINITION_MEMBERS: dict[str, _Rule] = {
    "@id": _TEXT_OR_NULL,
    "@reverse": _TEXT,
    "@type": _TEXT,
    "@container": (_is_container, "a string or a list of strings"),
    "@language": _TEXT_OR_NULL,
    "@direction": _TEXT_OR_NULL,
    "@index": _TEXT,
    "@nest": _TEXT,
    "@prefix": _TRUTH,
    "@protected": _TRUTH,
}

_OTHER_KEYWORDS = frozenset(
    ("@context", "@value", "@list", "@set", "@graph", "@included", "@json", "@none", "@default")
)


def references(value: JSON, where: str = "@context") -> list[str]:
    """The URLs of the documents that an @context value needs first: all but those of the core, each once.

    Raises BadRequestData, which says `where`, if the value is no @context or a URL is not absolute.
    """
    found: dict[str, None] = {}
    for entry in _entries(value, where):
        url = entry if isinstance(entry, str) else entry.get("@import") if isinstance(entry, dict) else None
        if url is not None and not is_core_url(_checked_url(url, where)):
            found[url] = None
    return list(found)


def context_of(document: JSON, url: str) -> JSON:
    """The @context value of a document that was loaded from `url`, its references made absolute.

    Raises BadRequestData where the document is no JSON-LD context.
    """
    if not isinstance(document, dict) or "@context" not in document:
        raise bad_request_data(f"{url} is not a JSON-LD context: it must be an object with a member @context")
    value = document["@context"]
    value = [_absolute(entry, url) for entry in value] if isinstance(value, list) else _absolute(value, url)
    references(value, url)
    return value


def context_objects(value: JSON, documents: Mapping[str, JSON], *, limit: int) -> list[tuple[str, dict[str, Any]]]:
    """The context objects that `value` stands for, in order, checked, each with the document where it stands.

    `documents` holds what `references` named, and in turn what those refer to. Raises BadRequestData where something
    is not JSON-LD, has a scoped context, refers to itself, or stands for more than `limit` objects.
    """
    objects: list[tuple[str, dict[str, Any]]] = []
    for where, part in _parts(value, documents, ()):
        if part is None:  # null forgets what came before it (JSON-LD 1.1, 4.1)
            objects.clear()
            continue
        objects.append((where, part))
        if len(objects) > limit:
            raise bad_request_data(f"The @context refers to more than {limit} context objects")
    return objects


def _parts(
    value: JSON, documents: Mapping[str, JSON], path: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    where = path[-1] if path else "@context"
    for entry in _entries(value, where):
        if entry is None:
            yield where, None
        elif isinstance(entry, dict):
            yield where, _checked_object(_with_import(entry, documents, where), where)
        elif is_core_url(entry):
            yield where, CORE_TERMS
        elif _checked_url(entry, where) in path:
            raise bad_request_data(f"@context documents refer to each other in a circle: {' → '.join((*path, entry))}")
        else:
            yield from _parts(_loaded(entry, documents), documents, (*path, entry))


def _entries(value: JSON, where: str) -> list[JSON]:
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if entry is not None and not isinstance(entry, str | dict):
            raise bad_request_data(f"{where} must be a URL, an object or a list of those, not {_shown(entry)}")
    return entries


def _checked_url(url: JSON, where: str) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc:
        raise bad_request_data(f"{where} must name other contexts by absolute http or https URLs, not {_shown(url)}")
    return str(url)


def _absolute(entry: JSON, base: str) -> JSON:
    try:
        if isinstance(entry, str):
            return urljoin(base, entry)
        if isinstance(entry, dict) and isinstance(entry.get("@import"), str):
            return entry | {"@import": urljoin(base, entry["@import"])}
    except ValueError:
        raise bad_request_data(f"{base} refers to another context by a URL that is not one: {_shown(entry)}") from None
    return entry


def _loaded(url: str, documents: Mapping[str, JSON]) -> JSON:
    if url not in documents:
        raise KeyError(url)
    return context_of(documents[url], url)


def _with_import(entry: dict[str, Any], documents: Mapping[str, JSON], where: str) -> dict[str, Any]:
    """The object with what it imports under its own terms (JSON-LD 1.1, 4.1.10)."""
    if "@import" not in entry:
        return entry
    url = _checked_url(entry["@import"], where)
    imported = CORE_TERMS if is_core_url(url) else _loaded(url, documents)
    if not isinstance(imported, dict) or "@import" in imported:
        raise bad_request_data(f"{where} imports {url}, which must hold one context object that imports no other")
    return imported | {key: value for key, value in entry.items() if key != "@import"}


def _checked_object(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """The terms of a context object and the keywords that matter to them; BadRequestData names what is wrong."""
    checked: dict[str, Any] = {}
    for key, value in entry.items():
        if key in _CONTEXT_KEYWORDS:
            fits, what = _CONTEXT_KEYWORDS[key]
            if not fits(value):
                raise bad_request_data(f"{key} in {where} must be {what}, not {_shown(value)}")
            if key not in _WITHOUT_EFFECT:
                checked[key] = value
        elif key.startswith("@") and _KEYWORD_LIKE.fullmatch(key):
            if key in _DEFINITION_MEMBERS or key in _OTHER_KEYWORDS:
                raise bad_request_data(f"{where} redefines the JSON-LD keyword {key}, which is not allowed")
        else:
            _check_definition(key, value, where)
            if not _is_ignored(value):
                checked[key] = value
    return checked


def _check_definition(term: str, definition: JSON, where: str) -> None:
    if not term:
        raise bad_request_data(f"{where} defines a term without a name")
    if definition is None or isinstance(definition, str):
        return
    if not isinstance(definition, dict):
        raise term_error(term, where, f"it must be a string, an object or null, not {_shown(definition)}")
    if "@context" in definition:
        raise term_error(term, where, "it has an @context of its own (a scoped context), which NGSI-LD does not allow")
    for member, value in definition.items():
        if member not in _DEFINITION_MEMBERS:
            raise term_error(term, where, f"{member} is not a member of a term definition")
        fits, what = _DEFINITION_MEMBERS[member]
        if not fits(value):
            raise term_error(term, where, f"{member} must be {what}, not {_shown(value)}")


def _is_ignored(definition: JSON) -> bool:
    """Whether JSON-LD passes over the term: it is mapped to what looks like a keyword but is none."""
    target = definition.get("@reverse", definition.get("@id")) if isinstance(definition, dict) else definition
    return isinstance(target, str) and _KEYWORD_LIKE.fullmatch(target) is not None and not is_keyword(target)


def is_keyword(text: str) -> bool:
    """Whether it is a keyword of JSON-LD 1.1, such as @id."""
    return text in _CONTEXT_KEYWORDS or text in _DEFINITION_MEMBERS or text in _OTHER_KEYWORDS


def term_error(term: str, where: str, reason: str) -> NgsiLdError:
    """BadRequestData for one term of an @context."""
    return bad_request_data(f"The term {_shown(term)} in {where} is not valid: {reason}")


def _shown(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
