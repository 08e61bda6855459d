"""Freshness, revalidation and what survives a restart (GS CIM 009 v1.9.1, 5.13.1, 6.3.16; RFC 9111)."""

import pytest
from aiohttp import web

from broker.contexts import ContextSettings
from broker.contexts.freshness import lifetime
from broker.store.store import StoreUnavailable

NOW = 1_795_453_320.0
DATE = "Mon, 23 Nov 2026 17:02:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=300"}, 300),
        ({"Cache-Control": "public, max-age=300, s-maxage=600"}, 600),
        ({"Cache-Control": 'max-age="300"', "Age": "100"}, 200),
        ({"Cache-Control": "MAX-AGE=300", "Expires": DATE}, 300),
        ({"Cache-Control": "no-cache"}, 5),
        ({"Cache-Control": "no-store, max-age=300"}, 5),
        ({"Cache-Control": "max-age=soon"}, 5),
        ({"Expires": "Mon, 23 Nov 2026 18:02:00 GMT", "Date": DATE}, 3600),
        ({"Expires": "0"}, 5),
        ({"Last-Modified": "Mon, 23 Nov 2026 07:02:00 GMT", "Date": DATE}, 3600),
        ({"Last-Modified": "Mon, 23 Nov 2020 07:02:00 GMT", "Date": DATE}, 86_400),
        ({}, 1800),
    ],
)
def test_lifetimes(headers, seconds):
    assert lifetime(headers, NOW, ContextSettings(heuristic_lifetime=1800)) == seconds


def versions(server, headers, validator, asked_with):
    """A document whose content is `server.version` and that answers 304 to who has it."""

    async def answer(request):
        mark = f'"{server.version}"' if validator == "ETag" else DATE
        if request.headers.get(asked_with) == mark:
            return web.Response(status=304, headers=headers)
        body = {"@context": {"lamp": f"https://example.org/{server.version}/lamp"}}
        return web.json_response(body, headers=headers | {validator: mark})

    return answer


async def test_a_fresh_document_is_not_asked_for_again(contexts, server, clock):
    server.version = 1
    server.answers["/c"] = versions(server, {"Cache-Control": "max-age=100"}, "ETag", "If-None-Match")
    url = f"{server.url}/c"
    each = await contexts()
    first = await each.resolve("", url)

    clock.now += 99
    assert await each.resolve("", url) is first
    assert await each.resolve("", [url]) is not first
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("validator", "asked_with"), [("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")]
)
async def test_a_stale_document_is_revalidated(contexts, server, clock, validator, asked_with):
    server.version = 1
    server.answers["/c"] = versions(server, {"Cache-Control": "max-age=100"}, validator, asked_with)
    url = f"{server.url}/c"
    each = await contexts()
    first = await each.resolve("", url)

    clock.now += 101
    assert each.known("", url) is None
    assert await each.resolve("", url) is first, "unchanged: what is compiled stays"
    assert [asked_with in request.headers for request in server.asked] == [False, True]

    clock.now += 99
    assert each.known("", url) is None, "another worker may have reloaded it"
    assert await each.resolve("", url) is first
    assert len(server.asked) == 2


async def test_a_changed_document_replaces_what_was_made_of_it(contexts, server, clock):
    server.version = 1
    server.answers["/c"] = versions(server, {"Cache-Control": "max-age=100"}, "ETag", "If-None-Match")
    url = f"{server.url}/c"
    each = await contexts()
    await each.resolve("", [url, {}])

    server.version = 2
    clock.now += 101

    assert (await each.resolve("", [url, {}])).iri("lamp") == "https://example.org/2/lamp"


async def test_the_copy_is_used_while_its_server_is_away(contexts, server, clock):
    server.version = 1
    server.answers["/c"] = versions(server, {"Cache-Control": "max-age=100"}, "ETag", "If-None-Match")
    url = f"{server.url}/c"
    each = await contexts(retry_after=10.0)
    first = await each.resolve("", url)
    clock.now += 101
    server.answers["/c"] = None

    assert await each.resolve("", url) is first
    assert await each.resolve("", url) is first
    assert len(server.asked) == 2, "a server that fails is left alone for a while"

    server.version = 2
    server.answers["/c"] = versions(server, {}, "ETag", "If-None-Match")
    clock.now += 11
    assert (await each.resolve("", url)).iri("lamp") == "https://example.org/2/lamp"


async def test_a_restart_without_network(contexts, server, clock):
    server.version = 1
    server.answers["/c"] = versions(server, {"Cache-Control": "max-age=100"}, "ETag", "If-None-Match")
    url = f"{server.url}/c"
    await (await contexts()).resolve("", url)
    await server.stop()

    fresh = await (await contexts()).resolve("", url)
    clock.now += 1000
    stale = await (await contexts()).resolve("", url)

    assert fresh.iri("lamp") == stale.iri("lamp") == "https://example.org/1/lamp"


async def test_without_the_database_what_is_fetched_or_in_memory_still_serves(contexts_without_database, server, clock):
    server.answers["/c"] = {"@context": {"lamp": "https://example.org/lamp"}}
    each = contexts_without_database
    first = await each.resolve("", f"{server.url}/c")
    clock.now += 10_000
    server.answers["/c"] = None

    assert first.iri("lamp") == "https://example.org/lamp"
    assert await each.resolve("", f"{server.url}/c") is first
    with pytest.raises(StoreUnavailable):
        await each.resolve("", f"http://broker.example/ngsi-ld/v1/jsonldContexts/{'0' * 32}")


async def test_another_worker_sees_a_reload(contexts, server, clock):
    server.version = 1
    server.answers["/c"] = versions(server, {"Cache-Control": "max-age=10000"}, "ETag", "If-None-Match")
    url = f"{server.url}/c"
    one, other = await contexts(recheck=30.0), await contexts(recheck=30.0)
    await one.resolve("", url)
    await other.resolve("", url)

    server.version = 2
    await one.stored.delete("", url, reload=True)
    assert (await one.resolve("", url)).iri("lamp") == "https://example.org/2/lamp"
    assert (await other.resolve("", url)).iri("lamp") == "https://example.org/1/lamp"
    clock.now += 31

    assert (await other.resolve("", url)).iri("lamp") == "https://example.org/2/lamp"


async def test_what_is_used_the_least_leaves_the_database(contexts, server, clock):
    each = await contexts(max_cached=3)
    for n in range(5):
        server.answers[f"/{n}"] = {"@context": {"lamp": f"https://example.org/{n}"}}
        await each.resolve("", f"{server.url}/{n}")
        clock.now += 1

    kept = [url for url in await each.stored.list("", "Cached") if url.startswith(server.url)]

    assert kept == [f"{server.url}/{n}" for n in (2, 3, 4)]
