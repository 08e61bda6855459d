"""Geometries of GeoProperties and of queries (RFC 7946; GS CIM 009 v1.9.1, 4.6.3, 4.7.1)."""

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.geojson import checked_geometry

GOOD = [
    {"type": "Point", "coordinates": [4.3631, 48.9566]},
    {"type": "Point", "coordinates": [4, 48, 83.5]},
    {"type": "MultiPoint", "coordinates": [[0, 0], [1, 1]]},
    {"type": "LineString", "coordinates": [[0, 0], [1, 1]]},
    {"type": "MultiLineString", "coordinates": [[[0, 0], [1, 1]], [[2, 2], [3, 3]]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]},
    {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 0]]]]},
    # a bow-tie, as in the official fixtures
    {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]},
    {"type": "Point", "coordinates": [-180, 90], "bbox": [0, 0, 1, 1]},
]


@pytest.mark.parametrize("geometry", GOOD)
def test_good(geometry):
    assert checked_geometry(geometry, "location") is geometry


def test_as_text():
    assert checked_geometry('{"type":"Point","coordinates":[4,48]}', "location") == {
        "type": "Point",
        "coordinates": [4, 48],
    }


BAD = [
    (None, "must be a GeoJSON geometry"),
    (5, "must be a GeoJSON geometry"),
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[4,48]", "must be a GeoJSON geometry"),
    ({}, "one of Point"),
    ({"type": "Circle", "coordinates": [0, 0]}, "one of Point"),
    ({"type": ["Point"], "coordinates": [0, 0]}, "one of Point"),
    ({"type": "GeometryCollection", "geometries": []}, "one of Point"),
    ({"type": "Point"}, "no coordinates"),
    ({"type": "Point", "coordinates": None}, "a position is"),
    ({"type": "Point", "coordinates": [4]}, "a position is"),
    ({"type": "Point", "coordinates": [1, 2, 3, 4]}, "a position is"),
    ({"type": "Point", "coordinates": ["4", 48]}, "not a number"),
    ({"type": "Point", "coordinates": [True, 48]}, "not a number"),
    ({"type": "Point", "coordinates": [float("nan"), 48]}, "not a number"),
    ({"type": "Point", "coordinates": [0, 0, float("inf")]}, "not a number"),
    ({"type": "Point", "coordinates": [181, 0]}, "outside longitude"),
    ({"type": "Point", "coordinates": [10**400, 0]}, "outside longitude"),
    ({"type": "Point", "coordinates": [48.9, 104.3]}, "perhaps [104.3, 48.9] is meant"),
    ({"type": "LineString", "coordinates": [[0, 0]]}, "at least 2 positions"),
    ({"type": "MultiPoint", "coordinates": []}, "at least 1 positions"),
    (
        {"type": "Polygon", "coordinates": [[0, 0], [1, 0], [1, 1], [0, 0]]},
        "coordinates of location[0] must be an array of at least 4 positions",
    ),
    ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]}, "at least 4 positions"),
    ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "not closed"),
    ({"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 95], [0, 0]]]]}, "location[0][0][2]"),
]


@pytest.mark.parametrize(("geometry", "problem"), BAD)
def test_bad(geometry, problem):
    with pytest.raises(NgsiLdError) as refused:
        checked_geometry(geometry, "location")

    assert refused.value.type is ErrorType.BAD_REQUEST_DATA
    assert problem in refused.value.detail
    assert "location" in refused.value.detail
