"""CSV: a record a row, an object of the texts in it by the names in the first row."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding.faults import Fault
from adapters.decoding.json import with_origin
from adapters.errors import DecodingError, DefinitionError
from adapters.options import read


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """`delimiter`: one character, or empty for the one of , ; tab and | that the first row has most of. `decimal`: `,`
    where numbers are written 12,5. `columns`: the names, for files whose first row has none.

    Empty cells make no member; a row that has more cells than there are columns is a Fault.
    """

    delimiter: str = ""
    encoding: str = "utf-8-sig"
    decimal: str = "."
    columns: tuple[str, ...] = ()

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, state: Path | None) -> "CsvFormat":
        """From a definition's `format: {kind: csv, delimiter: ";"}`."""
        chosen = read(cls, options, where)
        if len(chosen.delimiter) > 1:
            raise DefinitionError(f"{where}.delimiter", f"must be one character, not {chosen.delimiter!r}")
        if chosen.decimal not in (".", ","):
            raise DefinitionError(f"{where}.decimal", "must be . or ,")
        try:
            "".encode(chosen.encoding)
        except LookupError:
            raise DefinitionError(
                f"{where}.encoding", f"{chosen.encoding!r} is not an encoding such as utf-8"
            ) from None
        return chosen

    def decode(self, stream: BinaryIO, origin: Mapping[str, str]) -> Iterator[Any]:
        """The rows. Raises DecodingError that names the line where the text is not of the encoding or no CSV."""
        text = io.TextIOWrapper(stream, self.encoding, newline="")
        line = 0
        try:
            head = text.readline()
            if not head.strip():
                return
            delimiter = self.delimiter or max(",;\t|", key=head.count)
            rest = csv.reader(text, delimiter=delimiter, strict=True)
            first = next(csv.reader([head], delimiter=delimiter, strict=True))
            columns = [name.strip() for name in self.columns or first]
            for name in columns:
                if columns.count(name) > 1:
                    raise DecodingError(f"the column {name!r} is there twice")
            if self.columns:
                yield self._record(columns, first, 1, origin)
            for cells in rest:
                line = rest.line_num + 1
                if cells:
                    yield self._record(columns, cells, line, origin)
        except UnicodeDecodeError as error:
            raise DecodingError(f"line {line + 1} is not {self.encoding} text: {error.reason}") from None
        except csv.Error as error:
            raise DecodingError(f"line {line + 1} is not CSV: {error}") from None
        finally:
            text.detach()  # the stream is not ours to close

    def _record(self, columns: list[str], cells: list[str], line: int, origin: Mapping[str, str]) -> Any:
        record: dict[str, Any] = {}
        for name, cell in zip(columns, cells, strict=False):
            cell = cell.strip()
            if name and cell:
                record[name] = cell if self.decimal == "." else _with_point(cell)
        if any(cell.strip() for cell in cells[len(columns) :]):
            return Fault(f"line {line} has {len(cells)} cells and there are {len(columns)} columns", record)
        return with_origin(record, origin)


def _with_point(cell: str) -> str:
    whole, comma, fraction = cell.partition(",")
    return f"{whole}.{fraction}" if comma and whole.lstrip("+-").isdecimal() and fraction.isdecimal() else cell
