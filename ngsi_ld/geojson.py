"""GeoJSON geometries (RFC 7946) as NGSI-LD takes them: GeoProperty values, references of geo-queries (4.6.3, 4.7.1).

Six types, no GeometryCollection; WGS 84 longitude, latitude and, if wanted, altitude in metres. What makes a geometry
unusable is refused with the place of the fault. A ring that crosses itself is accepted: surveys are full of them.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

import orjson

from ngsi_ld.errors import NgsiLdError, bad_request_data

Geometry = dict[str, Any]
"""`{"type": "Point", "coordinates": [4.3631, 48.9566]}`"""


def checked_geometry(value: object, where: str) -> Geometry:
    """The geometry, given as a JSON object or as a JSON-encoded string; other members (`bbox` …) are left as they are.

    Raises BadRequestData that names `where` it stood and the coordinate at fault.
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            raise bad_request_data(f"{where} is a text that is not JSON, so it cannot be a GeoJSON geometry") from None
    if not isinstance(value, dict):
        raise bad_request_data(
            f'{where} must be a GeoJSON geometry such as {{"type": "Point", "coordinates": [4.36, 48.95]}}'
        )
    if "coordinates" not in value and is_geometry_type(value.get("type")):
        raise bad_request_data(f"{where} has no coordinates: a GeoJSON {value['type']} needs them")
    check_coordinates(value.get("type"), value.get("coordinates"), where)
    return value


def is_geometry_type(name: object) -> bool:
    """Whether it names one of the six types that NGSI-LD takes."""
    return isinstance(name, str) and name in _CHECKS


def check_coordinates(geometry_type: object, coordinates: object, where: str) -> None:
    """Raise BadRequestData unless `coordinates` are those of a geometry of this type."""
    check = _CHECKS.get(geometry_type) if isinstance(geometry_type, str) else None
    if check is None:
        raise bad_request_data(f"{where}: the type of a geometry is one of {', '.join(_CHECKS)}, not {geometry_type!r}")
    check(coordinates, f"coordinates of {where}")


def _position(value: object, where: str) -> None:
    if not isinstance(value, list) or not 2 <= len(value) <= 3:
        raise bad_request_data(
            f"{where}: a position is [longitude, latitude] or [longitude, latitude, altitude], not {_shown(value)}"
        )
    for number in value:
        if type(number) is not int and (type(number) is not float or not isfinite(number)):
            raise bad_request_data(f"{where}: {_shown(value)} has something that is not a number")
    longitude, latitude = value[0], value[1]
    if -180 <= longitude <= 180 and -90 <= latitude <= 90:
        return
    raise _out_of_range(value, longitude, latitude, where)


def _out_of_range(value: object, longitude: float, latitude: float, where: str) -> NgsiLdError:
    hint = ""
    if abs(longitude) <= 90 and 90 < abs(latitude) <= 180:
        hint = f"; longitude comes first, perhaps [{latitude}, {longitude}] is meant"
    return bad_request_data(f"{where}: {_shown(value)} is outside longitude -180 to 180 and latitude -90 to 90{hint}")


def _line(value: object, where: str) -> None:
    _array_of(_position, value, where, "positions", least=2)


def _ring(value: object, where: str) -> None:
    _array_of(_position, value, where, "positions, the last equal to the first", least=4)
    if isinstance(value, list) and value[0] != value[-1]:
        raise bad_request_data(
            f"{where}: the ring is not closed, it begins at {_shown(value[0])} and ends at {_shown(value[-1])}"
        )


def _polygon(value: object, where: str) -> None:
    _array_of(_ring, value, where, "rings")


def _array_of(check: Callable[[object, str], None], value: object, where: str, of: str, least: int = 1) -> None:
    if not isinstance(value, list) or len(value) < least:
        raise bad_request_data(f"{where} must be an array of at least {least} {of}, not {_shown(value)}")
    for index, item in enumerate(value):
        check(item, f"{where}[{index}]")


_CHECKS: dict[str, Callable[[object, str], None]] = {
    "Point": _position,
    "MultiPoint": lambda value, where: _array_of(_position, value, where, "positions"),
    "LineString": _line,
    "MultiLineString": lambda value, where: _array_of(_line, value, where, "lines"),
    "Polygon": _polygon,
    "MultiPolygon": lambda value, where: _array_of(_polygon, value, where, "polygons"),
}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
