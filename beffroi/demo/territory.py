"""The territory that is shown: Châlons-en-Champagne, Fagnières and Saint-Martin-sur-le-Pré, made by a seeded generator.

Names and positions are plausible, not the towns' real registers. Each thing has the key by which its vendor knows it.
"""

import math
import random
from dataclasses import dataclass
from itertools import accumulate, cycle
from uuid import UUID

from beffroi.demo.equipment import Equipment, equip
from beffroi.demo.streets import (
    AVENUES,
    CHALONS,
    FAGNIERES,
    QUARTERS,
    SAINT_MARTIN,
    Place,
    Point,
    Street,
    from_river,
    point,
    streets,
)

SEED = 51108
"""The INSEE code of Châlons-en-Champagne: as good a number as any."""


@dataclass(frozen=True, slots=True)
class Cabinet:
    """A cabinet in the street; `key` is its TALQ address."""

    key: str
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Light:
    """A lantern on a pole; `key` is its TALQ address, `power` watts, `height` metres."""

    key: str
    name: str
    place: Place
    cabinet: Cabinet
    power: int
    height: int
    on_avenue: bool


@dataclass(frozen=True, slots=True)
class Station:
    """Loops in the road, one direction of travel; `key` is its DATEX II site, `busy` vehicles an hour at rush hour."""

    key: str
    name: str
    place: Place
    forward: bool
    busy: int


