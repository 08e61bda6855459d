"""Which registrations an operation concerns (GS CIM 009 v1.9.1, 5.12), found by index."""

import pytest

from ngsi_ld.context import CORE
from ngsi_ld.query.geo import parse_geo_query
from ngsi_ld.query.patterns import parse_pattern
from ngsi_ld.query.q import parse_q
from ngsi_ld.query.scope_q import parse_scope_q
from ngsi_ld.query.type_selection import parse_type_selection
from ngsi_ld.registration.changes import new_registration
from ngsi_ld.registration.index import RegistrationIndex
from ngsi_ld.registration.matching import Wanted, matched
from ngsi_ld.temporal.query import parse_temporal_query

NOW = "2026-11-23T07:00:00.000Z"
LATER = "2026-11-24T07:00:00.000Z"
LAMP, OTHER = "urn:ngsi-ld:Streetlight:1", "urn:ngsi-ld:Streetlight:2"


def registration(*information, **members):
    body = {
        "id": members.pop("id", "urn:ngsi-ld:ContextSourceRegistration:1"),
        "type": "ContextSourceRegistration",
        "endpoint": "http://broker.example",
        "information": list(information) or [{"entities": [{"type": "Streetlight"}]}],
    }
    return new_registration(body | members, CORE, "https://core.example", NOW, "urn:generated")


def of(*entities, attributes=()):
    made = {"entities": list(entities)} if entities else {}
    return made | ({"propertyNames": list(attributes)} if attributes else {})


def wanted(types=None, ids=(), pattern=None, attributes=(), **others):
    return Wanted(
        ids=tuple(ids),
        id_pattern=None if pattern is None else parse_pattern(pattern, "idPattern"),
        types=None if types is None else parse_type_selection(types, CORE),
        attributes=frozenset(map(CORE.iri, attributes)),
        **others,
    )


def found(one, what, now=NOW):
    """By index, which must say the same as looking at the one registration does."""
    index = RegistrationIndex()
    index.put(one)
    matches = index.find(what, now)
    assert matches == [match for match in [matched(one, what, now)] if match is not None]
    return bool(matches)


@pytest.mark.parametrize(
    ("entity", "what", "matches"),
    [
        ({"type": "Streetlight"}, wanted("Streetlight"), True),
        ({"type": "Streetlight"}, wanted("Building"), False),
        ({"type": "Streetlight"}, wanted("Building,Streetlight"), True),
        ({"type": ["Streetlight", "Pole"]}, wanted("Pole"), True),
        ({"type": ["Streetlight", "Pole"]}, wanted("(Pole;Streetlight)"), True),
        ({"type": "Streetlight"}, wanted("(Pole;Streetlight)"), False),
        ({"type": "Streetlight"}, wanted(), True),
        ({"type": "Streetlight"}, wanted(ids=[LAMP]), True),
        ({"type": "Streetlight", "id": LAMP}, wanted(ids=[OTHER, LAMP]), True),
        ({"type": "Streetlight", "id": LAMP}, wanted(ids=[OTHER]), False),
        ({"type": "Streetlight", "id": LAMP}, wanted("Streetlight"), True),
        ({"type": "Streetlight", "id": LAMP}, wanted("Building", [LAMP]), False),
        ({"id": LAMP}, wanted("Building", [LAMP]), True),
        ({"type": "Streetlight", "idPattern": "^urn:ngsi-ld:Street"}, wanted(ids=[LAMP]), True),
        ({"type": "Streetlight", "idPattern": "light:1$"}, wanted(ids=[LAMP]), True),
        ({"type": "Streetlight", "idPattern": "light:1$"}, wanted(ids=[OTHER]), False),
        ({"type": "Streetlight", "idPattern": "^urn:other"}, wanted(ids=[LAMP]), False),
        ({"type": "Streetlight", "idPattern": "^urn:other"}, wanted(pattern="^urn:ngsi"), True),
        ({"type": "Streetlight", "id": LAMP}, wanted(pattern="1$"), True),
        ({"type": "Streetlight", "id": LAMP}, wanted(pattern="2$"), False),
        ({"type": "Streetlight", "id": LAMP, "idPattern": "2$"}, wanted(ids=[OTHER]), False),
        ({"type": "Streetlight", "id": LAMP}, wanted(ids=[LAMP], pattern="2$"), False),
        ({"type": "Streetlight"}, wanted(ids=[LAMP], pattern="2$"), False),
    ],
)
def test_entities(entity, what, matches):
    assert found(registration(of(entity)), what) is matches


@pytest.mark.parametrize(
    ("registered", "asked", "matches"),
    [
        ((), (), True),
        ((), ("powerState",), True),
        (("powerState",), (), True),
        (("powerState", "illuminance"), ("illuminance", "location"), True),
        (("powerState",), ("illuminance",), False),
    ],
)
def test_attributes(registered, asked, matches):
    one = registration(of({"type": "Streetlight"}, attributes=registered))

    assert found(one, wanted("Streetlight", attributes=asked)) is matches


