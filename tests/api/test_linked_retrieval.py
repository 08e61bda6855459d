"""Linked entity retrieval (4.5.23): join, joinLevel, containedBy, and what pick, omit and q do with it."""

import pytest

LAMP, STREET, TOWN, MAYOR = (f"urn:ngsi-ld:{name}:1" for name in ("Lamp", "Street", "Town", "Mayor"))
ERRORS = "https://uri.etsi.org/ngsi-ld/errors/"


@pytest.fixture(scope="module", autouse=True)
async def territory(api):
    body = [
        {"id": LAMP, "type": "Lamp", "name": "L1", "in": {"object": STREET}, "spare": {"object": "urn:ngsi-ld:Gone:1"}},
        {"id": "urn:ngsi-ld:Lamp:2", "type": "Lamp", "name": "L2", "in": {"object": STREET}},
        {"id": STREET, "type": "Street", "name": "Rue", "in": {"object": TOWN}, "lamps": {"objectList": [LAMP]}},
        {"id": TOWN, "type": "Town", "name": "Ville", "led": {"object": [MAYOR, "urn:ngsi-ld:Gone:2"]}},
        {"id": MAYOR, "type": "Mayor", "name": "Maire", "of": {"object": TOWN}},
    ]
    assert (await api.post("/entityOperations/upsert", body)).status == 201


async def one(api, **parameters):
    answer = await api.get(f"/entities/{LAMP}", **parameters)
    assert answer.status == 200, answer.body
    return answer.json


async def test_inline_adds_the_entity_beside_the_object(api):
    lamp = await one(api, join="inline")

    assert lamp["in"]["object"] == STREET
    assert lamp["in"]["entity"]["name"] == {"type": "Property", "value": "Rue"}
    assert "entity" not in lamp["in"]["entity"]["in"]
    assert lamp["spare"] == {"type": "Relationship", "object": "urn:ngsi-ld:Gone:1"}


async def test_inline_follows_as_many_links_as_join_level(api):
    lamp = await one(api, join="inline", joinLevel=3, format="concise")

    town = lamp["in"]["entity"]["in"]["entity"]
    assert town["led"] == {
        "object": [MAYOR, "urn:ngsi-ld:Gone:2"],
        "entity": [{"id": MAYOR, "type": "Mayor", "name": "Maire", "of": {"object": TOWN}}],
    }
    assert "entityList" not in lamp["in"]["entity"]["lamps"]


async def test_inline_simplified_puts_entities_in_the_place_of_uris(api):
    lamp = await one(api, join="inline", joinLevel=2, format="simplified", pick="id,in")

    assert lamp == {
        "id": LAMP,
        "in": {
            "id": STREET,
            "type": "Street",
            "name": "Rue",
            "in": {"id": TOWN, "type": "Town", "name": "Ville", "led": [MAYOR, "urn:ngsi-ld:Gone:2"]},
            "lamps": [LAMP],
        },
    }


async def test_a_list_relationship_has_its_entities_in_entity_list(api):
    answer = await api.get(f"/entities/{STREET}", join="inline", pick="lamps{id}", format="concise")

    assert answer.json == {"lamps": {"objectList": [LAMP], "entityList": [{"id": LAMP}]}}


async def test_flat_appends_the_linked_entities_once(api):
    answer = await api.get("/entities", type="Lamp", join="flat", joinLevel=9, format="simplified", count="true")

    assert [entity["id"] for entity in answer.json] == [LAMP, "urn:ngsi-ld:Lamp:2", STREET, TOWN, MAYOR]
    assert answer.json[2]["in"] == TOWN
    assert answer.headers["NGSILD-Results-Count"] == "2"


async def test_flat_is_an_array_even_of_one(api):
    assert [entity["id"] for entity in await one(api, join="flat")] == [LAMP, STREET]
    answer = await api.get(f"/entities/{MAYOR}", join="flat", pick="id")
    assert answer.json == [{"id": MAYOR}]


async def test_each_entity_of_an_answer_is_whole(api):
    answer = await api.get("/entities", type="Lamp", join="inline", pick="in{name}", format="simplified")

    assert answer.json == [{"in": {"name": "Rue"}}, {"in": {"name": "Rue"}}]


async def test_contained_by_names_what_is_had_already(api):
    lamp = await one(api, join="inline", joinLevel=2, containedBy=TOWN)

    assert "entity" not in lamp["in"]["entity"]["in"]