@dataclass(frozen=True, slots=True)
class Building:
    """A public building; `category` is a word of the Building model."""

    key: str
    name: str
    category: str
    place: Place
    floors: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Garden:
    """A park: a centre and a closed outline, in WGS 84."""

    key: str
    name: str
    commune: str
    outline: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A soil sensor in a park; `key` is its LoRaWAN DevEUI."""

    key: str
    name: str
    garden: Garden
    place: Place


@dataclass(frozen=True, slots=True)
class Territory:
    """All there is to show."""

    lights: tuple[Light, ...]
    cabinets: tuple[Cabinet, ...]
    stations: tuple[Station, ...]
    buildings: tuple[Building, ...]
    gardens: tuple[Garden, ...]
    sensors: tuple[Sensor, ...]
    equipment: Equipment


def generate(
    *, lights: int = 7000, stations: int = 120, buildings: int = 60, sensors: int = 40, seed: int = SEED
) -> Territory:
    """The same territory for the same numbers and seed."""
    rng = random.Random(seed)  # noqa: S311 - a town, not a secret
    network = streets(rng)
    lamps = _lights(network, lights, rng)
    gardens = [_garden(*row) for row in _GARDENS]
    loops = tuple(_stations(stations, rng))
    houses = tuple(_buildings(network, buildings, rng))
    return Territory(
        lights=tuple(lamps),
        cabinets=tuple(dict.fromkeys(lamp.cabinet for lamp in lamps)),
        stations=loops,
        buildings=houses,
        gardens=tuple(gardens),
        sensors=tuple(_sensors(gardens, sensors, rng)),
        equipment=equip([(house.key, house.name, house.place) for house in houses], rng),
    )


_LIGHTS_OF_A_CABINET = 60
_KERB, _AVENUE_KERB = 4.0, 7.5


def _lights(network: list[Street], count: int, rng: random.Random) -> list[Light]:
    """Lights evenly spaced along all streets, left and right in turn.

    A cabinet stands at the first of its lights, sixty at most, all of one avenue or one quarter.
    """
    lengths = [street.length for street in network]
    spacing = sum(lengths) / count
    found: list[Light] = []
    side = cycle((1, -1))
    begins = 0.0
    cabinets = fed = 0
    area = ""
    for street, length, ends in zip(network, lengths, accumulate(lengths), strict=True):
        while len(found) < count and (distance := (len(found) + 0.5) * spacing - begins) < length:
            on_avenue = street.quarter == ""
            left = next(side)
            kerb = left * (_AVENUE_KERB if on_avenue else _KERB)
            number = 2 * int(distance / 14) + (1 if left > 0 else 2)
            place = Place.of(street.at(distance, kerb), f"{number} {street.name}", street.commune)
            if fed == _LIGHTS_OF_A_CABINET or area != (street.quarter or street.name):
                area, fed, cabinets = street.quarter or street.name, 0, cabinets + 1
                name = f"ARM-{cabinets:03d}"
                beside = street.at(min(distance + 3, length), 1.5 * kerb)
                cabinet = Cabinet(_uuid(rng), name, Place.of(beside, place.street, street.commune))
            fed += 1
            found.append(
                Light(
                    key=_uuid(rng),
                    name=f"LP-{len(found) + 1:05d}",
                    place=place,
                    cabinet=cabinet,
                    power=rng.choice((90, 110, 140)) if on_avenue else rng.choice((38, 46, 60)),
                    height=10 if on_avenue else rng.choice((5, 6, 7)),
                    on_avenue=on_avenue,
                )
            )
        begins = ends
    return found


def _stations(count: int, rng: random.Random) -> list[Station]:
    """Pairs of loops, one a direction, evenly along the avenues."""
    total = sum(avenue.length for avenue in AVENUES)
    spacing = 2 * total / count
    found: list[Station] = []
    begins = 0.0
    for avenue in AVENUES:
        while len(found) < count and (distance := (len(found) // 2 + 0.5) * spacing - begins) < avenue.length:
            forward = len(found) % 2 == 0
            place = Place.of(avenue.at(distance, -3.5 if forward else 3.5), avenue.name, avenue.commune)
            way = "outbound" if forward else "inbound"
            number = len(found) // 2 + 1
            found.append(
                Station(
                    key=f"CHA{number:03d}.{'h1' if forward else 'h2'}",
                    name=f"{avenue.name}, point {number}, {way}",
                    place=place,
                    forward=forward,
                    busy=rng.randint(500, 1900),
                )
            )
        begins += avenue.length
    return found


def _buildings(network: list[Street], count: int, rng: random.Random) -> list[Building]:
    """The buildings everybody knows, then each quarter's own beside its streets."""
    found = [
        Building(f"B{index:03d}", name, category, Place(longitude, latitude, street, commune), floors, capacity)
        for index, (name, category, street, commune, longitude, latitude, floors, capacity) in enumerate(_LANDMARKS, 1)
    ]
    kinds = cycle((kind, quarter) for kind in _QUARTER_BUILDINGS for quarter in QUARTERS)
    while len(found) < count:
        (name, category, floors, capacity), quarter = next(kinds)
        street = rng.choice([street for street in network if street.quarter == quarter.name])
        distance = rng.uniform(0.2, 0.8) * street.length
        place = Place.of(street.at(distance, 28), f"{2 * int(distance / 14) + 1} {street.name}", quarter.commune)
        key = f"B{len(found) + 1:03d}"
        found.append(Building(key, f"{name} {quarter.name}", category, place, floors, capacity + rng.randint(-20, 20)))
    return found[:count]


def _sensors(gardens: list[Garden], count: int, rng: random.Random) -> list[Sensor]:
    """Sensors in each garden in turn, well inside its outline."""
    found: list[Sensor] = []
    for index, garden in zip(range(count), cycle(gardens), strict=False):
        corners = [point(*corner) for corner in garden.outline[:-1]]
        (east, north), side, other = corners[0], corners[1], corners[3]
        along, across = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9)
        where = (
            east + along * (side[0] - east) + across * (other[0] - east),
            north + along * (side[1] - north) + across * (other[1] - north),
        )
        name = f"{garden.name}, lawn {index // len(gardens) + 1}"
        key = f"a84041{rng.getrandbits(40):010x}"
        found.append(Sensor(key, name, garden, Place.of(where, garden.name, garden.commune)))
    return found


def _garden(
    key: str, name: str, commune: str, longitude: float, latitude: float, long: float, wide: float, turn: float
) -> Garden:
    """A rectangle of so many metres, turned by so many degrees."""
    centre, angle = point(longitude, latitude), math.radians(turn)

    def corner(along: float, across: float) -> tuple[float, float]:
        where: Point = (
            centre[0] + along * math.cos(angle) - across * math.sin(angle),
            centre[1] + along * math.sin(angle) + across * math.cos(angle),
        )
        if from_river(where) < 20:
            raise ValueError(f"{name} lies in the Marne")
        place = Place.of(where, name, commune)
        return place.longitude, place.latitude

    half, side = long / 2, wide / 2
    corners = [corner(-half, -side), corner(half, -side), corner(half, side), corner(-half, side)]
    return Garden(key, name, commune, (*corners, corners[0]))