def test_relationships_count_as_properties_do():
    one = registration({"propertyNames": ["a"], "relationshipNames": ["b"]})

    assert found(one, wanted(attributes=["b"]))
    assert not found(one, wanted(attributes=["c"]))


def test_one_element_must_have_both_the_entities_and_the_attributes():
    one = registration(of({"type": "Streetlight"}, attributes=["a"]), of({"type": "Building"}, attributes=["b"]))

    assert found(one, wanted("Building", attributes=["b"]))
    assert not found(one, wanted("Building", attributes=["a"]))


def test_information_without_entities_is_of_any():
    one = registration(of(attributes=["a"]))

    assert found(one, wanted("Building", [LAMP], attributes=["a"]))


def test_a_match_is_reduced_to_what_matches():
    one = registration(
        of({"type": "Building"}, attributes=["a"]),
        of({"type": "Streetlight"}, {"id": OTHER}, attributes=["b"]),
        of({"type": "Streetlight"}, attributes=["c"]),
    )

    match = matched(one, wanted("Streetlight", [LAMP]), NOW)

    assert match.positions == (1, 2)
    assert [len(each.entities) for each in match.information] == [1, 1]
    assert match.attributes() == {CORE.iri("b"), CORE.iri("c")}
    assert matched(registration(of({"type": "A"}), of(attributes=["b"])), wanted("A"), NOW).attributes() is None


def test_two_matches_of_a_registration_are_one():
    one = registration(of({"type": "A"}, {"type": "B"}), of({"type": "B"}))

    united = matched(one, wanted("A"), NOW).united(matched(one, wanted("B"), NOW))

    assert united == matched(one, wanted("A,B"), NOW)


def test_what_a_source_may_be_asked():
    assert matched(registration(), wanted(), NOW).supports("queryBatch")
    assert not matched(registration(), wanted(), NOW).supports("createEntity")
    assert matched(registration(operations=["updateOps"]), wanted(), NOW).supports("replaceAttrs")
    assert not matched(registration(mode="auxiliary"), wanted(), NOW).supports("queryBatch")


def test_what_has_expired_matches_nothing():
    one = registration(expiresAt="2026-11-23T08:00:00Z")

    assert found(one, wanted("Streetlight"))
    assert not found(one, wanted("Streetlight"), LATER)


def test_datasets_must_have_one_in_common_where_both_are_told():
    here = wanted(dataset_ids=frozenset({"urn:d:1", "@none"}))

    assert found(registration(), here)
    assert found(registration(datasetId=["@none"]), here)
    assert found(registration(datasetId=["urn:d:2"]), wanted())
    assert not found(registration(datasetId=["urn:d:2"]), here)


PAST = {"startAt": "2025-01-01T00:00:00Z", "endAt": "2025-12-31T00:00:00Z"}


@pytest.mark.parametrize(
    ("timerel", "at", "end", "matches"),
    [
        ("before", "2024-06-01T00:00:00Z", None, False),
        ("before", "2025-01-01T00:00:00Z", None, True),
        ("before", "2026-06-01T00:00:00Z", None, True),
        ("after", "2025-06-01T00:00:00Z", None, True),
        ("after", "2026-06-01T00:00:00Z", None, False),
        ("between", "2024-06-01T00:00:00Z", "2024-07-01T00:00:00Z", False),
        ("between", "2024-06-01T00:00:00Z", "2025-07-01T00:00:00Z", True),
    ],
)
def test_a_source_of_the_past_is_one_whose_interval_overlaps(timerel, at, end, matches):
    of_then = parse_temporal_query(timerel=timerel, time_at=at, end_time_at=end)

    assert found(registration(observationInterval=PAST), wanted("Streetlight", temporal=of_then)) is matches


def test_sources_of_the_past_and_of_the_present():
    then = parse_temporal_query(timerel="after", time_at="2025-06-01T00:00:00Z")
    modified = parse_temporal_query(timerel="after", time_at="2025-06-01T00:00:00Z", timeproperty="modifiedAt")
    open_ended = registration(observationInterval={"startAt": "2020-01-01T00:00:00Z"})

    assert not found(open_ended, wanted("Streetlight"))
    assert found(open_ended, wanted("Streetlight", temporal=then))
    assert not found(open_ended, wanted("Streetlight", temporal=modified))
    assert found(registration(managementInterval=PAST), wanted("Streetlight", temporal=modified))
    assert not found(registration(), wanted("Streetlight", temporal=then, strict=True))
    assert found(registration(), wanted("Streetlight", temporal=then))


CHALONS = {"type": "Polygon", "coordinates": [[[4.3, 48.9], [4.4, 48.9], [4.4, 49.0], [4.3, 49.0], [4.3, 48.9]]]}
IN_CHALONS, IN_REIMS = "[4.36,48.95]", "[4.03,49.25]"


