"""Geo-queries as MongoDB filters (GS CIM 009 v1.9.1, 4.10), each with the answer of `ngsi_ld.query.geo`.

MongoDB's edges are great circles, those of GeoJSON are straight in longitude and latitude, and it knows neither
overlaps nor equals nor contains. So it is asked, with its index, what meets the reference drawn a little larger; what
that leaves in doubt is tested in memory. Of points near a point nothing is in doubt, nor of points well inside or
well outside a polygon.
"""

from math import asin, atan2, cos, degrees, pi, radians, sin, tan
from typing import Any

import orjson
import shapely

from broker.store.filters.filter import Filter, Mongo
from broker.store.names import key
from ngsi_ld.query.geo import GeoQuery
from ngsi_ld.sphere import EARTH_RADIUS, Shape

_METRES_A_DEGREE = pi * EARTH_RADIUS / 180
_MARGIN = 100.0
_EDGE = 0.1
_MAX_EDGES = 400
_WIDEST = 170.0
_NORTHERNMOST = 85.0
_FURTHEST = 5_000_000.0
_NOT_POINT = {"geo.type": {"$exists": True, "$ne": "Point"}}
_THERE = {"geo": {"$exists": True}}
_CORNERS = 16
_INSCRIBED = cos(pi / _CORNERS)  # of the circle within a polygon to that through its corners
_BEARINGS = [(cos(2 * pi * corner / _CORNERS), -sin(2 * pi * corner / _CORNERS)) for corner in range(_CORNERS)]
_AREAS = frozenset({"Polygon", "MultiPolygon"})


def geo_filter(geo: GeoQuery, live: Mongo) -> Filter:
    """The filter of a geo-query; `live` is what `expiresAt` must satisfy."""
    match geo:
        case GeoQuery(max_distance=float(metres)):
            asked, doubt = _near(geo, metres)
        case GeoQuery(min_distance=float(metres)):
            asked, doubt = _far(geo, metres)
        case GeoQuery(relation="disjoint"):
            asked, doubt = _THERE, _meets(geo.reference, _MARGIN)
        case _:
            asked, doubt = _meets(geo.reference, _MARGIN), _unsure_within(geo)
    field = f"places.{key(geo.geoproperty)}"
    mongo = {field: {"$elemMatch": {**asked, "expiresAt": live}}}
    return Filter(mongo, None if doubt is None else {field: {"$elemMatch": doubt}})


def _near(geo: GeoQuery, metres: float) -> tuple[Mongo, Mongo]:
    if geo.geometry["type"] != "Point":
        asked = _meets(geo.reference, metres * 1.02 + _MARGIN)
        return asked, asked
    disc = _disc(geo, metres)
    around = _around(geo.geometry["coordinates"], metres * 1.02 + _MARGIN)
    asked = around | {"$or": [{"geo": disc}, _NOT_POINT]}
    return asked, {"geo.type": _NOT_POINT["geo.type"], "geo": {"$not": disc}}


def _far(geo: GeoQuery, metres: float) -> tuple[Mongo, Mongo]:
    if geo.geometry["type"] != "Point":
        return _THERE, _THERE
    disc = _disc(geo, metres)
    # What lies wholly in the disc is not further away, whatever its type; what reaches out of it may be near too.
    return {"geo": {"$exists": True, "$not": disc}}, _NOT_POINT


def _disc(geo: GeoQuery, metres: float) -> Mongo:
    centre = geo.geometry["coordinates"][:2]
    return {"$geoWithin": {"$centerSphere": [centre, min(metres / EARTH_RADIUS, pi)]}}


def _around(centre: list[float], metres: float) -> Mongo:
    """Everything that meets the polygon drawn about a circle; all where it would be too large for MongoDB."""
    if metres > _FURTHEST:
        return _THERE
    angle = metres / EARTH_RADIUS / _INSCRIBED
    longitude, latitude = radians(centre[0]), radians(centre[1])
    sine, cosine = sin(latitude), cos(latitude)
    ring = []
    for north, east in _BEARINGS:
        height = max(-1.0, min(1.0, sine * cos(angle) + cosine * sin(angle) * north))
        turn = atan2(east * sin(angle) * cosine, cos(angle) - sine * height)
        ring.append([(degrees(longitude + turn) + 540) % 360 - 180, degrees(asin(height))])
    polygon = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"geo": {"$geoIntersects": {"$geometry": polygon}}}


def _unsure_within(geo: GeoQuery) -> Mongo:
    """What meets the enlarged reference and yet may not stand in the relation to the reference itself."""
    inner = _shrunken(geo.reference) if geo.relation in ("within", "intersects") else None
    if inner is None:
        return _THERE
    return {"$or": [_NOT_POINT, {"geo": {"$exists": True, "$not": {"$geoWithin": {"$geometry": inner}}}}]}


def _meets(reference: Shape, metres: float) -> Mongo:
    """Everything that meets the reference enlarged by `metres`, by the index; all where it is too large for one."""
    area = _enlarged(reference, metres)
    return _THERE if area is None else {"geo": {"$geoIntersects": {"$geometry": area}}}


def _enlarged(reference: Shape, metres: float) -> dict[str, Any] | None:
    """A convex area that has all within `metres` of the reference, or None where MongoDB would not take it."""
    if metres > _FURTHEST:
        return None
    hull = shapely.convex_hull(shapely.force_2d(reference))
    _, south, _, north = hull.bounds
    widest = max(abs(south), abs(north)) + metres / _METRES_A_DEGREE
    if widest > _NORTHERNMOST:
        return None
    edge = _edge(hull)
    metres = metres * 1.01 + _bulge(edge, widest)
    return _area(hull.buffer(metres / _METRES_A_DEGREE / cos(radians(widest)), quad_segs=8), edge)


def _shrunken(reference: Shape) -> dict[str, Any] | None:
    """An area well inside the reference, or None where there is none."""
    if reference.geom_type not in _AREAS:
        return None
    _, south, _, north = reference.bounds
    furthest = max(abs(south), abs(north))
    if furthest > _NORTHERNMOST:
        return None
    edge = _edge(reference)
    metres = 1.0 + 2 * _bulge(edge, furthest)
    inner = shapely.force_2d(reference).buffer(-metres / _METRES_A_DEGREE / cos(radians(furthest)))
    parts = [part for part in shapely.get_parts(inner) if part.area > 0]
    return _area(max(parts, key=lambda part: part.area), edge) if parts else None


def _edge(shape: Shape) -> float:
    """How long, in degrees, an edge may be; shorter edges follow a parallel more closely, but there are more."""
    return max(_EDGE, float(shape.length) / _MAX_EDGES)


def _bulge(edge: float, latitude: float) -> float:
    """How far, in metres, a great circle strays from a straight edge of so many degrees."""
    length = edge * _METRES_A_DEGREE * cos(radians(latitude))
    return length * length * tan(radians(latitude)) / (8 * EARTH_RADIUS) + 1.0


def _area(shape: Shape, edge: float) -> dict[str, Any] | None:
    west, south, east, north = shape.bounds
    if west < -180 or east > 180 or south < -90 or north > 90 or east - west > _WIDEST or not shape.is_valid:
        return None
    area: dict[str, Any] = orjson.loads(shapely.to_geojson(shapely.segmentize(shape, edge)))
    return area
