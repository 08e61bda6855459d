"""What stands at crossroads, on poles and in buildings: traffic lights, cameras, Wi-Fi, meters, rooms, pumps.

Each thing has the key by which its vendor's system knows it.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from beffroi.demo.streets import AVENUES, Place


@dataclass(frozen=True, slots=True)
class Crossing:
    """Traffic lights with one controller; `groups` are signal groups that are green in turn, of two signals each."""

    key: str
    name: str
    place: Place
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of the video protection; `kind` as its vendor says."""

    key: str
    name: str
    place: Place
    kind: str


@dataclass(frozen=True, slots=True)
class Hotspot:
    """An access point of the public Wi-Fi; `key` is its MAC address."""

    key: str
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Meter:
    """An electricity meter: `key` is its PRM, `building` the building's key, `power` watts at the busiest hour."""

    key: str
    name: str
    place: Place
    building: str
    power: int


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a building management system: `tags` as Haystack has them, `unit` as it writes it, a usual value."""

    key: str
    name: str
    building: str
    tags: tuple[str, ...]
    unit: str
    usual: float


@dataclass(frozen=True, slots=True)
class Equipment:
    """All of it."""

    crossings: tuple[Crossing, ...]
    cameras: tuple[Camera, ...]
    hotspots: tuple[Hotspot, ...]
    meters: tuple[Meter, ...]
    points: tuple[Point, ...]


Spot = tuple[str, str, Place]
"""A building as this module needs it: its key, name and place."""


def equip(buildings: Sequence[Spot], rng: random.Random) -> Equipment:
    """12 crossings, 30 cameras, 24 access points, and in 20 buildings a meter and three points each."""
    crossings = tuple(_crossings(12))
    well_known = buildings[:20]
    return Equipment(
        crossings=crossings,
        cameras=tuple(_cameras(crossings, well_known, 30)),
        hotspots=tuple(
            Hotspot(_mac(rng), f"{name} {floor}", place)
            for floor, (_, name, place) in zip(_floors(len(well_known), 24), cycle(well_known), strict=False)
        ),
        meters=tuple(
            Meter(f"3000000000{number:04d}", f"Electricity of {name}", place, key, rng.randrange(6_000, 90_000, 500))
            for number, (key, name, place) in enumerate(well_known, 1)
        ),
        points=tuple(
            Point(f"{key}-{point}", f"{name}, {label}", key, tags, unit, usual)
            for key, name, _ in well_known
            for point, label, tags, unit, usual in _POINTS
        ),
    )


def _crossings(count: int) -> Iterator[Crossing]:
    """At the bends of the avenues, where other streets come in."""
    bends = [(avenue, bend) for avenue in AVENUES for bend in avenue.points[1:-1]]
    for number, (avenue, bend) in enumerate(bends[:count], 1):
        place = Place.of(bend, avenue.name, avenue.commune)
        yield Crossing(f"K{number:03d}", f"{avenue.name}, crossing {number}", place, ("K1", "K2"))


def _cameras(crossings: Sequence[Crossing], buildings: Sequence[Spot], count: int) -> Iterator[Camera]:
    """One at each crossing, then one before each building."""
    places = [(crossing.name, crossing.place) for crossing in crossings]
    places += [(f"Before {name}", place) for _, name, place in buildings]
    for number, (name, place) in enumerate(places[:count], 1):
        yield Camera(f"CAM-{number:03d}", name, place, "DOME" if number % 3 else "PTZ")


def _floors(buildings: int, count: int) -> Iterator[int]:
    """The number of each access point in its building."""
    return (1 + index // buildings for index in range(count))


def _mac(rng: random.Random) -> str:
    return "78:8a:20:" + ":".join(f"{rng.randrange(256):02x}" for _ in range(3))


_POINTS = (
    ("temp", "room temperature", ("air", "temp", "zone"), "°C", 20.5),
    ("rh", "room humidity", ("air", "humidity", "zone"), "%RH", 45.0),
    ("kw", "electric power", ("elec", "meter", "power"), "kW", 12.0),
)
