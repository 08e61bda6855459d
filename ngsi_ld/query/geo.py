"""The geo-query language (GS CIM 009 v1.9.1, 4.10): `georel=near;maxDistance==2000&geometry=Point&coordinates=[8,40]`.

Relations are those of OGC simple features on longitude and latitude, the target on the left: `within` asks that the
entity's geometry be within the reference. `near` is by the least distance in metres.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
import shapely

from ngsi_ld.errors import bad_request_data
from ngsi_ld.geojson import Geometry, check_coordinates
from ngsi_ld.names import Names, checked_name
from ngsi_ld.sphere import Shape, metres_between, shape_of

RELATIONS: dict[str, Callable[[Shape, Shape], bool]] = {
    "within": shapely.within,
    "contains": shapely.contains,
    "intersects": shapely.intersects,
    "overlaps": shapely.overlaps,
    "equals": shapely.equals,
    "disjoint": shapely.disjoint,
}
"""The relations but near: (target, reference) to whether it holds."""

_NEAR = re.compile(r" *near *; *(maxDistance|minDistance) *== *([0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?) *")
_MAX_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class GeoQuery:
    """A condition on the GeoProperty with the IRI `geoproperty`.

    `relation` is one of RELATIONS, or "near" with `max_distance` or `min_distance` in metres.
    """

    relation: str
    geometry: Geometry
    geoproperty: str
    max_distance: float | None = None
    min_distance: float | None = None
    reference: Shape = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        reference = shape_of(self.geometry)
        shapely.prepare(reference)
        object.__setattr__(self, "reference", reference)

    def __hash__(self) -> int:
        return hash((self.relation, self.geoproperty, self.max_distance, self.min_distance, repr(self.geometry)))

    def matches(self, geometry: Geometry) -> bool:
        """Whether a target geometry satisfies the condition."""
        if self.relation == "near":
            metres = metres_between(geometry, self.geometry, self.reference)
            return metres <= self.max_distance if self.max_distance is not None else metres > (self.min_distance or 0)
        return bool(RELATIONS[self.relation](shape_of(geometry), self.reference))


def parse_geo_query(
    names: Names, *, georel: object, geometry: object, coordinates: object, geoproperty: object = None
) -> GeoQuery:
    """The query that the four parameters state; `coordinates` as a JSON array or the text of one (5.2.13, 6.4.3.2).

    Raises BadRequestData that names the parameter at fault, among them one that is missing.
    """
    for name, given in (("georel", georel), ("geometry", geometry), ("coordinates", coordinates)):
        if given is None:
            raise bad_request_data(f"A geo-query needs georel, geometry and coordinates; {name} is missing")
    if isinstance(coordinates, str):
        coordinates = _parsed(coordinates)
    relation, furthest, nearest = _relation(georel)
    check_coordinates(geometry, coordinates, "the reference geometry")
    iri = names.iri("location" if geoproperty is None else checked_name(geoproperty, "geoproperty"))
    return GeoQuery(relation, {"type": geometry, "coordinates": coordinates}, iri, furthest, nearest)


def _relation(georel: object) -> tuple[str, float | None, float | None]:
    if isinstance(georel, str):
        if georel.strip() in RELATIONS:
            return georel.strip(), None, None
        near = _NEAR.fullmatch(georel)
        metres = float(near[2]) if near else 0.0
        if near and 0 < metres < float("inf"):
            return ("near", metres, None) if near[1] == "maxDistance" else ("near", None, metres)
    raise bad_request_data(
        f"georel must be near;maxDistance==METRES or near;minDistance==METRES with a number above 0, or one of "
        f"{', '.join(RELATIONS)}, not {str(georel)[:80]!r}"
    )


def _parsed(text: str) -> object:
    if len(text) > _MAX_TEXT:
        raise bad_request_data(f"coordinates has {len(text)} characters; at most {_MAX_TEXT} are allowed")
    try:
        return orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise bad_request_data(f"coordinates must be a JSON array such as [4.36,48.95], not {text[:80]!r}") from None
