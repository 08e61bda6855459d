"""JSON and NDJSON."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from adapters.errors import DecodingError
from adapters.options import read


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """One JSON document."""

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, state: Path | None) -> "JsonFormat":
        """From a definition's `format: json`."""
        return read(cls, options, where)

    def decode(self, stream: BinaryIO, origin: Mapping[str, str]) -> Iterator[Any]:
        """The document. Raises DecodingError."""
        yield with_origin(parse_json(stream.read()), origin)


@dataclass(frozen=True, slots=True)
class NdjsonFormat:
    """One JSON document a line; empty lines are passed over."""

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, state: Path | None) -> "NdjsonFormat":
        """From a definition's `format: ndjson`."""
        return read(cls, options, where)

    def decode(self, stream: BinaryIO, origin: Mapping[str, str]) -> Iterator[Any]:
        """The documents. Raises DecodingError that names the line."""
        for number, line in enumerate(stream, 1):
            if line.strip():
                try:
                    yield with_origin(parse_json(line), origin)
                except DecodingError as error:
                    raise DecodingError(f"line {number}: {error}") from None


def parse_json(data: bytes) -> Any:
    """The JSON value; DecodingError says where it stops being JSON."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise DecodingError(f"not JSON: {error}") from None


def with_origin(document: Any, origin: Mapping[str, str]) -> Any:
    """The document with what the transport said of it, as `_origin`; only objects can carry it."""
    if origin and isinstance(document, dict):
        document["_origin"] = dict(origin)
    return document
