"""Adding, listing, serving, deleting and reloading stored @contexts (GS CIM 009 v1.9.1, 5.13, 6.29, 6.30)."""

import pytest

from ngsi_ld.context import CORE_URL

LAMP = {"@context": {"lamp": "https://example.org/lamp"}}
POLE = {"@context": {"pole": "https://example.org/pole"}}
CORE_V1_6 = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld"


def local(path):
    return path.rpartition("/")[2]


async def test_a_hosted_context_is_served_listed_and_used(contexts):
    each = await contexts()

    path = await each.stored.add("", LAMP | {"ignored": 1})

    assert path.startswith("/ngsi-ld/v1/jsonldContexts/")
    url = f"http://broker.example{path}"
    assert await each.stored.list("", "Hosted") == [url]
    assert await each.stored.serve("", local(path)) == LAMP
    assert (await each.resolve("", url)).iri("lamp") == "https://example.org/lamp"
    assert (await each.resolve("", f"http://other.name:1026{path}")).iri("lamp") == "https://example.org/lamp"


async def test_details(contexts):
    each = await contexts()
    path = await each.stored.add("", LAMP)

    details = await each.stored.serve("", local(path), details=True)

    assert details == {
        "URL": f"http://broker.example{path}",
        "localId": local(path),
        "kind": "Hosted",
        "createdAt": "2026-11-23T17:02:00.000Z",
        "numberOfHits": 0,
    }


async def test_every_use_is_a_hit(contexts, server, clock):
    server.answers["/c"] = LAMP
    url = f"{server.url}/c"
    each = await contexts()

    await each.resolve("", url)
    assert (await each.stored.serve("", url, details=True))["numberOfHits"] == 1
    clock.now += 1
    assert each.known("", url) is not None
    details = await each.stored.serve("", url, details=True)

    assert details["numberOfHits"] == 3
    assert details["lastUsage"] == "2026-11-23T17:02:01.000Z"
    assert details["expiresAt"] == "2026-11-23T18:02:00.000Z"


@pytest.mark.parametrize(
    ("body", "error", "named"),
    [
        ([], "InvalidRequest", "@context"),
        ({"lamp": "https://example.org/lamp"}, "InvalidRequest", "@context"),
        ({"@context": 42}, "BadRequestData", "42"),
        ({"@context": True}, "BadRequestData", "True"),
        ({"@context": ["https://example.org/c", 7]}, "BadRequestData", "7"),
        ({"@context": {"lamp": {"@id": "https://example.org/lamp", "@context": {}}}}, "BadRequestData", "'lamp'"),
    ],
)
async def test_what_is_no_context_is_not_stored(contexts, refused, body, error, named):
    each = await contexts()

    with refused(error, named):
        await each.stored.add("", body)
    assert await each.stored.list("", "Hosted") == []


async def test_what_an_added_context_refers_to_is_fetched_when_used(contexts, server):
    server.answers["/c"] = LAMP
    each = await contexts()
    path = await each.stored.add("", {"@context": [f"{server.url}/c", POLE["@context"]]})
    assert server.asked == []

    context = await each.resolve("", f"http://broker.example{path}")

    assert context.iri("lamp") == "https://example.org/lamp"
    assert f"{server.url}/c" in await each.stored.list("", "Cached")


async def test_deleting(contexts, refused):
    each = await contexts()
    path = await each.stored.add("", LAMP)
    aliases = [f"http://broker.example{path}", f"http://127.0.0.1:9{path}"]
    for alias in aliases:
        await each.resolve("", alias)

    await each.stored.delete("", local(path))

    for alias in aliases:
        with refused("LdContextNotAvailable"):
            await each.resolve("", alias)
    with refused("ResourceNotFound"):
        await each.stored.serve("", local(path))
    with refused("ResourceNotFound"):
        await each.stored.delete("", local(path))


async def test_another_worker_sees_a_deletion(contexts, clock, refused):
    one, other = await contexts(), await contexts()
    path = await one.stored.add("", LAMP)
    url = f"http://broker.example{path}"
    await other.resolve("", url)

    await one.stored.delete("", local(path))
    clock.now += 31

    with refused("LdContextNotAvailable", "no such context"):
        await other.resolve("", url)


async def test_a_hosted_context_is_of_its_tenant(contexts, refused):
    each = await contexts()
    path = await each.stored.add("fagnieres", LAMP)
    url = f"http://broker.example{path}"

    for tenant in ("chalons", ""):
        with refused("LdContextNotAvailable"):
            await each.resolve(tenant, url)
        with refused("ResourceNotFound"):
            await each.stored.delete(tenant, local(path))
        assert await each.stored.list(tenant, "Hosted") == []
    with refused("ResourceNotFound"):
        await each.stored.serve("chalons", local(path))

    assert (await each.resolve("fagnieres", url)).iri("lamp") == "https://example.org/lamp"
    assert each.known("chalons", url) is None
    assert await each.stored.list("fagnieres", "Hosted") == [url]
    assert await each.stored.serve("", local(path)) == LAMP, "who follows a link knows no tenant"
    await each.stored.delete("fagnieres", local(path))


