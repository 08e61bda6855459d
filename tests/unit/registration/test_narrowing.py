"""What of a query a source is asked, and what of its answer is its own (GS CIM 009 v1.9.1, 4.3.6.1)."""

from ngsi_ld.entity import Entity
from ngsi_ld.query.patterns import parse_pattern
from ngsi_ld.query.query import EntitySelector
from ngsi_ld.query.type_selection import TypeSelection
from ngsi_ld.registration.narrowing import Part, parts
from ngsi_ld.registration.registration import EntityInfo, Information

A_PATTERN = parse_pattern("^urn:a:", "idPattern")


def types(*names):
    return TypeSelection(tuple([frozenset(name.split("+")) for name in names]))


def of(*names, entity_id=None, pattern=None):
    return EntityInfo(frozenset(names), entity_id, pattern)


def asked(information, *selectors, attributes=()):
    return parts(information, selectors, frozenset(attributes))


def test_types_are_those_of_both():
    registered = [Information((of("Vehicle"), of("Bike")))]

    assert asked(registered, EntitySelector(types("Vehicle", "Ship"))) == [Part(EntitySelector(types("Vehicle")))]
    assert asked(registered, EntitySelector(types("Vehicle", "Bike"))) == [
        Part(EntitySelector(types("Vehicle", "Bike")))
    ]
    assert asked(registered) == [Part(EntitySelector(types("Vehicle", "Bike")))]
    assert asked(registered, EntitySelector(types("Ship"))) == []


def test_several_types_are_asked_for_only_where_both_are_registered():
    both = EntitySelector(types("Vehicle+Amphibian"))

    assert asked([Information((of("Vehicle"),))], both) == []
    assert asked([Information((of("Vehicle", "Amphibian"),))], both) == [Part(both)]


def test_ids_of_one_type_are_one_request():
    registered = [Information((of("Vehicle", entity_id="urn:a:1"), of("Vehicle", entity_id="urn:a:2")))]

    assert asked(registered) == [Part(EntitySelector(types("Vehicle"), ("urn:a:1", "urn:a:2")))]
    assert asked(registered, EntitySelector(ids=("urn:a:2", "urn:a:3"))) == [
        Part(EntitySelector(types("Vehicle"), ("urn:a:2",)))
    ]


def test_a_pattern_narrows_ids_and_of_two_one_is_tested_here():
    registered = [Information((of("Vehicle", pattern=A_PATTERN),))]
    own = parse_pattern("1$", "idPattern")

    assert asked(registered) == [Part(EntitySelector(types("Vehicle"), (), A_PATTERN))]
    assert asked(registered, EntitySelector(ids=("urn:a:1", "urn:b:1"))) == [
        Part(EntitySelector(types("Vehicle"), ("urn:a:1",)))
    ]
    (part,) = asked(registered, EntitySelector(id_pattern=own))
    assert part == Part(EntitySelector(types("Vehicle"), (), own), pattern=A_PATTERN)
    assert part.own(Entity("urn:a:1", ["Vehicle"])) is not None
    assert part.own(Entity("urn:b:1", ["Vehicle"])) is None


def test_attributes_are_those_of_both():
    registered = [Information((of("Vehicle"),), frozenset({"speed", "level"}))]

    assert asked(registered)[0].attributes == {"speed", "level"}
    assert asked(registered, attributes=["speed", "colour"])[0].attributes == {"speed"}
    assert asked([Information((of("Vehicle"),))], attributes=["speed"])[0].attributes == {"speed"}


def test_what_is_registered_apart_is_asked_apart():
    registered = [Information((of("Vehicle"),), frozenset({"speed"})), Information((of("Bike"),))]

    assert asked(registered) == [
        Part(EntitySelector(types("Vehicle")), frozenset({"speed"}), frozenset({"speed"})),
        Part(EntitySelector(types("Bike"))),
    ]


def test_a_source_has_no_say_about_what_it_is_not_registered_for():
    (part,) = asked([Information((of("Vehicle"),), frozenset({"speed"}))])
    one = Entity("urn:a:1", ["Vehicle"], {"speed": [{"value": 1}], "colour": [{"value": 2}]})

    assert part.own(one).attributes == {"speed": [{"value": 1}]}
    assert part.own(Entity("urn:a:2", ["Bike"], one.attributes)) is None
