"""Sparkplug B payloads: the part of Protocol Buffers' wire format that they need, and the fields of Payload and Metric
(Sparkplug 3.0.0, 6.4).

A hundred lines rather than the protobuf library and a generated module: the wire format is four kinds of fields, and
every field that is not read here is passed over.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.errors import DecodingError

_BITS = {1: 8, 2: 16, 3: 32, 4: 64}
"""Signed integer types (Int8 to Int64) and their width: they travel as unsigned."""

_UNIT = "engUnit"
"""The property of a metric that names its unit."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: DATA may have its alias instead of its name. `value` is None for null, and for kinds that are no
    numbers, truth values or texts (data sets, templates, bytes). `time`: milliseconds since 1970."""

    name: str
    alias: int | None
    time: int | None
    datatype: int
    value: float | bool | str | None
    unit: str


@dataclass(frozen=True, slots=True)
class Payload:
    """A payload's time (ms) and metrics."""

    time: int | None
    metrics: tuple[Metric, ...]


def parse(data: bytes) -> Payload:
    """The payload. Raises DecodingError for bytes that are none."""
    time, metrics = None, []
    for number, value in _fields(data):
        if number == 1 and isinstance(value, int):
            time = value
        elif number == 2 and isinstance(value, bytes):
            metrics.append(_metric(value))
    return Payload(time, tuple(metrics))


def _metric(data: bytes) -> Metric:
    name, unit, datatype = "", "", 0
    alias = time = None
    null = False
    raw: Any = None
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            alias = _integer(value)
        elif number == 3:
            time = _integer(value)
        elif number == 4:
            datatype = _integer(value)
        elif number == 7:
            null = bool(value)
        elif number == 9:
            unit = _properties(_bytes(value)).get(_UNIT, "")
        elif number in (10, 11):
            raw = _integer(value)
        elif number == 12:
            raw = struct.unpack("<f", _sized(value, 4))[0]
            raw = float(f"{raw:.7g}")  # what the sensor said, not its 32-bit shadow
        elif number == 13:
            raw = struct.unpack("<d", _sized(value, 8))[0]
        elif number == 14:
            raw = bool(value)
        elif number == 15:
            raw = _text(value)
    return Metric(name, alias, time, datatype, None if null else raw, unit)


def signed(value: Any, datatype: int) -> Any:
    """An integer of a signed type as it was meant: 4294967295 of an Int32 is -1."""
    bits = _BITS.get(datatype)
    if bits is None or isinstance(value, bool) or not isinstance(value, int):
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _properties(data: bytes) -> dict[str, str]:
    """The texts of a PropertySet: keys and values, in their order."""
    keys: list[str] = []
    values: list[str] = []
    for number, value in _fields(data):
        if number == 1:
            keys.append(_text(value))
        elif number == 2:
            texts = [_text(inner) for field, inner in _fields(_bytes(value)) if field == 8]
            values.append(texts[0] if texts else "")
    return dict(zip(keys, values, strict=False))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message: numbers as integers, everything else as bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise DecodingError("not a Sparkplug B payload: a field of no known kind")
        if at + length > len(data):
            raise DecodingError("not a Sparkplug B payload: it ends within a field")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise DecodingError("not a Sparkplug B payload: it ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise DecodingError("not a Sparkplug B payload: a number has more than 64 bits")


def _integer(value: int | bytes) -> int:
    if isinstance(value, int):
        return value
    raise DecodingError("not a Sparkplug B payload: bytes where a number should be")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    raise DecodingError("not a Sparkplug B payload: a number where bytes should be")


def _sized(value: int | bytes, size: int) -> bytes:
    data = _bytes(value)
    if len(data) != size:
        raise DecodingError("not a Sparkplug B payload: a number of the wrong size")
    return data


def _text(value: int | bytes) -> str:
    return _bytes(value).decode("utf-8", "replace")
