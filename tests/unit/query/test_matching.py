"""Queries tested on entities in memory: what 4.9 says of each kind of attribute and each operator."""

from typing import ClassVar

import pytest

from ngsi_ld.entity import Entity
from ngsi_ld.query import (
    EntitySelector,
    Query,
    matches,
    parse_pattern,
    parse_q,
    parse_scope_q,
    parse_type_selection,
    unresolved,
)

BASE = "https://example.org/"


def entity(**attributes):
    return Entity(
        "urn:ngsi-ld:Building:1",
        [f"{BASE}Building"],
        {BASE + name: value if isinstance(value, list) else [value] for name, value in attributes.items()},
        ["/Chalons/Centre"],
        "2026-11-23T17:02:01.250Z",
        "2026-11-23T17:02:01.250Z",
    )


def prop(value, **more):
    return {"type": "Property", "value": value, **more}


COLOURS = {"type": "LanguageProperty", "languageMap": {"fr": ["chat", "rouge"], "en": "red", "@none": "R"}}
BUILDING = entity(
    level=prop(4),
    price=prop(20.0),
    name=prop("Eiffel Tower"),
    full=prop(False),
    tags=prop(["blue", "red"]),
    numbers=prop([5, 60]),
    opened=prop("2026-11-23T17:02:00.50Z", observedAt="2026-11-23T17:00:00Z", unitCode="C62"),
    typed=prop({"@type": "DateTime", "@value": "2026-01-01T00:00:00Z"}),
    address=prop({"city": "Berlin", "geo": {"zone": 3}, "none": None}),
    rooms=prop([{"size": 3}]),
    color=COLOURS,
    locatedIn={"type": "Relationship", "object": "urn:ngsi-ld:City:Pisa"},
    neighbours={"type": "Relationship", "object": ["urn:x:1", "urn:x:2"]},
    path={"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}]},
    steps={"type": "ListProperty", "valueList": [1, 2]},
    category={"type": "VocabProperty", "vocab": f"{BASE}commercial"},
    ticket={"type": "JsonProperty", "json": {"value": "Overstay 60 minutes", "id": 7}},
    place={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4, 48]}},
    temperature=[
        prop(10, subs={f"{BASE}accuracy": [prop(1, subs={f"{BASE}by": [prop("x")]})]}),
        prop(30, datasetId="urn:d:1"),
    ],
    past=prop(1, expiresAt="2026-11-23T17:02:01.25Z"),
    half=[prop(1, expiresAt="2026-11-23T17:02:01Z"), prop(2, datasetId="urn:d:1")],
)

TRUE = """
level  level==4  level==4.0  level!=5  level>3  level>=4  level<=4  level==3..4  level!=5..6  level==1,4
price==20  name=="Eiffel Tower"  name!="Pisa"  name>"Eiffel"  name=="D".."F"  full==false  full!=true  full!=0
tags=="red"  tags=="green","red"  tags!="green"  name~="^Eiff"  name~=el  name!~="^Pisa"
level!="4"  level!=true  name!=4  tags!=1..2
opened>2026-11-23T17:02:00.4Z  opened==2026-11-23T17:02:00.5Z  opened<2026-11-23T17:02:00.51Z
opened>"2026-11-23T17:02:00Z"
opened.observedAt>=2026-11-23T17:00:00Z  opened.observedAt<2026-11-23T17:00:00.1Z  opened.unitCode=="C62"
typed==2026-01-01T00:00:00Z  typed>2025-01-01T00:00:00Z  opened!=2026-11-23
address[city]=="Berlin"  address[geo.zone]>2  address[none]  address[none]!=1  address[city]~="lin$"
color[en]=="red"  color[*]=="rouge"  color=="rouge"  color[fr]=="chat"  color[en]!="rouge"  color!="noir"  color~="^rou"
color>"red"  color[*]!~="noir"
locatedIn==urn:ngsi-ld:City:Pisa  locatedIn=="urn:ngsi-ld:City:Pisa"  locatedIn!=urn:x  neighbours==urn:x:2
path==urn:x:1
steps==2  category=="https://example.org/commercial"  ticket[value]=="Overstay 60 minutes"  ticket!=1  place!=1  place
temperature==30  temperature==10  temperature!=10  temperature.accuracy==1  temperature.accuracy.by=="x"
!missing  half==2  createdAt==2026-11-23T17:02:01.25Z  modifiedAt>"2020-01-01T00:00:00Z"
missing|level  (missing;level)|name  level==4;name
"""

