"""GET /entities (6.4.3.2): selection, projection, pages, count."""

import re

import pytest


@pytest.fixture(scope="module", autouse=True)
async def lamps(api):
    body = [
        {
            "id": f"urn:ngsi-ld:Lamp:{n:03d}",
            "type": "Lamp" if n % 2 else ["Lamp", "Signal"],
            "level": n,
            "place": {"type": "Point", "coordinates": [4.36 + n / 10000, 48.95]},
            **({"fault": True} if n % 10 == 0 else {}),
        }
        for n in range(60)
    ]
    assert (await api.post("/entityOperations/upsert", body)).status == 201


async def ids(api, **parameters):
    answer = await api.get("/entities", **parameters)
    assert answer.status == 200, answer.body
    return [int(entity["id"][-3:]) for entity in answer.json]


async def test_by_type(api):
    assert await ids(api, type="Lamp", limit=100) == list(range(60))
    assert await ids(api, type="Signal,Nothing", limit=100) == list(range(0, 60, 2))
    assert await ids(api, type="(Lamp;Signal)", limit=2) == [0, 2]
    assert await ids(api, type="Nothing") == []


async def test_by_id(api):
    assert await ids(api, type="Lamp", id="urn:ngsi-ld:Lamp:003,urn:ngsi-ld:Lamp:001") == [1, 3]
    assert await ids(api, type="Lamp", idPattern="^urn:ngsi-ld:Lamp:00[12]$") == [1, 2]


async def test_by_attribute(api):
    answer = await api.get("/entities", attrs="fault", format="simplified")

    assert answer.json[0] == {"id": "urn:ngsi-ld:Lamp:000", "type": ["Lamp", "Signal"], "fault": True}
    assert len(answer.json) == 6


async def test_by_condition_and_place(api):
    assert await ids(api, type="Lamp", q="level>=57;fault!=true|level==3") == [3]
    assert await ids(api, q="level>57") == [58, 59]
    near = {"georel": "near;maxDistance==20", "geometry": "Point", "coordinates": "[4.3603,48.95]"}
    assert await ids(api, **near, geoproperty="place") == [1, 2, 3, 4, 5]


async def test_a_query_that_is_too_wide(api):
    answer = await api.get("/entities", id="urn:ngsi-ld:Lamp:001")

    assert answer.status == 400
    assert "too wide" in answer.json["detail"]
    assert await ids(api, id="urn:ngsi-ld:Lamp:001", local="true") == [1]


async def test_count(api):
    answer = await api.get("/entities", type="Lamp", limit=0, count="true")

    assert answer.json == []
    assert answer.headers["NGSILD-Results-Count"] == "60"


async def test_pages_by_offset(api):
    answer = await api.get("/entities", type="Lamp", limit=25, offset=25)

    assert [entity["id"][-2:] for entity in answer.json] == [str(n) for n in range(25, 50)]
    links = answer.headers.getall("Link")
    assert '</ngsi-ld/v1/entities?limit=25&offset=0&type=Lamp>; rel="prev"; type="application/json"' in links
    assert '</ngsi-ld/v1/entities?limit=25&offset=50&type=Lamp>; rel="next"; type="application/json"' in links
    last = await api.get("/entities", type="Lamp", limit=25, offset=50)
    assert "next" not in "".join(last.headers.getall("Link"))


async def test_pages_by_cursor_follow_each_other_without_gap(api):
    path, seen = "/entities?type=Lamp&limit=7", []
    for _ in range(20):
        answer = await api.get(path)
        seen += [int(entity["id"][-3:]) for entity in answer.json]
        following = re.search(r'</ngsi-ld/v1([^>]*)>; rel="next"', ", ".join(answer.headers.getall("Link")))
        if following is None:
            break
        path = following[1]

    assert seen == list(range(60))


async def test_geo_json(api):
    answer = await api.get(
        "/entities",
        type="Lamp",
        limit=2,
        geometryProperty="place",
        pick="id,type,level",
        format="simplified",
        headers={"Accept": "application/geo+json", "Prefer": "body=json"},
    )

    assert answer.json == {
        "type": "FeatureCollection",
        "features": [
            {
                "id": f"urn:ngsi-ld:Lamp:{n:03d}",
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [4.36 + n / 10000, 48.95]},
                "properties": {"type": "Lamp" if n % 2 else ["Lamp", "Signal"], "level": n},
            }
            for n in range(2)
        ],
    }


async def test_by_body(api):
    query = {"type": "Query", "entities": [{"type": "Lamp"}], "q": "level<3", "pick": ["id", "level"]}

    answer = await api.post("/entityOperations/query", query, limit=2, options="keyValues")

    assert answer.json == [{"id": f"urn:ngsi-ld:Lamp:{n:03d}", "level": n} for n in range(2)]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"type": "Lamp", "limit": "-1"}, "limit must be a whole number"),
        ({"type": "Lamp", "limit": "0"}, "count=true"),
        ({"type": "Lamp", "limit": "100000"}, "1000 at most"),
        ({"type": "Lamp", "offset": "x"}, "offset"),
        ({"type": "Lamp", "q": "level>"}, "q is wrong at character"),
        ({"type": "Lamp", "idPattern": "("}, "idPattern"),
        ({"type": "Lamp", "id": "x"}, "id must be an absolute URI"),
        ({"type": "Lamp", "georel": "near"}, "geo"),
        ({"type": "Lamp", "count": "yes"}, "count must be true or false"),
        ({"type": "Lamp", "nonsense": "1"}, "there is no parameter 'nonsense' here"),
        ({"type": "Lamp", "options": "keyValues,nonsense"}, "nonsense"),
        ({"type": "Lamp", "cursor": "nonsense"}, "cursor"),
    ],
)
async def test_faults(api, parameters, words):
    answer = await api.get("/entities", **parameters)

    assert answer.status == 400
    assert words in answer.json["detail"]
