"""What every operation has in common (6.3): preconditions, negotiation, preferences, page links, tenants."""

import asyncio
import re

import aiohttp
import pytest

LAMP = "urn:ngsi-ld:Lamp:1"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module", autouse=True)
async def lamps(api):
    body = [
        {
            "id": f"urn:ngsi-ld:Lamp:{number}",
            "type": ["Lamp", "Device"],
            "scope": "/town",
            "name": name,
            "kind": {"vocab": "led"},
            "level": [{"value": 1, "datasetId": "urn:d:1"}, {"value": number, "observedAt": "2026-11-23T08:00:00Z"}],
        }
        for number, name in enumerate(["A", "b", "á"], 1)
    ]
    assert (await api.post("/entityOperations/upsert", body)).status == 201


async def raw(broker, head, body=b""):
    """The answer to a request written by hand, which no client library completes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT"])
async def test_without_a_length_there_is_411_and_nothing_else(broker, method):
    path = "" if method == "POST" else "/urn:ngsi-ld:A:1"
    head = f"{method} /ngsi-ld/v1/entities{path} HTTP/1.1\nHost: a\nContent-Type: application/json\nConnection: close"

    answer = await raw(broker, head + "\nTransfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 411 ")
    assert answer.endswith(b"\r\n\r\n")


async def test_415_has_no_body_and_says_in_a_header_what_is_taken(api):
    answer = await api.post("/entities", b"<a/>", headers={"Content-Type": "application/xml"})

    assert (answer.status, answer.body) == (415, b"")
    assert answer.headers["Accept"] == "application/json, application/ld+json"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/geo+json, application/ld+json", "application/ld+json"),
        ("application/json;q=0, */*", "application/ld+json"),
        ("*/*;q=0.9, application/ld+json;q=0.8", "application/json"),
        ("application/ld+json;q=notanumber", "application/ld+json"),
        ("text/html, application/*;q=0.1", "application/json"),
        ("application/geo+json", "application/geo+json"),
    ],
)
async def test_accept(api, accept, media_type):
    answer = await api.get(f"/entities/{LAMP}", headers={"Accept": accept})

    assert answer.headers["Content-Type"] == media_type


async def test_page_links_keep_every_parameter_readable(api):
    answer = await api.get("/entities/", type="Lamp", idPattern="urn:ngsi-ld:Lamp:.*", limit=1, offset=1)

    links = [link for link in answer.headers.getall("Link") if "json-ld#context" not in link]
    path = "/ngsi-ld/v1/entities?idPattern=urn:ngsi-ld:Lamp:.*&limit=1&offset={}&type=Lamp"
    assert links == [
        f'<{path.format(0)}>; rel="prev"; type="application/json"',
        f'<{path.format(2)}>; rel="next"; type="application/json"',
    ]


async def test_page_links_can_be_followed_whatever_is_in_them(api):
    q = 'name~="[Ab]";level>=1|name=="x,y"'
    answer = await api.get("/entities", type="Lamp", q=q, limit=1, offset=0)

    following = re.search(r"<([^>]*)>; rel=\"next\"", answer.headers.getall("Link")[-1])[1]
    path, _, query = following.removeprefix("/ngsi-ld/v1").partition("?")
    parameters = dict(re.findall(r"([^&=]+)=([^&]*)", query))
    assert parameters["q"] == "name~%3D%22%5BAb%5D%22%3Blevel%3E%3D1%7Cname%3D%3D%22x%2Cy%22"
    assert (await api.session.get(f"{api.root}{path}?{query}", headers={"NGSILD-Tenant": api.tenant})).status == 200


async def test_prefer_an_earlier_version(api):
    answer = await api.get(f"/entities/{LAMP}", headers={"Prefer": "ngsi-ld=1.0"})

    assert answer.status == 203
    assert answer.headers["Preference-Applied"] == "ngsi-ld=1.0"
    assert answer.json == {
        "id": LAMP,
        "type": "Lamp",
        "name": {"type": "Property", "value": "A"},
        "kind": {"type": "Property", "value": "led"},
        "level": {"type": "Property", "value": 1},
    }


async def test_prefer_a_version_that_needs_no_change(api):
    for wanted, applied in [("ngsi-ld=1.9", "ngsi-ld=1.9"), ('foo;bar=1, NGSI-LD="2.0"', "ngsi-ld=1.9")]:
        answer = await api.get("/entities", type="Lamp", headers={"Prefer": wanted})
        assert (answer.status, answer.headers["Preference-Applied"]) == (200, applied)
    assert "Preference-Applied" not in (await api.get("/entities", type="Lamp", headers={"Prefer": "x=1.0"})).headers


async def test_what_is_not_shown_changes_nothing(api):
    lamp = {"id": "urn:ngsi-ld:Bulb:1", "type": "Bulb", "a": {"value": 1, "expiresAt": "2126-01-01T00:00:00Z"}}
    await api.post("/entities", {**lamp, "expiresAt": "2126-01-01T00:00:00Z", "b": {"json": {"c": 1}}})
    path, older = "/entities/urn:ngsi-ld:Bulb:1", {"Prefer": "ngsi-ld=1.7"}

    assert (await api.get(path, headers=older)).status == 203
    assert (await api.get(path, pick="id,type,a", headers=older)).status == 200
    assert (await api.get("/entities", type="Bulb", pick="id,type,a", headers=older)).status == 200
    assert (await api.get(path, pick="id,type,a", options="sysAttrs", headers=older)).status == 203


async def test_prefer_with_a_language_filter(api):
    name = {"languageMap": {"fr": "poteau", "en": "pole"}, "unit": {"languageMap": {"fr": "mètre"}}}
    await api.post("/entities", {"id": "urn:ngsi-ld:Sign:1", "type": "Sign", "name": name})
    path, older = "/entities/urn:ngsi-ld:Sign:1", {"Prefer": "ngsi-ld=1.3"}

    answer = await api.get(path, lang="fr", headers=older)
    assert answer.status == 200
    assert answer.json["name"] == {
        "type": "Property",
        "value": "poteau",
        "lang": "fr",
        "unit": {"type": "Property", "value": "mètre", "lang": "fr"},
    }
    assert (await api.get(path, lang="en", format="simplified", headers=older)).json["name"] == "pole"
    whole = await api.get(path, headers=older)
    assert (whole.status, whole.json["name"]["value"]) == (203, {"fr": "poteau", "en": "pole"})


async def test_prefer_holds_for_linked_entities(api):
    await api.post("/entities", {"id": "urn:ngsi-ld:Pole:1", "type": "Pole", "holds": {"object": LAMP}})
    answer = await api.get("/entities", type="Pole", join="inline", format="concise", headers={"Prefer": "ngsi-ld=1.7"})

    assert answer.status == 203
    assert answer.json[0]["holds"]["entity"]["kind"] == "led"


async def test_texts_are_in_root_collation_order(api):
    async def names(**parameters):
        answer = await api.get("/entities", type="Lamp", local="true", format="simplified", **parameters)
        return [entity["name"] for entity in answer.json]

    assert await names(orderBy="name") == ["A", "á", "b"]
    assert await names(orderBy="name;desc") == ["b", "á", "A"]
    assert await names(orderBy="id;desc") == ["á", "b", "A"]


async def test_contexts_belong_to_a_tenant(api):
    nowhere = {"NGSILD-Tenant": "common-nowhere"}
    for method, path in [("GET", "/jsonldContexts"), ("GET", "/jsonldContexts/x"), ("DELETE", "/jsonldContexts/x")]:
        answer = await api(method, path, headers=nowhere)
        assert (answer.status, answer.json["type"].rpartition("/")[2]) == (404, "NonexistentTenant")

    added = await api.post("/jsonldContexts", b'{"@context": {"lamp": "https://example.org/lamp"}}', headers=JSON)
    assert added.status == 201
    path = added.headers["Location"].removeprefix("/ngsi-ld/v1")
    assert (await api.get(path)).json == {"@context": {"lamp": "https://example.org/lamp"}}
    assert (await api.delete(path)).status == 204


async def test_a_context_can_be_added_as_json_ld_too(api):
    body = b'{"@context": {"a": "https://example.org/a"}, "id": "dropped"}'
    added = await api.post("/jsonldContexts", body, headers={"Content-Type": "application/ld+json"})

    path = added.headers["Location"].removeprefix("/ngsi-ld/v1")
    assert (await api.get(path)).json == {"@context": {"a": "https://example.org/a"}}


async def test_selectors_of_a_body_and_of_parameters(api):
    other = "^urn:ngsi-ld:Lamp:2$"
    selector = {"type": "Lamp", "id": LAMP, "idPattern": other}
    by_body = await api.post("/entityOperations/query", {"type": "Query", "entities": [selector]})
    by_parameters = await api.get("/entities", **selector)

    assert [entity["id"] for entity in by_body.json] == [LAMP]
    assert by_parameters.json == []
    refused = await api.post("/entityOperations/query", {"type": "Query", "entities": [{"id": LAMP}]}, local="true")
    assert refused.status == 400


@pytest.mark.parametrize(
    "parameters",
    [
        {"attrs": "createdAt"},
        {"attrs": "id,type", "type": "Lamp"},
        {"q": 'modifiedAt>"2020-01-01T00:00:00Z"'},
        {"type": "Lamp", "csf": "))bad(("},
        {"type": "Lamp", "orderBy": "id", "orderGeometry": "Circle"},
        {"type": "Lamp", "orderBy": "location;dist-asc"},
    ],
)
async def test_queries_that_are_no_queries(api, parameters):
    answer = await api.get("/entities", **parameters)

    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (400, "BadRequestData")


async def test_a_purge_by_attributes(api):
    bodies = [{"id": f"urn:ngsi-ld:Old:{n}", "type": "Old", **({"rust": n} if n else {})} for n in range(3)]
    assert (await api.post("/entityOperations/create", bodies)).status == 201
    assert (await api.delete("/entities", attrs="createdAt")).status == 400

    assert (await api.delete("/entities", attrs="rust")).status == 204

    assert [entity["id"] for entity in (await api.get("/entities", type="Old")).json] == ["urn:ngsi-ld:Old:0"]


async def test_names_of_members_cannot_name_types(api):
    for name in ("type", "id"):
        answer = await api.post("/entities", {"id": "urn:ngsi-ld:A:1", "type": name})
        assert (answer.status, answer.json["type"].rpartition("/")[2]) == (400, "BadRequestData")


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/entities", "keyValues,invalid"),
        ("GET", f"/entities/{LAMP}", "noOverwrite"),
        ("GET", f"/entities/{LAMP}", "concise,simplified"),
        ("PATCH", f"/entities/{LAMP}", "sysAttrs"),
        ("POST", f"/entities/{LAMP}/attrs", "replace"),
        ("POST", "/entityOperations/upsert", "noOverwrite"),
        ("POST", "/entityOperations/query", "update"),
        ("GET", "/subscriptions", "keyValues"),
    ],
)
async def test_options_that_are_for_other_operations(api, method, path, options):
    answer = await api(method, path, b"{}" if method != "GET" else None, headers=JSON, options=options)

    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (400, "InvalidRequest")


async def test_format_goes_before_options(api):
    answer = await api.get(f"/entities/{LAMP}", format="keyValues", options="normalized", pick="name")
    assert answer.json == {"name": "A"}

    body = {"name": {"type": "Property", "value": "A"}}
    assert (await api.patch(f"/entities/{LAMP}", body, format="normalized", options="keyValues")).status == 204
    assert (await api.get(f"/entities/{LAMP}", format="keyValues", pick="name")).json == {"name": "A"}


async def test_the_documentation_needs_nothing_from_the_internet(broker):
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{broker.url}/docs") as answer:
            page = await answer.text()
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert loaded
        for url in loaded:
            assert url.startswith("/")
            async with session.get(broker.url + url) as answer:
                assert answer.status == 200