FALSE = """
missing  missing!=1  level=="4"  level==true  full==0  full<1  level>4  level==5..6  level!=4  level!=3..4  level!=1,4
name==4  name>5  tags!="red"  tags>"a"  numbers>1  numbers==50..70  name~="^eiff"  name!~="^Eiff"  level~="4"
level!~="x"
tags~="red"  tags!~="x"  opened>2026-11-23T17:02:00.5Z  opened==2026-11-23  opened<2026-11-23T17:02:00Z
address[postcode]  address[postcode]!="x"  address=="Berlin"  address[city.x]  rooms[size]==3  rooms[size]
color[en]=="rouge"  color[de]  color[*]!="red"  color!="red"  color[*]!~="red"
managedBy>"urn:a"  locatedIn>"urn:a"  locatedIn~="urn"  locatedIn!~="x"  locatedIn=="a".."z"  locatedIn==urn:x
category==commercial  ticket==1  ticket[x]  place==1  temperature==20  temperature.missing  level.observedAt
!level  past  past==1  half==1  expiresAt  deletedAt  missing;level
"""


@pytest.mark.parametrize("text", [line for lines in TRUE.split("\n") for line in lines.split("  ") if line])
def test_holds(names, now, text):
    assert matches(Query(q=parse_q(text, names)), BUILDING, now)


@pytest.mark.parametrize("text", [line for lines in FALSE.split("\n") for line in lines.split("  ") if line])
def test_does_not_hold(names, now, text):
    assert not matches(Query(q=parse_q(text, names)), BUILDING, now)


def test_all_conditions_must_hold(names, now):
    def ask(types="Building", ids=(), pattern=None, attributes=(), scope="/#"):
        selector = EntitySelector(
            parse_type_selection(types, names), ids, None if pattern is None else parse_pattern(pattern, "idPattern")
        )
        query = Query((selector,), frozenset(BASE + name for name in attributes), scope_q=parse_scope_q(scope))
        return matches(query, BUILDING, now)

    assert ask()
    assert ask(ids=("urn:x", BUILDING.id), pattern="Building:[0-9]$", attributes=("none", "name"), scope="/Chalons/#")
    assert not ask(types="House")
    assert not ask(ids=("urn:x",))
    assert not ask(pattern="House")
    assert not ask(attributes=("past",))
    assert not ask(scope="/Reims")


def test_what_has_expired_is_not_there(now):
    passed = Entity("urn:x", ["T"], expires_at="2026-11-23T17:02:01.2Z")
    coming = Entity("urn:x", ["T"], expires_at="2026-11-23T17:02:01.2501Z")

    assert not matches(Query(), passed, now)
    assert matches(Query(), coming, now)


class TestLinkedEntities:
    """Examples 13 and 14, and two links in a row."""

    station: ClassVar = entity(sensor={"type": "Relationship", "object": ["urn:d:1", "urn:d:2"]})
    stored: ClassVar = {
        "urn:d:1": Entity("urn:d:1", [f"{BASE}Other"], {f"{BASE}humidity": [prop(50)]}),
        "urn:d:2": Entity(
            "urn:d:2",
            [f"{BASE}Device"],
            {f"{BASE}humidity": [prop(40)], f"{BASE}owner": [{"type": "Relationship", "object": "urn:o"}]},
        ),
        "urn:o": Entity("urn:o", [f"{BASE}Person"], {f"{BASE}name": [prop("x")]}),
    }

    @pytest.mark.parametrize(
        ("text", "holds"),
        [
            ("sensor{humidity}==40", True),
            ("sensor{Device:humidity}==40", True),
            ("sensor{Device,Other:humidity}>45", True),
            ("sensor{Device:humidity}>45", False),
            ("sensor{humidity}!=40", True),
            ("sensor{missing}", False),
            ('sensor{owner{name}}=="x"', True),
            ('sensor{owner{Device:name}}=="x"', False),
            ("location{humidity}", False),
        ],
    )
    def test_links_are_followed(self, names, now, text, holds):
        query = Query(q=parse_q(text, names))

        assert matches(query, self.station, now, self.stored.get) is holds
        assert matches(query, self.station, now) is False

    def test_what_is_needed_is_asked_for_round_by_round(self, names, now):
        query = Query(q=parse_q('sensor{owner{name}}=="x"', names))
        at_hand = {}

        rounds = []
        while missing := unresolved(query, self.station, now, at_hand):
            rounds.append(sorted(missing))
            at_hand |= {one: self.stored.get(one) for one in missing}

        assert rounds == [["urn:d:1", "urn:d:2"], ["urn:o"]]
        assert query.link_depth == 2


def test_what_is_too_wide(names):
    assert not Query().is_narrow
    assert not Query(q=parse_q('modifiedAt>"2020-01-01T00:00:00Z"', names)).is_narrow
    assert Query(q=parse_q("modifiedAt|name", names)).is_narrow
    assert Query(attributes=frozenset({f"{BASE}a"})).is_narrow
    assert not Query((EntitySelector(ids=("urn:x",)),)).is_narrow
    assert Query((EntitySelector(parse_type_selection("T", names)),)).is_narrow