async def test_a_hosted_context_of_the_default_tenant_is_not_another_one_s(contexts, refused):
    each = await contexts()
    path = await each.stored.add("", LAMP)

    with refused("ResourceNotFound"):
        await each.stored.serve("chalons", local(path))
    with refused("ResourceNotFound"):
        await each.stored.delete("chalons", local(path))
    assert await each.stored.serve("", local(path)) == LAMP


async def test_an_inline_context_is_hosted_for_a_link(contexts):
    each = await contexts()
    inline = await each.resolve("chalons", [LAMP["@context"], POLE["@context"]])

    url = await each.host("chalons", inline)

    assert url == await each.host("chalons", inline)
    assert await each.stored.list("chalons", "ImplicitlyCreated") == [url]
    assert await each.stored.serve("", local(url)) == {"@context": [LAMP["@context"], POLE["@context"]]}
    again = await each.resolve("chalons", url)
    assert again.iri("pole") == "https://example.org/pole"
    assert await each.host("chalons", again) == url
    assert await each.host("chalons", await each.resolve("chalons", None)) == CORE_URL
    await each.stored.delete("chalons", local(url))
    assert await each.host("chalons", inline) == url
    assert await each.stored.list("chalons", "ImplicitlyCreated") == [url]


async def test_a_cached_context_is_known_by_both_names_and_not_served(contexts, server, refused):
    server.answers["/c"] = LAMP
    url = f"{server.url}/c"
    each = await contexts()
    await each.resolve("chalons", url)

    details = await each.stored.serve("fagnieres", url, details=True)

    assert details["URL"] == url
    assert details["kind"] == "Cached"
    for name in (url, details["localId"]):
        with refused("OperationNotSupported", url):
            await each.stored.serve("", name)
    await each.stored.delete("", details["localId"])
    with refused("ResourceNotFound"):
        await each.stored.serve("", url, details=True)
    await each.resolve("", url)
    assert server.times("/c") == 2


async def test_a_reload_that_fails_keeps_what_is_there(contexts, server, refused):
    server.answers["/c"] = LAMP
    url = f"{server.url}/c"
    each = await contexts()
    await each.resolve("", url)

    for bad in ({"no": "context"}, {"@context": {"lamp": {"@id": "https://example.org/lamp", "@context": {}}}}):
        server.answers["/c"] = bad
        with refused("LdContextNotAvailable", url):
            await each.stored.delete("", url, reload=True)
    await server.stop()
    with refused("LdContextNotAvailable", url):
        await each.stored.delete("", url, reload=True)

    assert (await each.resolve("", url)).iri("lamp") == "https://example.org/lamp"
    await each.stored.delete("", url)


async def test_a_reload_takes_what_is_new(contexts, server):
    server.answers["/c"] = LAMP
    url = f"{server.url}/c"
    each = await contexts()
    await each.resolve("", url)
    server.answers["/c"] = POLE

    await each.stored.delete("", url, reload=True)

    assert (await each.resolve("", url)).iri("pole") == "https://example.org/pole"


async def test_only_what_is_cached_can_be_reloaded(contexts, refused):
    each = await contexts()
    path = await each.stored.add("", LAMP)

    with refused("BadRequestData", "Cached"):
        await each.stored.delete("", local(path), reload=True)
    with refused("BadRequestData", "Cached"):
        await each.stored.delete("", "wrong_id_context", reload=True)
    with refused("ResourceNotFound"):
        await each.stored.delete("", "wrong_id_context")


async def test_the_core_is_known_stays_and_needs_no_reload(contexts, refused):
    each = await contexts()

    assert (await each.stored.serve("", CORE_V1_6, details=True))["kind"] == "Cached"
    with refused("BadRequestData", "cannot be deleted"):
        await each.stored.delete("", CORE_V1_6)
    await each.stored.delete("", CORE_V1_6, reload=True)


async def test_kinds(contexts, refused):
    each = await contexts()
    path = await each.stored.add("", LAMP)

    with refused("BadRequestData", "'other'", "Hosted"):
        await each.stored.list("", "other")
    assert {entry["kind"] for entry in await each.stored.list("", details=True)} == {"Hosted", "Cached"}
    assert f"http://broker.example{path}" not in await each.stored.list("", "Cached")
