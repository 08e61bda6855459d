"""The territory that is shown: as many things as announced, at plausible places, the same at every start."""

import math
from collections import Counter
from datetime import UTC, datetime

import pytest

from beffroi.demo.inventory import registers
from beffroi.demo.streets import from_river, point
from beffroi.demo.territory import generate
from data_models.validation import problems

TERRITORY = generate()
EXPORTED = datetime(2026, 11, 23, 4, tzinfo=UTC)


def where(thing):
    return point(thing.place.longitude, thing.place.latitude)


def nearest(spot, others):
    return min(math.dist(spot, other) for other in others)


def test_it_has_what_the_demonstration_announces():
    assert len(TERRITORY.lights) == 7000
    assert len(TERRITORY.stations) == 120
    assert len(TERRITORY.buildings) == 60
    assert 117 <= len(TERRITORY.cabinets) <= 150
    assert len(TERRITORY.sensors) == 40


def test_it_is_the_same_at_every_start():
    assert generate() == TERRITORY


def test_every_commune_has_its_share():
    communes = Counter(light.place.commune for light in TERRITORY.lights)

    assert set(communes) == {"Châlons-en-Champagne", "Fagnières", "Saint-Martin-sur-le-Pré"}
    assert min(communes.values()) > 500


def test_everything_is_within_five_kilometres_of_the_centre():
    things = [*TERRITORY.lights, *TERRITORY.cabinets, *TERRITORY.stations, *TERRITORY.buildings, *TERRITORY.sensors]

    assert max(math.hypot(*where(thing)) for thing in things) < 5000


def test_lights_stand_along_streets_and_not_on_one_another():
    lights = [where(light) for light in TERRITORY.lights]

    assert len(set(lights)) == 7000
    assert max(nearest(spot, lights[:i] + lights[i + 1 :]) for i, spot in list(enumerate(lights))[::100]) < 60


def test_nothing_but_an_avenue_s_bridge_is_in_the_river():
    things = [*TERRITORY.cabinets, *TERRITORY.buildings, *TERRITORY.sensors]
    side_streets = [light for light in TERRITORY.lights if not light.on_avenue]

    assert min(from_river(where(thing)) for thing in [*things, *side_streets]) > 40


def test_a_cabinet_is_near_the_lights_it_feeds():
    for light in TERRITORY.lights:
        assert math.dist(where(light), where(light.cabinet)) < 2200


def test_stations_come_in_pairs_one_for_each_direction():
    for there, back in zip(TERRITORY.stations[::2], TERRITORY.stations[1::2], strict=True):
        assert there.forward
        assert not back.forward
        assert math.dist(where(there), where(back)) < 8


def test_names_and_keys_are_unique():
    for things in (TERRITORY.lights, TERRITORY.cabinets, TERRITORY.stations, TERRITORY.buildings, TERRITORY.sensors):
        assert len({thing.key for thing in things}) == len({thing.name for thing in things}) == len(things)


@pytest.mark.parametrize(("register", "entities"), registers(generate(lights=100), EXPORTED).items())
def test_what_the_registers_hold_is_as_the_models_say(register, entities):
    for entity in entities:
        simplified = {
            name: next(value[member] for member in ("value", "object") if member in value)
            if isinstance(value, dict)
            else value
            for name, value in entity.items()
        }
        assert problems(simplified, partial=True) == []
