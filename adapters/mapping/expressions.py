"""JMESPath expressions with our functions (why JMESPath: docs/decisions/004-mapping-language.md)."""

import csv
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions, signature

from adapters.errors import DefinitionError, MappingError
from adapters.mapping.compiler import Expression, compiled
from adapters.mapping.times import parse_time, to_text

_NUMBER: Any = {"types": ["number", "null"]}
_TEXT: Any = {"types": ["string", "null"]}
_ANY: Any = {"types": []}


class MappingFunctions(Functions):
    """What a mapping can say beyond JMESPath's own functions. Each answers null where an argument it needs is null."""

    def __init__(
        self, tables: Mapping[str, Mapping[str, Mapping[str, Any]]] | None = None, zone: ZoneInfo | None = None
    ) -> None:
        super().__init__()
        self.tables = dict(tables or {})
        self.zone = zone
        self.received = ""

    @signature({"types": ["string"]}, {"types": ["string", "number", "null"]})
    def _func_lookup(self, table: str, key: Any) -> Any:
        """lookup('sites', id): the row of a CSV, as an object of texts, or an entity of the broker, simplified."""
        if table not in self.tables:
            raise MappingError(f"there is no table {table!r}; declared are: {', '.join(self.tables) or 'none'}")
        return None if key is None else self.tables[table].get(str(key))

    @signature()
    def _func_received(self) -> str:
        """received(): when the adapter got the record, for records that have no time of their own."""
        return self.received

    @signature(_NUMBER, _NUMBER)
    def _func_multiply(self, a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a * b

    @signature(_NUMBER, _NUMBER)
    def _func_divide(self, a: float | None, b: float | None) -> float | None:
        return None if a is None or not b else a / b

    @signature(_NUMBER, _NUMBER)
    def _func_add(self, a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a + b

    @signature({"types": ["string", "number", "null"]})
    def _func_number(self, value: Any) -> float | None:
        """number('13.74'): the number a text stands for; a text that stands for none is an error."""
        return None if value is None else as_number(value)

    @signature(_TEXT)
    def _func_lower(self, text: str | None) -> str | None:
        return None if text is None else text.lower()

    @signature(_TEXT, {"types": ["string"]})
    def _func_split(self, text: str | None, separator: str) -> list[str] | None:
        return None if text is None else text.split(separator)

    @signature({"types": ["object", "null"]})
    def _func_items(self, value: dict[str, Any] | None) -> list[dict[str, Any]] | None:
        """items({a: 1}): [{key: a, value: 1}], to make an entity of each member."""
        return None if value is None else [{"key": key, "value": each} for key, each in value.items()]

    @signature(_TEXT, _NUMBER)
    def _func_later(self, time: str | None, seconds: float | None) -> str | None:
        """later(time, `-360`): the time so many seconds later, or before."""
        if time is None or seconds is None:
            return None
        return to_text(parse_time(time, self.zone) + timedelta(seconds=seconds))

    @signature(_ANY)
    def _func_numeric(self, value: Any) -> float | None:
        """numeric(x): the number that x is, or that its text stands for; null for anything else."""
        try:
            return as_number(value)
        except MappingError:
            return None

    @signature(_TEXT, _ANY)
    def _func_member(self, name: str | None, value: Any) -> dict[str, Any] | None:
        """member(name, value): an object with one member, whose name an expression says."""
        return None if name is None else {name: value}

    @signature({"types": ["object"]}, {"types": ["string", "null"]})
    def _func_pick(self, value: dict[str, Any], key: str | None) -> Any:
        """pick(`{"a": 1}`, name): the member that an expression names."""
        return None if key is None else value.get(key)


def as_number(value: Any) -> float:
    """A number from a number or from a text such as `13.74`; MappingError for anything else, NaN and infinity."""
    if isinstance(value, bool):
        raise MappingError(f"{value} is not a number")
    if isinstance(value, str):
        text = value.strip()
        try:
            value = int(text) if text.lstrip("+-").isdecimal() and len(text) < 19 else float(text)
        except ValueError:
            raise MappingError(f"{value!r} is not a number") from None
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        raise MappingError(f"{value!r} is not a number")
    return value


def compile_expression(text: str, functions: MappingFunctions, where: str) -> Expression:
    """The expression as a function of the record; DefinitionError at `where` if it is not JMESPath."""
    try:
        parsed = jmespath.compile(text)
    except JMESPathError as error:
        raise DefinitionError(where, "is not a JMESPath expression: " + " ".join(str(error).split())) from None
    for name in _functions_called(parsed.parsed):
        if name not in functions.FUNCTION_TABLE:
            known = ", ".join(sorted(functions.FUNCTION_TABLE))
            raise DefinitionError(where, f"calls {name}(), which is no function; there are: {known}")
    evaluate = compiled(parsed.parsed, functions)
    if not _functions_called(parsed.parsed):
        return evaluate  # nothing in it can fail

    def search(record: Any) -> Any:
        try:
            return evaluate(record)
        except MappingError as error:
            error.expression = error.expression or text
            raise
        except (JMESPathError, ArithmeticError, TypeError, ValueError) as error:
            raise MappingError(" ".join(str(error).split()), expression=text) from None

    return search


def read_table(path: Any, key: str, delimiter: str, encoding: str, where: str) -> dict[str, dict[str, str]]:
    """The rows of a CSV file by their column `key`; columns that a row lacks are absent from it, empty ones too.

    Raises DefinitionError that names the file and the column, and the line of a key given twice.
    """
    try:
        with open(path, encoding=encoding, newline="") as file:  # noqa: PTH123
            reader = csv.DictReader(file, delimiter=delimiter)
            if key not in (reader.fieldnames or []):
                raise DefinitionError(
                    where, f"{path} has no column {key!r}; it has {', '.join(reader.fieldnames or [])}"
                )
            rows: dict[str, dict[str, str]] = {}
            for row in reader:
                name = row[key]
                if name in rows:
                    raise DefinitionError(where, f"{path}, line {reader.line_num}: {key} {name!r} is there twice")
                rows[name] = {column: text for column, text in row.items() if column and isinstance(text, str) and text}
            return rows
    except OSError as error:
        raise DefinitionError(where, f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DefinitionError(where, f"{path} is not CSV in {encoding}: {error}") from None


def _functions_called(node: Any) -> set[str]:
    if not isinstance(node, dict):
        return set()
    called = {node["value"]} if node.get("type") == "function_expression" else set()
    for child in node.get("children", ()):
        called |= _functions_called(child)
    return called
