"""From the bytes of a vendor to records: JSON, NDJSON, CSV, XML; and the formats that profiles bring.

A decoder reads a binary stream and yields documents. It is given the origin too: what the transport said of the bytes
(the levels of an MQTT topic, the query parameters of a request), which generic formats put into each record as
`_origin`.
"""

import importlib
import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from adapters.decoding.csv import CsvFormat
from adapters.decoding.faults import Fault
from adapters.decoding.json import JsonFormat, NdjsonFormat
from adapters.decoding.xml import XmlFormat
from adapters.errors import DecodingError, DefinitionError
from adapters.options import shown

__all__ = ["FORMATS", "Decoder", "DecoderFactory", "Fault", "Origin", "decoded", "open_decoder", "profile_part"]

_log = logging.getLogger("beffroi.adapter.decoding")

Origin = Mapping[str, str]
"""What the transport said of a payload: `{"application": "1", "event": "up"}`."""


class Decoder(Protocol):
    """A format. Raises DecodingError where the bytes are not of it, after what could be read before."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The documents in the stream, one after the other, without holding them all; a Fault in place of a bad one."""
        ...


def decoded(decoder: Decoder, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
    """What a decoder yields. A fault of ours in it is a DecodingError too: without this a source would read the same
    payload again for ever."""
    try:
        yield from decoder.decode(stream, origin)
    except DecodingError:
        raise
    except Exception as error:
        _log.exception("a payload that the decoding fails on")
        raise DecodingError(f"the decoding failed: {error!r}") from None


DecoderFactory = Callable[[Mapping[str, Any], str, Path | None], Decoder]
"""Options, the place they stand (for errors), the directory for what the decoder must remember (None: memory)."""

FORMATS: dict[str, DecoderFactory] = {
    "json": JsonFormat.open,
    "ndjson": NdjsonFormat.open,
    "csv": CsvFormat.open,
    "xml": XmlFormat.open,
}


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None = None) -> Decoder:
    """The decoder of a definition's `format`: one of FORMATS, or a profile's own (adapters/<kind>/records.py)."""
    kind = options["kind"]
    rest = {name: value for name, value in options.items() if name != "kind"}
    if kind in FORMATS:
        return FORMATS[kind](rest, where, state)
    decoder: Decoder = profile_part(kind, "records", "open_decoder", f"{where}.kind", list(FORMATS))(rest, where, state)
    return decoder


def profile_part(kind: object, module: str, function: str, where: str, known: list[str]) -> Any:
    """A function of a profile's own module: `adapters.<kind>.<module>.<function>`; DefinitionError if there is none."""
    if isinstance(kind, str) and kind.isidentifier():
        name = f"adapters.{kind}.{module}"
        package = importlib.util.find_spec(f"adapters.{kind}")
        if package is not None and importlib.util.find_spec(name) is not None:
            part = getattr(importlib.import_module(name), function, None)
            if part is not None:
                return part
    raise DefinitionError(
        where, f"{shown(kind)} is not known; it is one of {', '.join(known)}, or a profile with its own"
    )
