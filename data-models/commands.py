"""`beffroi models list|check FILE|example TYPE`: the data models at hand for those who write and receive entities."""

import difflib
import json
import sys
from pathlib import Path
from typing import Any, TextIO

import data_models
from data_models.attributes import attributes
from data_models.checking import faults
from data_models.validation import problems


def list_types(out: TextIO = sys.stdout) -> int:
    """Prints each type, its subject and what it is."""
    width = max(len(name) for name in data_models.types())
    for name in data_models.types():
        description = data_models.schema(name)["description"].partition(" Facts:")[0]
        out.write(f"{name:{width}}  {data_models.subject(name)}: {description}\n")
    return 0


def example(entity_type: str, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Prints an entity of the type in normalized NGSI-LD; 1 where there is no such type."""
    if entity_type not in data_models.types():
        err.write(_unknown(entity_type) + "\n")
        return 1
    out.write(json.dumps(data_models.example(entity_type), ensure_ascii=False, indent=2) + "\n")
    return 0


def check(file: Path, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Checks the entities of a JSON file (one or a list, normalized or simplified): a line a fault that names entity
    and attribute. 0 where all are right."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        err.write(f"{file} cannot be read: {error.strerror}\n")
        return 1
    except ValueError as error:
        err.write(f"{file} is not JSON: {error}\n")
        return 1
    entities = content if isinstance(content, list) else [content]
    wrong = 0
    for number, entity in enumerate(entities, 1):
        found = _faults(entity)
        wrong += bool(found)
        name = entity.get("id", f"entity {number}") if isinstance(entity, dict) else f"entity {number}"
        for fault in found:
            out.write(f"{name}: {fault}\n")
    err.write(f"{len(entities)} entities, {wrong} with faults\n")
    return 1 if wrong or not entities else 0


def _faults(entity: Any) -> list[str]:
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
        return ["an entity must be an object with an id and a type"]
    entity_type = entity["type"]
    if entity_type not in data_models.types():
        return [_unknown(entity_type)]
    known = attributes(entity_type)
    names = {attribute.term for attribute in known.values()} | set(known)
    unknown = [
        f"{name} is no attribute of {entity_type}{_suggestion(name, sorted(names))}"
        for name in entity
        if name not in names and name not in ("id", "type", "scope", "@context")
    ]
    return (faults(entity) if _is_normalized(entity) else problems(entity)) + unknown


def _is_normalized(entity: dict[str, Any]) -> bool:
    members = [value for name, value in entity.items() if name not in ("id", "type", "scope", "@context")]
    return all(isinstance(value, dict) and {"value", "object", "languageMap"} & value.keys() for value in members)


def _unknown(entity_type: str) -> str:
    suggestion = _suggestion(entity_type, list(data_models.types()))
    return f"there is no data model for {entity_type}{suggestion or '; there are ' + ', '.join(data_models.types())}"


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
