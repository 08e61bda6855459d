"""What stands in the territory besides lights, stations and parks: as much as announced, each with a key of its own."""

from beffroi.demo.territory import generate

EQUIPMENT = generate(lights=50).equipment


def test_there_is_as_much_as_announced():
    assert len(EQUIPMENT.crossings) == 12
    assert len(EQUIPMENT.cameras) == 30
    assert len(EQUIPMENT.hotspots) == 24
    assert len(EQUIPMENT.meters) == 20
    assert len(EQUIPMENT.points) == 3 * 20


def test_every_key_is_one_thing_s():
    for things in (EQUIPMENT.crossings, EQUIPMENT.cameras, EQUIPMENT.hotspots, EQUIPMENT.meters, EQUIPMENT.points):
        assert len({thing.key for thing in things}) == len(things)


def test_meters_have_a_prm_of_fourteen_digits():
    assert all(len(meter.key) == 14 and meter.key.isdecimal() for meter in EQUIPMENT.meters)
