"""NCMD and DCMD payloads: one metric by its name, with the type that its BIRTH gave it (Sparkplug 3.0.0, 6.4)."""

import struct
from typing import Any

from adapters.errors import MappingError
from adapters.mapping.times import parse_time
from adapters.options import shown

_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}
_FLOAT, _DOUBLE, _BOOLEAN, _DATETIME = 9, 10, 11, 13
_TEXTS = frozenset({12, 14, 15})
_LONG = frozenset({4, 8, _DATETIME})
"""Types that travel in the field for 64 bits; the other whole numbers in that for 32."""


def encode(command: Any) -> bytes:
    """From `{"name": "Flow", "datatype": 9, "value": 18.5, "time": "2026-11-23T17:02:00Z"}`. Raises MappingError where
    the value is not of the metric's type."""
    at = int(parse_time(command["time"]).timestamp() * 1000)
    datatype = command["datatype"] or 0
    metric = _text(1, str(command["name"])) + _number(3, at) + _number(4, datatype)
    metric += _value(command["value"], datatype)
    return _number(1, at) + _bytes(2, metric)


def _value(value: Any, datatype: int) -> bytes:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if datatype == _BOOLEAN and (isinstance(value, bool) or value in (0, 1)):
        return _number(14, int(value))
    if datatype in _TEXTS and isinstance(value, str):
        return _text(15, value)
    if datatype == _FLOAT and number:
        try:
            return _varint(12 << 3 | 5) + struct.pack("<f", value)
        except OverflowError:
            raise MappingError(f"{value} is more than the metric can hold") from None
    if datatype == _DOUBLE and number:
        return _varint(13 << 3 | 1) + struct.pack("<d", value)
    bits = _SIGNED.get(datatype) or _UNSIGNED.get(datatype) or (64 if datatype == _DATETIME else None)
    if bits and number and value == int(value):
        low = -(1 << (bits - 1)) if datatype in _SIGNED else 0
        if not low <= value < low + (1 << bits):
            raise MappingError(f"{value} is not between {low} and {low + (1 << bits) - 1}, which the metric can hold")
        return _number(11 if datatype in _LONG else 10, int(value) & ((1 << (64 if datatype in _LONG else 32)) - 1))
    raise MappingError(f"{shown(value)} is not a value for a metric of Sparkplug type {datatype}")


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())


def _bytes(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
