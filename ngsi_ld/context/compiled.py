"""An @context compiled once, by PyLD's context processing, into dictionaries that answer ever after (4.4, 5.5.7).

The core @context has the last word in both directions: its terms mean what they mean whatever the user's @context
says, and what a core term stands for is always written with it.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pyld.context_resolver import ContextResolver
from pyld.jsonld import JsonLdError, JsonLdProcessor

from ngsi_ld.context.core import CORE_TERMS, CORE_URL, DEFAULT_VOCABULARY, is_core_url
from ngsi_ld.context.documents import JSON, context_objects, is_keyword, term_error
from ngsi_ld.errors import bad_request_data

MAX_OBJECTS = 100
MAX_TERMS = 10_000
_REMEMBERED_NAMES = 1024

_ABSOLUTE = re.compile(r"(?:[A-Za-z][A-Za-z0-9+\-.]*|_):\S*")
_KEYWORD_LIKE = re.compile(r"@[A-Za-z]+")

_Mapping = Mapping[str, Any]
"""A term as PyLD keeps it: `{"@id": IRI, "@type": …, "@container": […], "_prefix": bool, "reverse": bool, …}`."""


class Context:
    """What names mean and how IRIs are written: immutable, made by `compile_context`, safe to share.

    `source` is the @context value as it was given, `link` a URL that stands for it in a Link header, or None where it
    must be hosted first, `size` the number of the user's terms.
    """

    __slots__ = (
        *("link", "size", "source"),
        *("_expanded", "_iris", "_prefixes", "_refused", "_shortened", "_terms", "_types"),
    )

    def __init__(self, source: JSON, link: str | None, mappings: Mapping[str, _Mapping | None]) -> None:
        """`mappings` are those of the user's terms, without any that the core has."""
        self.source = source
        self.link = link
        self.size = len(mappings)
        self._iris = dict(_CORE_IRIS)
        self._types = dict(_CORE_TYPES)
        self._prefixes = dict(_CORE_PREFIXES)
        self._refused: dict[str, str] = {}
        for name, mapping in mappings.items():
            if mapping is None or mapping["@id"] is None:
                self._refused[name] = "it is mapped to null"
            elif is_keyword(mapping["@id"]):
                self._refused[name] = f"it is another name for {mapping['@id']}"
            else:
                self._iris[name] = mapping["@id"]
                if mapping["_prefix"]:
                    self._prefixes[name] = mapping["@id"]
                if "@type" in mapping:
                    self._types[name] = mapping["@type"]
        self._terms = _preferred_terms(mappings) | _CORE_WORDS
        self._expanded: Callable[[str], str] = lru_cache(_REMEMBERED_NAMES)(self._expand)
        self._shortened: Callable[[str], str] = lru_cache(_REMEMBERED_NAMES)(self._shorten)

    def __repr__(self) -> str:
        return f"Context({self.source!r})"

    def iri(self, name: str) -> str:
        """The IRI of a type or attribute name; a name that no @context defines goes to the default vocabulary.

        An IRI stays itself. Raises BadRequestData for what JSON-LD would drop: a keyword, a term mapped to null.
        """
        iri = self._iris.get(name)
        return self._expanded(name) if iri is None else iri

    def term(self, iri: str) -> str:
        """The short name of an IRI: its term, else the name in the default vocabulary, else `prefix:name`, else itself.

        As JSON-LD has it, `prefix:name` may be `ngsi-ld:default-context/lamp`. `iri` gives the IRI back for it.
        """
        term = self._terms.get(iri)
        return self._shortened(iri) if term is None else term

    def coercion(self, name: str) -> str | None:
        """What the @context says of a term's values: "@id", "@vocab", "@json", the IRI of a datatype, or nothing."""
        return self._types.get(name)

    def _expand(self, name: str) -> str:
        if name in self._refused:
            raise bad_request_data(f"{name!r} cannot be used as a name: {self._refused[name]} in the @context")
        if _KEYWORD_LIKE.fullmatch(name):
            if name in ("@id", "@type"):
                return name
            raise bad_request_data(f"{name!r} cannot be used as a name: JSON-LD keeps such names for itself")
        prefix, colon, suffix = name.partition(":")
        if prefix and colon:
            if prefix != "_" and not suffix.startswith("//") and prefix in self._prefixes:
                return self._prefixes[prefix] + suffix
            if _ABSOLUTE.fullmatch(name):
                return name
        return DEFAULT_VOCABULARY + name

    def _shorten(self, iri: str) -> str:
        name = iri.removeprefix(DEFAULT_VOCABULARY)
        if name != iri and self._means(name, iri):
            return name
        prefixed = (
            f"{prefix}:{iri[len(start) :]}" for prefix, start in self._prefixes.items() if iri.startswith(start)
        )
        usable = (name for name in prefixed if self._means(name, iri))
        return min(usable, key=_shortest, default=iri)

    def _means(self, name: str, iri: str) -> bool:
        return name not in self._refused and not name.startswith("@") and self.iri(name) == iri


