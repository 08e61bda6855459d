"""Grids of Project Haystack (JSON v4, called Hayson, and v3) into records, one a row that is a site or a point:

    {"kind": "point", "id": "p:demo:r:25aa", "dis": "Salle SAT", "site": "p:demo:r:11", "siteDis": "Mairie",
     "number": 21.5, "unit": "°C", "text": null, "truth": null, "status": "ok", "tags": ["air", "sensor", "temp"]}
    {"kind": "site", "id": "p:demo:r:11", "dis": "Mairie", "longitude": 4.36, "latitude": 48.95, "street": …, …}

`_kind` is compared without case: some servers write Number for number.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.errors import DecodingError
from adapters.options import read

_NUMBER_3 = re.compile(r"n:(-?[\d.]+(?:[eE][+-]?\d+)?)(?: (.+))?")


@dataclass(frozen=True, slots=True)
class HaystackDecoder:
    """One grid in each payload."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records. Raises DecodingError for what is no grid, or a grid that says an error."""
        grid = parse_json(stream.read())
        rows = grid.get("rows") if isinstance(grid, dict) else None
        meta = grid.get("meta") if isinstance(grid, dict) else None
        if isinstance(meta, dict) and "err" in meta:
            raise DecodingError(f"the server answered with an error: {_text(meta.get('dis')) or 'no reason given'}")
        if not isinstance(rows, list):
            raise DecodingError("a grid must have rows")
        for row in rows:
            if not isinstance(row, dict) or _reference(row.get("id"))[0] is None:
                yield Fault("a row must have an id", row)
            elif "site" in row:
                yield _site(row)
            elif "point" in row:
                yield _point(row)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> HaystackDecoder:
    """From a definition's `format: haystack`."""
    return read(HaystackDecoder, options, where)


def _site(row: dict[str, Any]) -> dict[str, Any]:
    identifier, dis = _reference(row["id"])
    longitude, latitude = _coordinates(row.get("geoCoord"))
    return {
        "kind": "site",
        "id": identifier,
        "dis": _text(row.get("dis")) or dis,
        "longitude": longitude,
        "latitude": latitude,
        "street": _text(row.get("geoStreet")),
        "city": _text(row.get("geoCity")),
        "postalCode": _text(row.get("geoPostalCode")),
        "country": _text(row.get("geoCountry")),
        "function": _text(row.get("primaryFunction")),
    }


def _point(row: dict[str, Any]) -> dict[str, Any]:
    identifier, dis = _reference(row["id"])
    site, site_dis = _reference(row.get("siteRef"))
    value = row.get("curVal")
    number, unit = _number(value)
    return {
        "kind": "point",
        "id": identifier,
        "dis": _text(row.get("dis")) or dis or _text(row.get("navName")),
        "site": site,
        "siteDis": site_dis,
        "number": number,
        "unit": unit or _text(row.get("unit")) if number is not None else None,
        "truth": value if isinstance(value, bool) else None,
        "text": _text(value) if number is None else None,
        "status": _text(row.get("curStatus")) or "ok",
        "tags": sorted(name for name, each in row.items() if _is_marker(each)),
    }


def _kind(value: Any) -> str:
    return str(value.get("_kind", "")).lower() if isinstance(value, dict) else ""


def _is_marker(value: Any) -> bool:
    return _kind(value) == "marker" or value == "m:"


def _reference(value: Any) -> tuple[str | None, str | None]:
    """The id and the display name of a reference: {"_kind": "ref", …}, or `r:id name`."""
    if _kind(value) == "ref" and isinstance(value.get("val"), str) and value["val"]:
        return value["val"], _text(value.get("dis"))
    if isinstance(value, str) and value.startswith("r:"):
        identifier, _, dis = value[2:].partition(" ")
        return identifier or None, dis or None
    return None, None


def _number(value: Any) -> tuple[float | None, str | None]:
    if _kind(value) == "number":
        number, unit = _number(value.get("val"))
        return number, _text(value.get("unit")) or unit
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return (value, None) if math.isfinite(value) else (None, None)
    match = _NUMBER_3.fullmatch(value) if isinstance(value, str) else None
    if match:
        try:
            return float(match.group(1)), match.group(2)
        except ValueError:
            pass
    return None, None


def _coordinates(value: Any) -> tuple[Any, Any]:
    if _kind(value) == "coord":
        return value.get("lng"), value.get("lat")
    if isinstance(value, str) and value.startswith("c:"):
        latitude, _, longitude = value[2:].partition(",")
        return longitude, latitude
    return None, None


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    text = value.removeprefix("s:")
    return None if re.match(r"[a-z-]:", text) else text or None