@pytest.mark.parametrize(
    ("georel", "coordinates", "matches"),
    [
        ("near;maxDistance==100", IN_CHALONS, True),
        ("near;maxDistance==100", IN_REIMS, False),
        ("near;minDistance==1000", IN_CHALONS, True),
        ("near;minDistance==100000", IN_CHALONS, False),
        ("contains", IN_CHALONS, True),
        ("contains", IN_REIMS, False),
        ("equals", IN_CHALONS, True),
        ("intersects", IN_REIMS, False),
        ("disjoint", IN_CHALONS, True),
    ],
)
def test_a_place_matches_where_it_may_have_places_that_do(georel, coordinates, matches):
    geo = parse_geo_query(CORE, georel=georel, geometry="Point", coordinates=coordinates)

    assert found(registration(location=CHALONS), wanted("Streetlight", geo=geo, strict=True)) is matches


def test_a_place_within_an_area():
    def area(west, east):
        ring = [[[west, 48], [east, 48], [east, 50], [west, 50], [west, 48]]]
        return parse_geo_query(CORE, georel="within", geometry="Polygon", coordinates=ring)

    assert found(registration(location=CHALONS), wanted(geo=area(4.35, 5), strict=True))
    assert not found(registration(location=CHALONS), wanted(geo=area(5, 6), strict=True))


def test_who_tells_no_place_and_no_scope_is_ruled_out_by_discovery_only():
    geo = parse_geo_query(CORE, georel="near;maxDistance==100", geometry="Point", coordinates=IN_CHALONS)
    scope = parse_scope_q("/Chalons/#")

    assert found(registration(), wanted(geo=geo, scope_q=scope))
    assert not found(registration(), wanted(geo=geo, strict=True))
    assert not found(registration(), wanted(scope_q=scope, strict=True))
    assert found(registration(scope=["/Chalons/Centre", "/x"]), wanted(scope_q=scope, strict=True))
    assert not found(registration(scope="/Reims"), wanted(scope_q=scope))
    assert not found(registration(observationSpace=CHALONS), wanted(geo=geo, strict=True))


@pytest.mark.parametrize(
    ("csf", "matches"),
    [
        ('endpoint=="http://broker.example"', True),
        ('endpoint~="other"', False),
        ('sourceType=="sensor"', True),
        ("owner==urn:ngsi-ld:Commune:1", True),
        ("level>3;level<=5", True),
        ("level>5|missing", False),
        ("management[timeout]==500", True),
        ('mode=="redirect"', False),
    ],
)
def test_csf_is_on_the_members_of_a_registration(csf, matches):
    one = registration(
        sourceType={"type": "Property", "value": "sensor"},
        owner={"type": "Relationship", "object": "urn:ngsi-ld:Commune:1"},
        level=5,
        management={"timeout": 500},
    )

    assert found(one, wanted("Streetlight", csf=parse_q(csf, CORE, parameter="csf"))) is matches


def test_matches_come_in_the_order_of_creation():
    index = RegistrationIndex()
    for number, created in ((1, "c"), (2, "a"), (3, "b")):
        index.put(registration(id=f"urn:r:{number}"), created)

    assert [match.registration.id for match in index.find(wanted("Streetlight"), NOW)] == [
        "urn:r:2",
        "urn:r:3",
        "urn:r:1",
    ]


def test_a_registration_that_is_replaced_or_removed_leaves_nothing_behind():
    index = RegistrationIndex()
    index.put(registration(of({"type": "A", "id": LAMP}, {"idPattern": "^urn:x"}, attributes=["a", "b"])))
    index.put(registration(of({"type": "B"})))

    assert index.find(wanted("A"), NOW) == index.find(wanted("A", ids=["urn:x"]), NOW) == []
    assert len(index.find(wanted("B"), NOW)) == len(index) == 1

    index.remove("urn:ngsi-ld:ContextSourceRegistration:1")

    assert index.find(wanted(), NOW) == []
    assert len(index) == 0


def test_ten_thousand_registrations_cost_what_ten_do():
    def looked_at(count):
        index = RegistrationIndex()
        for number in range(count):
            index.put(
                registration(
                    of(
                        {"type": f"T{number}"},
                        {"id": f"urn:e:{number}", "type": "E"},
                        {"idPattern": f"^urn:p:{number}:.*", "type": "P"},
                        attributes=[f"a{number}"],
                    ),
                    id=f"urn:r:{number}",
                )
            )
        asked = [
            wanted("T7"),
            wanted(ids=["urn:e:7"], attributes=["a7"]),
            wanted("E", ids=["urn:e:7"]),
            wanted("P", ids=["urn:p:7:lamp"]),
            wanted(ids=["urn:p:7:lamp"], attributes=["a7"]),
            wanted("P", attributes=["a7"]),
            wanted(attributes=["a7"]),
        ]
        assert all([match.registration.id for match in index.find(one, NOW)] == ["urn:r:7"] for one in asked)
        return [len(list(index.candidates(one, one.ids))) for one in asked]

    few, many = looked_at(10), looked_at(10_000)

    assert many == few
    assert max(many) <= 3
