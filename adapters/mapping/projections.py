"""Coordinate systems of vendors, such as Lambert-93 (EPSG:2154), to the longitude and latitude of WGS 84."""

from collections.abc import Callable

from adapters.errors import DefinitionError, MappingError

Projection = Callable[[float, float], tuple[float, float]]
"""From (easting, northing) to (longitude, latitude), to seven digits: a centimetre. Raises MappingError."""


def to_wgs84(crs: str, where: str) -> Projection:
    """The projection of a coordinate reference system by its name; DefinitionError for one that PROJ does not know."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import CRSError

    try:
        system = CRS.from_user_input(crs)
        transformer = Transformer.from_crs(system, "EPSG:4326", always_xy=True)
    except CRSError:
        raise DefinitionError(where, f"{crs!r} is not a coordinate reference system such as EPSG:2154") from None
    area = system.area_of_use
    west, south, east, north = area.bounds if area else (-180.0, -90.0, 180.0, 90.0)

    def project(easting: float, northing: float) -> tuple[float, float]:
        longitude, latitude = transformer.transform(easting, northing)
        if not (west <= longitude <= east and south <= latitude <= north):  # NaN and infinity are nowhere either
            raise MappingError(f"{easting:.12g}, {northing:.12g} is not where {crs} is used")
        return round(longitude, 7), round(latitude, 7)

    return project
