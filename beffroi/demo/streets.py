"""Streets: avenues as they run, and quarters filled with a grid that turns, bends and stops at the river.

Everything is in metres east and north of one origin, the centre of Châlons-en-Champagne; `Place.of` makes longitudes
and latitudes of it. The avenues, the quarters and the river are about where they are; the streets between them are
made up, by a seeded generator, so that every start shows the same territory.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

ORIGIN_LONGITUDE, ORIGIN_LATITUDE = 4.364, 48.957
_METRES_NORTH = 111_250.0
_METRES_EAST = _METRES_NORTH * math.cos(math.radians(ORIGIN_LATITUDE))

Point = tuple[float, float]
"""Metres east, metres north."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: WGS 84 degrees, the street's name and the commune."""

    longitude: float
    latitude: float
    street: str
    commune: str

    @classmethod
    def of(cls, point: Point, street: str, commune: str) -> "Place":
        """The place at a point, to about ten centimetres."""
        longitude = ORIGIN_LONGITUDE + point[0] / _METRES_EAST
        latitude = ORIGIN_LATITUDE + point[1] / _METRES_NORTH
        return cls(round(longitude, 6), round(latitude, 6), street, commune)


def point(longitude: float, latitude: float) -> Point:
    """The point at WGS 84 degrees."""
    return (longitude - ORIGIN_LONGITUDE) * _METRES_EAST, (latitude - ORIGIN_LATITUDE) * _METRES_NORTH


@dataclass(frozen=True, slots=True)
class Street:
    """A line of points, with the side streets' quarter or, for an avenue, none."""

    name: str
    commune: str
    quarter: str
    points: tuple[Point, ...]

    @property
    def length(self) -> float:
        """Metres from its first point to its last."""
        return sum(math.dist(a, b) for a, b in pairwise(self.points))

    def at(self, distance: float, aside: float = 0.0) -> Point:
        """The point so many metres along the street, and so many to the left of it."""
        for a, b in pairwise(self.points):
            step = math.dist(a, b)
            if distance <= step:
                break
            distance -= step
        east, north = (b[0] - a[0]) / step, (b[1] - a[1]) / step
        return a[0] + east * distance - north * aside, a[1] + north * distance + east * aside


@dataclass(frozen=True, slots=True)
class Quarter:
    """A part of a commune: its centre, how far it goes, more or less (metres), how its streets turn (degrees)."""

    name: str
    commune: str
    centre: Point
    reach: float
    turn: float


CHALONS, FAGNIERES, SAINT_MARTIN = "Châlons-en-Champagne", "Fagnières", "Saint-Martin-sur-le-Pré"

QUARTERS = tuple(
    Quarter(name, commune, point(longitude, latitude), reach, turn)
    for name, commune, longitude, latitude, reach, turn in (
        ("Centre-ville", CHALONS, 4.3655, 48.9565, 800, 28),
        ("Rive gauche", CHALONS, 4.3445, 48.9520, 620, 52),
        ("La Bidée", CHALONS, 4.3790, 48.9470, 600, 12),
        ("Vallée Saint-Pierre", CHALONS, 4.3930, 48.9450, 620, 40),
        ("Mont Saint-Michel", CHALONS, 4.3885, 48.9560, 640, 18),
        ("Mont Héry", CHALONS, 4.4040, 48.9600, 560, 62),
        ("Verbeau", CHALONS, 4.3815, 48.9665, 620, 33),
        ("Orléans", CHALONS, 4.3660, 48.9690, 620, 8),
        ("Croix Dampierre", CHALONS, 4.3790, 48.9760, 520, 45),
        ("Croix Jean Robert", CHALONS, 4.3570, 48.9420, 520, 25),
        ("Bourg", FAGNIERES, 4.3180, 48.9635, 640, 15),
        ("La Noue", FAGNIERES, 4.3290, 48.9565, 560, 38),
        ("Village", SAINT_MARTIN, 4.3430, 48.9785, 560, 50),
        ("Les Dats", SAINT_MARTIN, 4.3540, 48.9725, 480, 22),
    )
)

AVENUES = tuple(
    Street(name, commune, "", tuple(point(longitude, latitude) for longitude, latitude in line))
    for name, commune, line in (
        ("Avenue de Paris", CHALONS, (
            (4.3640, 48.9570), (4.3560, 48.9572), (4.3485, 48.9580), (4.3400, 48.9592))),
        ("Route d'Épernay", FAGNIERES, (
            (4.3400, 48.9592), (4.3290, 48.9610), (4.3180, 48.9632), (4.3060, 48.9660))),
        ("Avenue de Sainte-Menehould", CHALONS, (
            (4.3680, 48.9572), (4.3800, 48.9590), (4.3940, 48.9612), (4.4090, 48.9640))),
        ("Avenue de Metz", CHALONS, (
            (4.3690, 48.9540), (4.3780, 48.9500), (4.3890, 48.9455), (4.3985, 48.9405))),
        ("Route de Troyes", CHALONS, (
            (4.3485, 48.9580), (4.3465, 48.9510), (4.3440, 48.9450), (4.3420, 48.9390))),
        ("Route de Suippes", CHALONS, (
            (4.3670, 48.9600), (4.3730, 48.9660), (4.3790, 48.9720), (4.3850, 48.9800))),
        ("Route de Reims", SAINT_MARTIN, (
            (4.3600, 48.9640), (4.3540, 48.9700), (4.3470, 48.9760), (4.3390, 48.9840))),
        ("Boulevard des Allées", CHALONS, (
            (4.3600, 48.9640), (4.3680, 48.9625), (4.3715, 48.9580), (4.3690, 48.9540), (4.3620, 48.9525))),
        ("Rocade est", CHALONS, (
            (4.3850, 48.9800), (4.3960, 48.9720), (4.4065, 48.9620), (4.4060, 48.9500), (4.3985, 48.9405))),
    )
)  # fmt: skip
"""The main roads; the first crosses the river, the last two go round the centre and round the town."""

