"""What MongoDB's 2dsphere index takes: GeoJSON that S2 accepts, made from what clients send.

NGSI-LD brokers are lenient about geometries that cross themselves (the official fixtures have bow-tie polygons), and
MongoDB refuses the whole write for one. So such a geometry is indexed as a repaired copy, and kept as it came beside.
"""

from typing import Any

import orjson
import shapely

Geometry = dict[str, Any]
"""A GeoJSON geometry: `{"type": "Point", "coordinates": [4.36, 48.95]}`."""

_MEMBERS = {"type", "coordinates"}
_TYPES = {"MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}


def indexable(geometry: object) -> Geometry | None:
    """`geometry` itself where the index takes it, else a repaired copy, else None where nothing can be indexed.

    What is given back has the members `type` and `coordinates` and no other, so it holds no key of a client's making.
    """
    if type(geometry) is not dict or "coordinates" not in geometry:
        return None
    coordinates = geometry["coordinates"]
    kind = geometry.get("type")
    if kind == "Point":
        return _without_others(geometry) if _is_position(coordinates) else None
    if kind not in _TYPES or not coordinates:
        return None
    try:
        shape = shapely.from_geojson(orjson.dumps({"type": kind, "coordinates": coordinates}))
    except (shapely.GEOSException, TypeError):  # GEOS on odd nesting, orjson on integers beyond 64 bits
        return None
    west, south, east, north = shape.bounds
    if not (west >= -180 and south >= -90 and east <= 180 and north <= 90):  # false for NaN: an empty one
        return None
    return _without_others(geometry) if shape.is_valid else _repaired(shape)


def _is_position(coordinates: object) -> bool:
    match coordinates:
        case [int() | float() as longitude, int() | float() as latitude, *others]:
            return -180 <= longitude <= 180 and -90 <= latitude <= 90 and all(type(o) in (int, float) for o in others)
    return False


def _without_others(geometry: Geometry) -> Geometry:
    if geometry.keys() == _MEMBERS:
        return geometry
    return {"type": geometry["type"], "coordinates": geometry["coordinates"]}


def _repaired(shape: shapely.Geometry) -> Geometry | None:
    """The nearest valid geometry, without the parts of fewer dimensions that a repair can leave (spikes)."""
    repaired = shapely.make_valid(shape, method="structure", keep_collapsed=True)
    if repaired.geom_type == "GeometryCollection":
        parts = shapely.get_parts(repaired)
        dimensions = shapely.get_dimensions(parts)
        repaired = shapely.union_all(parts[dimensions == max(dimensions, default=0)])
    if repaired.is_empty or repaired.geom_type == "GeometryCollection":
        return None
    geometry: Geometry = orjson.loads(shapely.to_geojson(repaired))
    return geometry