def _uuid(rng: random.Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))


_GARDENS = (
    ("grand-jard", "Grand Jard", CHALONS, 4.3592, 48.9546, 380, 150, -38),
    ("petit-jard", "Petit Jard", CHALONS, 4.3597, 48.9580, 150, 80, 25),
    ("jardin-anglais", "Jardin anglais", CHALONS, 4.3625, 48.9533, 180, 90, -25),
    ("parc-saint-pierre", "Parc de la Vallée Saint-Pierre", CHALONS, 4.3925, 48.9437, 260, 120, 40),
    ("square-verbeau", "Square du Verbeau", CHALONS, 4.3822, 48.9672, 120, 70, 33),
    ("coulee-verte", "Coulée verte du Mont Saint-Michel", CHALONS, 4.3880, 48.9545, 300, 50, 18),
    ("parc-fagnieres", "Parc de Fagnières", FAGNIERES, 4.3165, 48.9648, 160, 90, 15),
    ("pre-saint-martin", "Pré de Saint-Martin", SAINT_MARTIN, 4.3448, 48.9798, 170, 110, 50),
)

_LANDMARKS = (
    ("Hôtel de ville", "civic", "Place du Maréchal Foch", CHALONS, 4.36366, 48.95717, 3, 450),
    ("Mairie de Fagnières", "civic", "Place de la Mairie", FAGNIERES, 4.31830, 48.96420, 2, 120),
    ("Mairie de Saint-Martin-sur-le-Pré", "civic", "Rue de l'Église", SAINT_MARTIN, 4.34200, 48.97890, 2, 60),
    ("Préfecture de la Marne", "civic", "Rue de Jessaint", CHALONS, 4.36450, 48.95420, 3, 300),
    ("Gare de Châlons-en-Champagne", "train_station", "Avenue de la Gare", CHALONS, 4.34860, 48.95540, 2, 800),
    ("Cathédrale Saint-Étienne", "cathedral", "Place Saint-Étienne", CHALONS, 4.35750, 48.95660, 1, 900),
    ("Collégiale Notre-Dame-en-Vaux", "church", "Quai Notre-Dame", CHALONS, 4.36520, 48.95870, 1, 700),
    ("Médiathèque", "public", "Place Godart", CHALONS, 4.36220, 48.95630, 3, 350),
    ("Musée des Beaux-Arts", "public", "Place Godart", CHALONS, 4.36180, 48.95600, 2, 250),
    ("Cirque", "public", "Rue du Cirque", CHALONS, 4.35760, 48.95990, 1, 1200),
    ("Théâtre", "public", "Rue des Fripiers", CHALONS, 4.36530, 48.95610, 2, 650),
    ("Parc des expositions", "commercial", "Avenue du Président Roosevelt", CHALONS, 4.37230, 48.94480, 1, 4500),
    ("Centre hospitalier", "hospital", "Rue du Commandant Derrien", CHALONS, 4.37380, 48.95240, 6, 1400),
    ("Conservatoire", "school", "Rue du Lycée", CHALONS, 4.36810, 48.95530, 3, 300),
    ("Stade municipal", "stadium", "Avenue du Stade", CHALONS, 4.37000, 48.96850, 2, 3000),
    ("Piscine", "public", "Avenue du Stade", CHALONS, 4.37160, 48.96920, 1, 600),
    ("Archives", "public", "Rue des Archives", CHALONS, 4.37760, 48.94930, 4, 80),
    ("Caserne des pompiers", "service", "Route de Reims", SAINT_MARTIN, 4.35050, 48.97400, 2, 90),
)

_QUARTER_BUILDINGS = (
    ("École élémentaire", "school", 2, 240),
    ("Gymnase", "pavilion", 1, 350),
    ("École maternelle", "kindergarten", 1, 120),
)