MARNE = tuple(
    point(longitude, latitude)
    for longitude, latitude in (
        (4.3900, 48.9300), (4.3740, 48.9390), (4.3630, 48.9470), (4.3545, 48.9540),
        (4.3500, 48.9620), (4.3400, 48.9710), (4.3290, 48.9790), (4.3180, 48.9860),
    )
)  # fmt: skip

_BANK = 70.0
_BLOCK, _LONG_BLOCK = 125.0, 205.0
_STEP = 20.0
_SHORTEST = 90.0

_KINDS = ("Rue", "Allée", "Chemin", "Impasse", "Square", "Passage")
_NAMES = (
    "de la Marne", "des Tilleuls", "Pasteur", "Victor Hugo", "des Acacias", "du Moulin", "Jean Jaurès", "des Vignes",
    "de la Fontaine", "Carnot", "des Érables", "Jules Ferry", "du Canal", "des Peupliers", "Gambetta", "de Champagne",
    "des Lilas", "Émile Zola", "du Stade", "des Jardins", "Molière", "de la Prairie", "Lamartine", "des Noyers",
    "Saint-Exupéry", "du Lavoir", "Marie Curie", "des Marronniers", "Louis Blanc", "de l'Écluse", "des Charmes",
    "Simone Veil", "du Verger", "Nicolas Appert", "des Saules", "Léon Bourgeois", "de la Craie", "Berlioz", "des Prés",
)  # fmt: skip


def streets(rng: random.Random) -> list[Street]:
    """The avenues and the streets of every quarter, quarter by quarter, each with a name that no other has."""
    names = [f"{kind} {name}" for kind in _KINDS for name in _NAMES]
    rng.shuffle(names)
    lines = [(quarter, line) for quarter in QUARTERS for line in _grid(quarter, rng)]
    side_streets = (
        Street(name, quarter.commune, quarter.name, line)
        for name, (quarter, line) in zip(names[: len(lines)], lines, strict=True)
    )
    return [*AVENUES, *side_streets]


def from_river(where: Point) -> float:
    """Metres from the middle of the Marne."""
    return min(_from_segment(where, a, b) for a, b in pairwise(MARNE))


def quarter_of(where: Point) -> Quarter:
    """The quarter that a point belongs to: the nearest one, by its reach."""
    return min(QUARTERS, key=lambda quarter: math.dist(where, quarter.centre) / quarter.reach)


def _grid(quarter: Quarter, rng: random.Random) -> Iterator[tuple[Point, ...]]:
    """Lines both ways over the quarter, bent and unevenly spaced, cut where the quarter or the land ends."""
    for turn, spacing in ((quarter.turn, _BLOCK), (quarter.turn + 90 + rng.uniform(-8, 8), _LONG_BLOCK)):
        angle = math.radians(turn)
        bend = rng.uniform(-60, 60)
        reach = 1.3 * quarter.reach
        rows = int(reach // spacing)
        for row in range(-rows, rows + 1):
            across = row * spacing + rng.uniform(-0.15, 0.15) * spacing
            yield from _runs(quarter, [_bent(quarter, angle, along, across, bend) for along in _steps(reach)])


def _steps(reach: float) -> list[float]:
    count = int(2 * reach // _STEP)
    return [-reach + index * _STEP for index in range(count + 1)]


def _bent(quarter: Quarter, angle: float, along: float, across: float, bend: float) -> Point:
    across += bend * math.sin(math.pi * along / (2 * quarter.reach))
    east, north = math.cos(angle), math.sin(angle)
    return quarter.centre[0] + along * east - across * north, quarter.centre[1] + along * north + across * east


def _runs(quarter: Quarter, line: list[Point]) -> Iterator[tuple[Point, ...]]:
    run: list[Point] = []
    for each in line:
        if _buildable(quarter, each):
            run.append(each)
            continue
        if (len(run) - 1) * _STEP >= _SHORTEST:
            yield tuple(run)
        run = []
    if (len(run) - 1) * _STEP >= _SHORTEST:
        yield tuple(run)


def _buildable(quarter: Quarter, where: Point) -> bool:
    east, north = where[0] - quarter.centre[0], where[1] - quarter.centre[1]
    bearing = math.atan2(north, east) + math.radians(quarter.turn)
    edge = quarter.reach * (1.05 + 0.16 * math.sin(2 * bearing) + 0.12 * math.sin(3 * bearing + quarter.turn))
    return math.hypot(east, north) <= edge and quarter_of(where) == quarter and from_river(where) > _BANK


def _from_segment(where: Point, a: Point, b: Point) -> float:
    length = math.dist(a, b)
    along = ((where[0] - a[0]) * (b[0] - a[0]) + (where[1] - a[1]) * (b[1] - a[1])) / length**2
    share = min(max(along, 0.0), 1.0)
    return math.dist(where, (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
