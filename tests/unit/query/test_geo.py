"""The geo-query language (GS CIM 009 v1.9.1, 4.10)."""

import pytest

from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.query import parse_geo_query
from ngsi_ld.sphere import distance, haversine, shape_of

SQUARE = [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]]
HOLED = [*SQUARE, [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]]


def asked(names, georel, geometry, coordinates, **more):
    return parse_geo_query(names, georel=georel, geometry=geometry, coordinates=coordinates, **more)


def test_the_parameters_of_example_1(names, core):
    query = asked(names, "near;maxDistance==2000", "Point", "[8,40]", geoproperty="observationSpace")

    assert (query.relation, query.max_distance, query.min_distance) == ("near", 2000.0, None)
    assert query.geometry == {"type": "Point", "coordinates": [8, 40]}
    assert query.geoproperty == "https://example.org/observationSpace"
    assert asked(core, "within", "Polygon", SQUARE).geoproperty == "https://uri.etsi.org/ngsi-ld/location"


HOLDS = [
    ("within", "Polygon", SQUARE, "Point", [5, 5], True),
    ("within", "Polygon", SQUARE, "Point", [10, 5], False),
    ("within", "Polygon", HOLED, "Point", [5, 5], False),
    ("within", "Polygon", HOLED, "Point", [2, 2], True),
    ("within", "Polygon", SQUARE, "LineString", [[1, 1], [9, 9]], True),
    ("contains", "Point", [5, 5], "Polygon", SQUARE, True),
    ("contains", "Point", [5, 5], "Polygon", HOLED, False),
    ("contains", "Point", [1, 1], "Point", [1, 1], True),
    ("intersects", "Polygon", SQUARE, "Point", [10, 5], True),
    ("intersects", "LineString", [[0, -1], [0, 1]], "Polygon", SQUARE, True),
    ("overlaps", "Polygon", SQUARE, "Polygon", [[[5, 5], [15, 5], [15, 15], [5, 15], [5, 5]]], True),
    ("overlaps", "Polygon", SQUARE, "Polygon", [[[2, 2], [3, 2], [3, 3], [2, 2]]], False),
    ("equals", "Polygon", SQUARE, "Polygon", [[[10, 10], [0, 10], [0, 0], [10, 0], [10, 10]]], True),
    ("equals", "Point", [1, 1], "Point", [1, 1.0001], False),
    ("disjoint", "Polygon", SQUARE, "Point", [11, 5], True),
    ("disjoint", "Polygon", SQUARE, "Point", [10, 5], False),
    # one degree of longitude at 85° north is 9.7 km, so the nearer end is the eastern one
    ("near;maxDistance==20000", "Point", [0, 85], "LineString", [[1, 85], [0, 85.6]], True),
    ("near;maxDistance==5000", "Point", [0, 85], "LineString", [[1, 85], [0, 85.6]], False),
    ("near;maxDistance==2000", "LineString", [[0, 60], [10, 60]], "Point", [10, 60.009], True),
    ("near;maxDistance==2000", "LineString", [[0, 61], [10, 61]], "Point", [10, 60.009], False),
    ("near;minDistance==2000", "LineString", [[0, 61], [10, 61]], "Point", [10, 60.009], True),
    ("near;maxDistance==1", "Polygon", SQUARE, "Point", [5, 5], True),
    ("near;maxDistance==12000", "Point", [179.95, 0], "Point", [-179.95, 0], True),
]


@pytest.mark.parametrize(("georel", "geometry", "coordinates", "kind", "target", "holds"), HOLDS)
def test_relations(names, georel, geometry, coordinates, kind, target, holds):
    query = asked(names, georel, geometry, coordinates)

    assert query.matches({"type": kind, "coordinates": target}) is holds


def test_a_ring_that_crosses_itself_is_the_area_it_encloses(names):
    bow_tie = {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}

    assert asked(names, "contains", "Point", [1.5, 1]).matches(bow_tie)
    assert not asked(names, "intersects", "Point", [1, 1.5]).matches(bow_tie)


REFUSED = [
    ("near", "Point", "[8,40]", "georel"),
    ("near;maxDistance==0", "Point", "[8,40]", "georel"),
    ("near;maxDistance==-100", "Point", "[8,40]", "georel"),
    ("near;maxDistance==5;minDistance==1", "Point", "[8,40]", "georel"),
    ("near;maxDistance==inf", "Point", "[8,40]", "georel"),
    ("near;maxDistance==1e400", "Point", "[8,40]", "georel"),
    ("near;maxDistance=5", "Point", "[8,40]", "georel"),
    ("touches", "Point", "[8,40]", "georel"),
    (7, "Point", "[8,40]", "georel"),
    (None, "Point", "[8,40]", "georel is missing"),
    ("within", None, "[8,40]", "geometry is missing"),
    ("within", "Point", None, "coordinates is missing"),
    ("within", "GeometryCollection", "[8,40]", "one of Point"),
    ("within", ["Point"], "[8,40]", "one of Point"),
    ("within", "Point", "[8,40", "JSON array"),
    ("within", "Point", "[40,108]", "perhaps"),
    ("within", "Point", '{"a":1}', "a position is"),
    ("within", "Polygon", "[[[0,0],[1,0],[1,1],[0,1]]]", "not closed"),
    ("within", "Point", "[" * 100_000, "JSON array"),
]


@pytest.mark.parametrize(("georel", "geometry", "coordinates", "problem"), REFUSED)
def test_refused(names, georel, geometry, coordinates, problem):
    with pytest.raises(NgsiLdError) as refused:
        asked(names, georel, geometry, coordinates)

    assert refused.value.type is ErrorType.BAD_REQUEST_DATA
    assert problem in refused.value.detail


def test_distances_in_metres():
    def between(one, other):
        return distance(shape_of(one), shape_of(other))

    line = {"type": "LineString", "coordinates": [[0, 60], [10, 60]]}
    assert haversine(4.3631, 48.9566, 2.3522, 48.8566) == pytest.approx(147_430, rel=1e-3)
    assert between(line, {"type": "Point", "coordinates": [5, 60.009]}) == pytest.approx(1000.76, rel=1e-3)
    assert between(line, {"type": "LineString", "coordinates": [[0, 61], [10, 61.5]]}) == pytest.approx(
        111_195, rel=1e-3
    )
    assert between(line, {"type": "Point", "coordinates": [5, 60]}) == 0
