"""How a write is divided among registrations and this broker (4.3.6.2, 4.3.6.3, 5.6.1.4)."""

from ngsi_ld.registration import distribution
from ngsi_ld.registration.distribution import Local
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.registration import Definition, EntityInfo, Information, Mode, Registration


def match(name, mode, *attributes, types=()):
    entities = (EntityInfo(types=frozenset(types), id="urn:e"),)
    information = (Information(entities, frozenset(attributes)),)
    return Match(Registration(Definition(name, {}, {}), "http://source", information, mode), information)


def parts(division):
    return {part.match.registration.id: set(part.attributes) for part in division.parts}


def test_nothing_is_divided_where_no_registration_matches():
    division = distribution.of_attributes(("a", "b"), [])

    assert parts(division) == {}
    assert division.remaining == {"a", "b"}
    assert division.local is Local.NEEDED


def test_what_is_exclusive_is_taken_out_first_then_what_is_redirected_and_inclusive_ones_get_a_copy_of_the_rest():
    division = distribution.of_attributes(
        ("speed", "colour", "brand"),
        [
            match("inc", Mode.INCLUSIVE),
            match("red", Mode.REDIRECT, "speed", "colour"),
            match("exc", Mode.EXCLUSIVE, "speed"),
            match("aux", Mode.AUXILIARY),
        ],
    )

    assert parts(division) == {"exc": {"speed"}, "red": {"colour"}, "inc": {"brand"}}
    assert division.remaining == {"brand"}
    assert division.local is Local.NEEDED


def test_every_redirect_that_matches_gets_its_part():
    division = distribution.of_attributes(
        ("speed", "colour"),
        [match("one", Mode.REDIRECT), match("two", Mode.REDIRECT, "colour"), match("inc", Mode.INCLUSIVE)],
    )

    assert parts(division) == {"one": {"speed", "colour"}, "two": {"colour"}}
    assert division.local is Local.NONE


def test_what_is_exclusive_and_all_that_was_given_leaves_nothing_that_must_be_written_here():
    division = distribution.of_attributes(("speed",), [match("exc", Mode.EXCLUSIVE, "speed")])

    assert parts(division) == {"exc": {"speed"}}
    assert division.local is Local.IF_THERE


def test_an_entity_without_attributes_goes_to_those_that_have_whole_entities():
    bare = distribution.of_attributes((), [match("exc", Mode.EXCLUSIVE, "speed"), match("inc", Mode.INCLUSIVE)])
    redirected = distribution.of_attributes((), [match("red", Mode.REDIRECT)])

    assert parts(bare) == {"inc": set()}
    assert bare.local is Local.NEEDED
    assert parts(redirected) == {"red": set()}
    assert redirected.local is Local.NONE


def test_an_operation_on_an_attribute_that_a_source_alone_has_ends_there():
    taken = distribution.of_attribute("speed", [match("exc", Mode.EXCLUSIVE, "speed"), match("inc", Mode.INCLUSIVE)])
    copied = distribution.of_attribute("colour", [match("inc", Mode.INCLUSIVE)])

    assert parts(taken) == {"exc": {"speed"}}
    assert taken.local is Local.NONE
    assert parts(copied) == {"inc": {"colour"}}
    assert copied.local is Local.NEEDED


def test_an_entity_is_deleted_wherever_some_of_it_is():
    division = distribution.of_entity(
        [match("exc", Mode.EXCLUSIVE, "speed"), match("inc", Mode.INCLUSIVE), match("aux", Mode.AUXILIARY)]
    )

    assert set(parts(division)) == {"exc", "inc"}
    assert division.local is Local.IF_THERE
    assert distribution.of_entity([match("inc", Mode.INCLUSIVE)]).local is Local.NEEDED


def test_a_source_is_told_of_the_types_only_that_it_is_registered_for():
    assert distribution.types_for(match("inc", Mode.INCLUSIVE, types=("A",)), ["B", "A"]) == ["A"]
    assert distribution.types_for(match("inc", Mode.INCLUSIVE), ["B", "A"]) == ["B", "A"]
