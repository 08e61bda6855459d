"""The data models of the territory: the names, units, enumerations and IRIs of Smart Data Models, in our own schemas.

One folder a type, `<Subject>/<Type>/`, with `schema.json` (of the simplified form of an entity), `example.json`
(normalized NGSI-LD) and `notes.md` for the person who maps a vendor's data to it. `context.jsonld` is the territory's
@context, made from the schemas by `data_models.composition`.
"""
# ruff: noqa: N999  (the folder has the name people look for; Python imports it by the link data_models beside it)

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent

CONTEXT_PATH = "/contexts/territory.jsonld"
"""Where a broker of the territory serves `context()`."""


@cache
def context() -> dict[str, Any]:
    """The territory's @context document: `{"version": …, "@context": {term: IRI, …}}`. Shared: do not change it."""
    return read("context.jsonld")


@cache
def types() -> tuple[str, ...]:
    """The names of the modelled entity types, in alphabetical order."""
    return tuple(sorted(_subjects()))


def subject(entity_type: str) -> str:
    """The subject of Smart Data Models that a type belongs to: `Streetlighting` for `Streetlight`.

    Raises `KeyError`, with the names of the modelled types, for another.
    """
    try:
        return _subjects()[entity_type]
    except KeyError:
        raise KeyError(f"no data model for {entity_type!r}; there are {', '.join(types())}") from None


def schema(entity_type: str, *, partial: bool = False) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a type's simplified form, complete in itself.

    With `partial`, it requires `id` and `type` only: the schema of a fragment that updates an entity. Raises
    `KeyError` for a type that is not modelled.
    """
    document = read(f"{subject(entity_type)}/{entity_type}/schema.json")
    document["$defs"] = {"common": read("common.schema.json")}
    if partial:
        document["required"] = ["id", "type"]
    return document


def example(entity_type: str) -> dict[str, Any]:
    """A plausible entity of Châlons-en-Champagne in normalized NGSI-LD, without @context."""
    return read(f"{subject(entity_type)}/{entity_type}/example.json")


def read(path: str) -> dict[str, Any]:
    """One JSON document of the models, by its path in their folder."""
    document: dict[str, Any] = json.loads((FOLDER / path).read_text(encoding="utf-8"))
    return document


@cache
def _subjects() -> dict[str, str]:
    return {path.parent.name: path.parent.parent.name for path in FOLDER.glob("*/*/schema.json")}