def compile_context(
    value: JSON, documents: Mapping[str, JSON], *, max_objects: int = MAX_OBJECTS, max_terms: int = MAX_TERMS
) -> Context:
    """The compiled form of an @context value: a URL, an object, a list of those, or None for the core alone.

    `documents` holds what the value refers to, directly or not: `{URL: {"@context": …}}`, as `references` lists it; a
    URL that is not there is a KeyError. Raises BadRequestData, which names the term at fault, for what is not JSON-LD,
    for scoped contexts (5.5.7), and beyond `max_objects` context objects or `max_terms` terms.
    """
    objects = context_objects(value, documents, limit=max_objects)
    if sum(len(each) for _, each in objects if each is not CORE_TERMS) > max_terms:
        raise bad_request_data(f"The @context has more than {max_terms} terms")
    while objects and objects[-1][1] is CORE_TERMS:
        objects.pop()  # it comes last anyway
    return Context(CORE_URL if value is None else value, _link(value), _processed(objects))


def _link(value: JSON) -> str | None:
    """The one URL that says all that `value` says, if there is one."""
    if isinstance(value, str):
        return value
    entries = value if isinstance(value, list) else [value]
    others = [entry for entry in entries if entry and not (isinstance(entry, str) and is_core_url(entry))]
    if not others:
        return next((entry for entry in entries if entry), CORE_URL)
    return others[0] if len(others) == 1 and isinstance(others[0], str) else None


class _Processor(JsonLdProcessor):  # type: ignore[misc]
    """PyLD's processor, which lets its errors say what term they are about."""

    def _create_term_definition(self, active: Any, local: Any, term: str, *others: Any, **options: Any) -> None:
        try:
            super()._create_term_definition(active, local, term, *others, **options)
        except JsonLdError as error:
            error.details = {"term": term} | (error.details or {})
            raise


def _no_loading(url: str, _options: object) -> Any:
    raise KeyError(url)


def _options() -> dict[str, Any]:
    """Options of one compilation: PyLD's caches must not outlive it, nor be shared by threads."""
    return {
        "base": "",
        "processingMode": "json-ld-1.1",
        "documentLoader": _no_loading,
        "contextResolver": ContextResolver({}, _no_loading),
    }


_PROCESSOR = _Processor()
_CORE_ACTIVE = _PROCESSOR.process_context(_PROCESSOR.process_context({}, None, _options()), CORE_TERMS, _options())
_CORE_MAPPINGS: Mapping[str, _Mapping] = _CORE_ACTIVE["mappings"]
_CORE_IRIS: dict[str, str] = {name: mapping["@id"] for name, mapping in _CORE_MAPPINGS.items()}
_CORE_TYPES: dict[str, str] = {name: mapping["@type"] for name, mapping in _CORE_MAPPINGS.items() if "@type" in mapping}
_CORE_PREFIXES = {name: iri for name, iri in _CORE_IRIS.items() if _CORE_MAPPINGS[name]["_prefix"]}


def _processed(objects: list[tuple[str, dict[str, Any]]]) -> dict[str, _Mapping | None]:
    """The terms that context objects add to the core; its prefixes are there for them from the start."""
    active: Any = _CORE_ACTIVE
    options = _options()
    for where, each in objects:
        local = each
        if each.get("@vocab", "") is None and "@vocab" not in active:
            local = {key: value for key, value in each.items() if key != "@vocab"}
        try:
            active = _PROCESSOR.process_context(active, local, options)
        except JsonLdError as error:
            reason = str(error.args[0] if error.args else error.code).removeprefix("Invalid JSON-LD syntax; ")
            term = (error.details or {}).get("term")
            raise term_error(term, where, reason) if term else bad_request_data(f"{where}: {reason}") from None
        except RecursionError:
            raise bad_request_data(f"The terms of {where} depend on each other in too long a chain") from None
    return {name: mapping for name, mapping in active["mappings"].items() if name not in _CORE_MAPPINGS}


_JSON_LD_CHOICE = {("@set", "@id"): 0, ("@set", "@none"): 1, ("", "@id"): 2, ("", "@none"): 3}
"""The (container, coercion) of the terms that JSON-LD would take for a type or a reference, the best first."""


def _preferred_terms(mappings: Mapping[str, _Mapping | None]) -> dict[str, str]:
    """For each IRI the term that it is written with: JSON-LD's choice for a type or a reference (JSON-LD API, 6.4).

    Of equals the shortest is taken, then the least in code-point order. Where all terms of an IRI are coerced to
    literals or lists JSON-LD has no choice, as it asks for the value; an NGSI-LD name does not depend on its value, so
    here one of them is taken all the same.
    """

    def order(pair: tuple[str, _Mapping]) -> tuple[int, tuple[int, str]]:
        name, mapping = pair
        shape = "".join(sorted(mapping.get("@container", []))), mapping.get("@type", "@none")
        literal = "@language" in mapping or "@direction" in mapping
        return len(_JSON_LD_CHOICE) if literal else _JSON_LD_CHOICE.get(shape, len(_JSON_LD_CHOICE)), _shortest(name)

    usable = [(name, mapping) for name, mapping in mappings.items() if mapping and not mapping["reverse"]]
    terms: dict[str, str] = {}
    for name, mapping in sorted(usable, key=order):
        if mapping["@id"] is not None:
            terms.setdefault(mapping["@id"], name)
    return terms


def _shortest(name: str) -> tuple[int, str]:
    return len(name), name


_CORE_WORDS = _preferred_terms(_CORE_MAPPINGS)

CORE: Context = compile_context(None, {})
"""The core @context alone: what stands where a client gives none (5.5.5)."""
