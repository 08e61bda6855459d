"""Whether an entity is as its model says, in sentences that name the attribute."""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import jsonschema_rs

import data_models


def problems(entity: dict[str, Any], *, partial: bool = False) -> list[str]:
    """What is wrong with an entity in simplified form, one sentence a fault; empty for one that is right.

        {"id": "urn:ngsi-ld:Streetlight:1", "type": "Streetlight", "powerState": "ON", …}
        → ["powerState must be one of on, off, low, bootingUp, not \"ON\""]

    With `partial` it may lack what the model requires. Raises `KeyError` for a type that is not modelled.
    """
    schema, validator = _compiled(entity["type"], partial)
    return [_sentence(error, schema) for error in validator.iter_errors(entity)]


@cache
def _compiled(entity_type: str, partial: bool) -> tuple[dict[str, Any], jsonschema_rs.Draft202012Validator]:
    schema = data_models.schema(entity_type, partial=partial)
    return schema, jsonschema_rs.Draft202012Validator(schema)


def _sentence(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> str:
    where = ".".join(str(step) for step in error.instance_path)
    wanted = _wanted(error, schema)
    if wanted is not None:
        return f"{where} must be {wanted}, not {_shown(error.instance)}"
    return f"{where}: {error.message}" if where else error.message


def _wanted(error: jsonschema_rs.ValidationError, schema: dict[str, Any]) -> str | None:
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Enum):
        return "one of " + ", ".join(str(option) for option in error.kind.options)
    title = _at(schema, error.evaluation_path[:-1]).get("title")
    return title if error.instance_path else None


def _at(schema: dict[str, Any], path: Sequence[str | int]) -> Any:
    """The subschema at a path of an error, which goes through references as if they were members."""
    shared = schema["$defs"]["common"]["$defs"]
    found: Any = schema
    for step in path:
        found = shared[found["$ref"].rpartition("/")[2]] if step == "$ref" else found[step]
    return found


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
