"""The entity ordering language (GS CIM 009 v1.9.1, 4.23): `orderBy=type,name;desc` or `location;dist-asc`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from ngsi_ld.errors import bad_request_data
from ngsi_ld.geojson import Geometry, check_coordinates, is_geometry_type
from ngsi_ld.names import Names
from ngsi_ld.query.paths import ENTITY_MEMBERS, LinkedPath, Path, parse_path
from ngsi_ld.query.syntax import DEFAULT_LIMITS, Cursor, Limits
from ngsi_ld.sphere import Shape, shape_of

ORDER_MEMBERS = ENTITY_MEMBERS | {"id", "type", "scope"}
"""The members of the entity itself that order it."""

_DIRECTIONS = {"asc": (False, False), "desc": (True, False), "dist-asc": (False, True), "dist-desc": (True, True)}
_DIRECTION = re.compile(r" *([a-z-]+)")
_COLLATION = re.compile(
    r"(?:[a-z]{2,3}|und|root)(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-x-icu|-u(?:-[A-Za-z0-9]{2,8})+)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """By the value at `path`, or with `by_distance` by the distance of the GeoProperty there from the reference."""

    path: Path
    descending: bool = False
    by_distance: bool = False


@dataclass(frozen=True, slots=True)
class Ordering:
    """The terms, each deciding where those before it find no difference.

    `collation` is the wished ICU collation (RFC 6067) such as `de-u-co-phonebk`; None if none was named. `origin` is
    the geometry from which distances count.
    """

    terms: tuple[OrderTerm, ...]
    collation: str | None = None
    origin: Geometry | None = None
    reference: Shape | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", None if self.origin is None else shape_of(self.origin))

    def __hash__(self) -> int:
        return hash((self.terms, self.collation, repr(self.origin)))


BY_ID = Ordering((OrderTerm(Path((), "id")),))
"""By id, which is how the entities of several sources come together."""


def parse_order_by(
    given: str | Sequence[str],
    names: Names,
    *,
    collation: object = None,
    order_from: object = None,
    order_geometry: object = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Ordering:
    """The ordering of the parameters orderBy, collation, orderFrom and orderGeometry, or of OrderingParams (5.2.43)."""
    terms = []
    for text in [given] if isinstance(given, str) else given:
        cursor = Cursor(text, "orderBy", limits)
        while True:
            terms.append(_term(cursor, names))
            if not cursor.take(","):
                break
        cursor.expect_end("; and a direction, or , and another attribute")
    if collation is not None and not (isinstance(collation, str) and _COLLATION.fullmatch(collation)):
        raise bad_request_data(
            f"collation must be an ICU collation such as und-x-icu or de-u-co-phonebk: {collation!r}"
        )
    if order_geometry is not None and not is_geometry_type(order_geometry):
        raise bad_request_data(f"orderGeometry must be the type of a GeoJSON geometry, not {order_geometry!r}")
    origin = _origin(order_from, "Point" if order_geometry is None else order_geometry)
    if origin is None and any(term.by_distance for term in terms):
        raise bad_request_data("orderBy a distance needs orderFrom, the coordinates it is measured from")
    return Ordering(tuple(terms), collation, origin)


def _term(cursor: Cursor, names: Names) -> OrderTerm:
    cursor.count(1)
    start = cursor.position
    path = parse_path(cursor, names, ORDER_MEMBERS)
    if isinstance(path, LinkedPath):
        cursor.fail("an attribute of the entity itself, not of a linked one", start)
    descending = by_distance = False
    if cursor.take(";"):
        direction = _DIRECTION.match(cursor.text, cursor.position)
        if direction is None or direction[1] not in _DIRECTIONS:
            cursor.fail(f"one of {', '.join(_DIRECTIONS)}")
        cursor.position = direction.end()
        descending, by_distance = _DIRECTIONS[direction[1]]
    return OrderTerm(path, descending, by_distance)


def _origin(coordinates: object, geometry_type: object) -> Geometry | None:
    if coordinates is None:
        return None
    if isinstance(coordinates, str):
        try:
            coordinates = orjson.loads(coordinates)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            raise bad_request_data("orderFrom must be a JSON array of coordinates such as [4.36,48.95]") from None
    check_coordinates(geometry_type, coordinates, "orderFrom")
    return {"type": geometry_type, "coordinates": coordinates}
