"""Options of a YAML file into frozen dataclasses: the dataclass is the table of what may stand there.

@dataclass(frozen=True, slots=True)
class Options:
    url: str
    interval: float = 60.0

read(Options, {"url": "http://…", "intervall": 5}, "lighting.yaml: source")
# DefinitionError: lighting.yaml: source.intervall is not known; did you mean interval?
"""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from adapters.errors import DefinitionError

T = TypeVar("T")

_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a mapping (name: value)",
    list: "a list",
    tuple: "a list",
}


def read(cls: type[T], data: object, where: str) -> T:
    """An instance of the dataclass `cls` from a mapping, every member checked.

    Raises DefinitionError that names the member: not known (with the nearest known name), missing, of another type.
    """
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise DefinitionError(where, f"must be a mapping (name: value), not {shown(data)}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in data:
        if name not in fields:
            raise DefinitionError(f"{where}.{name}", f"is not known; {_suggestion(str(name), list(fields))}")
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = checked(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise DefinitionError(f"{where}.{name}", f"is missing; it must be {_named(hints[name])}")
    return cls(**values)


def checked(kind: Any, value: Any, where: str) -> Any:
    """`value` as the annotated type `kind` (scalars, `X | None`, dict, list, tuple[X, ...], a dataclass)."""
    if kind is Any or kind is object:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return checked(next(each for each in arguments if each is not types.NoneType), value, where)
    if dataclasses.is_dataclass(kind):
        return read(typing.cast("type[Any]", kind), value, where)
    if origin is tuple:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list):
            return tuple(checked(arguments[0], each, f"{where}[{at}]") for at, each in enumerate(value))
    elif kind is float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif kind is str:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
    elif isinstance(value, origin or kind):
        return value
    raise DefinitionError(where, f"must be {_named(kind)}, not {shown(value)}")


def shown(value: object) -> str:
    """A value as an error message shows it, on one line and not too long."""
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _named(kind: Any) -> str:
    arguments = [each for each in typing.get_args(kind) if each is not types.NoneType]
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        kind = arguments[0]
    return _WORDS.get(typing.get_origin(kind) or kind, "a mapping (name: value)")


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"what may stand here: {', '.join(known)}"