async def test_pick_and_omit_reach_into_linked_entities(api):
    lamp = await one(api, join="inline", joinLevel=2, pick="name,in{id,in{name}}", format="simplified")
    assert lamp == {"name": "L1", "in": {"id": STREET, "in": {"name": "Ville"}}}

    lamp = await one(api, join="inline", omit="id,spare,in{type,lamps,in}", format="simplified")
    assert lamp == {"type": "Lamp", "name": "L1", "in": {"id": STREET, "name": "Rue"}}


async def test_geo_json(api):
    feature = (await api.get(f"/entities/{LAMP}", join="inline", headers={"Accept": "application/geo+json"})).json
    assert feature["properties"]["in"]["entity"]["id"] == STREET

    collection = (await api.get(f"/entities/{LAMP}", join="flat", headers={"Accept": "application/geo+json"})).json
    assert collection["type"] == "FeatureCollection"
    assert [one["id"] for one in collection["features"]] == [LAMP, STREET]


async def test_json_ld_has_its_context_outside_only(api):
    answer = await api.get(f"/entities/{LAMP}", join="inline", headers={"Accept": "application/ld+json"})

    assert "@context" in answer.json
    assert "@context" not in answer.json["in"]["entity"]


async def test_system_attributes_come_with_linked_entities(api):
    lamp = await one(api, join="inline", options="sysAttrs")

    assert "createdAt" in lamp["in"]["entity"]
    assert "modifiedAt" in lamp["in"]["entity"]["name"]


async def test_post_query(api):
    query = {"type": "Query", "entities": [{"type": "Lamp", "id": LAMP}], "join": "inline", "joinLevel": 2}
    answer = await api.post("/entityOperations/query", query | {"pick": ["in{in{id}}"]}, format="simplified")

    assert answer.json == [{"in": {"in": {"id": TOWN}}}]


async def test_conditions_on_linked_entities(api):
    async def found(q, **parameters):
        answer = await api.get("/entities", type="Lamp", q=q, join="inline", joinLevel=2, pick="id", **parameters)
        return [entity["id"] for entity in answer.json]

    assert await found('in{in{name}}=="Ville"') == [LAMP, "urn:ngsi-ld:Lamp:2"]
    assert await found('in{Street:name}=="Rue";name=="L2"') == ["urn:ngsi-ld:Lamp:2"]
    assert await found('in{Town:name}=="Rue"') == []


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"q": 'in{name}=="Rue"'}, "BadRequestData", "needs join"),
        ({"q": 'in{name}=="Rue"', "join": "@none"}, "BadRequestData", "needs join"),
        ({"q": 'in{in{name}}=="Ville"', "join": "inline"}, "BadRequestData", "joinLevel is 1"),
        ({"pick": "in{name}"}, "BadRequestData", "needs join"),
        ({"omit": "in{in{name}}", "join": "flat", "joinLevel": "1"}, "BadRequestData", "joinLevel is 1"),
        ({"join": "outer"}, "BadRequestData", "inline, flat, @none"),
        ({"join": "inline", "joinLevel": "0"}, "BadRequestData", "from 1 on"),
        ({"join": "inline", "joinLevel": "11"}, "BadRequestData", "10 at most"),
        ({"joinLevel": "1"}, "InvalidRequest", "goes with join"),
        ({"join": "@none", "containedBy": TOWN}, "InvalidRequest", "goes with join"),
    ],
)
async def test_what_is_refused(api, parameters, error, words):
    answer = await api.get("/entities", type="Lamp", **parameters)

    assert (answer.status, answer.json["type"]) == (400, ERRORS + error)
    assert words in answer.json["detail"]


async def test_a_purge_follows_no_links(api):
    for parameters in ({"q": 'in{name}=="Rue"'}, {"attrs": "in{name}"}, {"drop": "in{name}"}):
        answer = await api.delete("/entities", type="Lamp", **parameters)
        assert (answer.status, answer.json["type"]) == (400, ERRORS + "BadRequestData")
    assert (await api.get(f"/entities/{LAMP}")).status == 200


async def test_links_are_counted(api):
    many = [{"id": f"urn:ngsi-ld:Leaf:{n}", "type": "Leaf"} for n in range(60)]
    many += [
        {"id": f"urn:ngsi-ld:Branch:{n}", "type": "Branch", "leaves": {"object": [leaf["id"] for leaf in many]}}
        for n in range(100)
    ]
    assert (await api.post("/entityOperations/create", many)).status == 201

    answer = await api.get("/entities", type="Branch", join="inline", limit=100)

    assert (answer.status, answer.json["type"]) == (403, ERRORS + "TooManyResults")
    assert len((await api.get("/entities", type="Branch", join="flat", limit=100)).json) == 160
