"""Distances on the Earth taken as a sphere, between any two geometries (4.10 near, 4.23.1 haversine).

Edges are straight in longitude and latitude, as RFC 7946 has them; longer ones are divided before they are measured.
"""

from math import asin, atan2, cos, degrees, radians, sin, sqrt
from typing import Any

import numpy as np
import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry as Shape

from ngsi_ld.geojson import Geometry

__all__ = ["EARTH_RADIUS", "Shape", "distance", "haversine", "metres_between", "shape_of"]

EARTH_RADIUS = 6371008.8
"""Metres: the mean radius of WGS 84."""

_EDGE = 0.1
_ROUNDS = 4


def shape_of(geometry: Geometry) -> Shape:
    """The Shapely geometry; rings that cross themselves become the area they enclose."""
    made = shape(geometry)
    if made.is_valid:
        return made
    valid = shapely.make_valid(made, method="structure", keep_collapsed=False)
    return shapely.make_valid(made) if valid.is_empty else valid


def distance(one: Shape, other: Shape) -> float:
    """The least distance between two geometries, in metres; 0 where they meet."""
    if one.geom_type == "Point" and other.geom_type == "Point":
        return haversine(one.x, one.y, other.x, other.y)
    if one.intersects(other):
        return 0.0
    if other.geom_type == "Point":
        one, other = other, one
    divided = shapely.segmentize(one, _EDGE), shapely.segmentize(other, _EDGE)
    centre = one.centroid
    longitude, latitude = centre.x, centre.y
    metres = 0.0
    for _ in range(1 if one.geom_type == "Point" else _ROUNDS):
        line = shapely.shortest_line(*(_project(each, longitude, latitude) for each in divided))
        here, there = (_unproject(x, y, longitude, latitude) for x, y in line.coords)
        metres = haversine(*here, *there)
        longitude, latitude = here
    return metres


def metres_between(geometry: Geometry, reference: Geometry, shape: Shape) -> float:
    """The least distance from a geometry to a reference, of which the shape is at hand; quick between points."""
    if geometry["type"] == "Point" and reference["type"] == "Point":
        here, there = geometry["coordinates"], reference["coordinates"]
        return haversine(here[0], here[1], there[0], there[1])
    return distance(shape_of(geometry), shape)


def haversine(longitude: float, latitude: float, other_longitude: float, other_latitude: float) -> float:
    """The distance of two positions in degrees, in metres."""
    north = sin(radians(other_latitude - latitude) / 2)
    east = sin(radians(other_longitude - longitude) / 2)
    half = north * north + cos(radians(latitude)) * cos(radians(other_latitude)) * east * east
    return 2 * EARTH_RADIUS * asin(min(1.0, sqrt(half)))


def _project(geometry: Shape, longitude: float, latitude: float) -> Shape:
    """Azimuthal equidistant about a position: distances from it are true."""
    sine, cosine = sin(radians(latitude)), cos(radians(latitude))

    def project(coordinates: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        east = np.radians(coordinates[:, 0] - longitude)
        north = np.radians(coordinates[:, 1])
        x = np.cos(north) * np.sin(east)
        y = cosine * np.sin(north) - sine * np.cos(north) * np.cos(east)
        z = sine * np.sin(north) + cosine * np.cos(north) * np.cos(east)
        flat = np.hypot(x, y)
        angle = np.arctan2(flat, z)
        scale = np.divide(angle, flat, out=np.ones_like(flat), where=flat > 0)
        return np.column_stack((x * scale, y * scale))

    return shapely.transform(geometry, project)


def _unproject(x: float, y: float, longitude: float, latitude: float) -> tuple[float, float]:
    angle = sqrt(x * x + y * y)
    if angle == 0:
        return longitude, latitude
    sine, cosine = sin(radians(latitude)), cos(radians(latitude))
    north = asin(max(-1.0, min(1.0, cos(angle) * sine + y * sin(angle) * cosine / angle)))
    east = atan2(x * sin(angle), angle * cosine * cos(angle) - y * sine * sin(angle))
    return longitude + degrees(east), degrees(north)
