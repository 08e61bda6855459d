"""Resolving @context values: URLs, arrays, objects, the default (GS CIM 009 v1.9.1, 5.5.5, 5.5.7, 6.3.5)."""

import asyncio

from aiohttp import web

from ngsi_ld.context import CORE, CORE_URL

DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
LAMP = {"@context": {"lamp": "https://example.org/lamp"}}


async def test_a_url_is_fetched_once_and_known_from_then_on(contexts, server):
    server.answers["/lamp.jsonld"] = LAMP
    url = f"{server.url}/lamp.jsonld"
    each = await contexts()

    assert each.known("", url) is None
    context = await each.resolve("", url)

    assert context.iri("lamp") == "https://example.org/lamp"
    assert context.link == context.source == url
    assert each.known("", url) is context
    assert await each.resolve("other", url) is context
    assert server.times("/lamp.jsonld") == 1
    assert "application/ld+json" in server.asked[0].headers["Accept"]


async def test_without_a_context_it_is_the_core(contexts):
    each = await contexts()

    assert each.known("", None) is CORE
    assert await each.resolve("", None) is CORE


async def test_the_core_is_never_fetched(contexts):
    each = await contexts()

    context = await each.resolve("", ["http://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.jsonld", CORE_URL])

    assert context.iri("value") == "https://uri.etsi.org/ngsi-ld/hasValue"


async def test_an_operator_may_give_a_default(contexts, server):
    server.answers["/lamp.jsonld"] = LAMP
    each = await contexts(default=f"{server.url}/lamp.jsonld")

    assert each.known("", None) is None
    context = await each.resolve("", None)

    assert context.iri("lamp") == "https://example.org/lamp"
    assert context.link == f"{server.url}/lamp.jsonld"
    assert each.known("", None) is context


async def test_arrays_and_objects_are_known_by_their_content(contexts, server):
    server.answers["/lamp.jsonld"] = LAMP
    each = await contexts()

    context = await each.resolve("", [f"{server.url}/lamp.jsonld", {"pole": "https://example.org/pole"}])

    assert context.iri("lamp") == "https://example.org/lamp"
    assert context.iri("pole") == "https://example.org/pole"
    assert context.iri("other") == f"{DEFAULT}other"
    assert context.link is None
    assert each.known("", [f"{server.url}/lamp.jsonld", {"pole": "https://example.org/pole"}]) is context
    assert each.known("", [f"{server.url}/lamp.jsonld", {"pole": "https://example.org/other"}]) is None


async def test_documents_refer_to_others_relative_to_where_they_are(contexts, server):
    async def moved(request):
        raise web.HTTPFound("/a/all.jsonld")

    server.answers["/all.jsonld"] = moved
    server.answers["/a/all.jsonld"] = {"@context": ["lamp.jsonld", {"@import": "../pole.jsonld"}, CORE_URL]}
    server.answers["/a/lamp.jsonld"] = LAMP
    server.answers["/pole.jsonld"] = {"@context": {"pole": "https://example.org/pole"}}
    each = await contexts()

    context = await each.resolve("", f"{server.url}/all.jsonld")

    assert context.iri("lamp") == "https://example.org/lamp"
    assert context.iri("pole") == "https://example.org/pole"


async def test_many_ask_at_once_and_one_fetches(contexts, server):
    async def slow(request):
        await asyncio.sleep(0.2)
        return web.json_response(LAMP)

    server.answers["/lamp.jsonld"] = slow
    url = f"{server.url}/lamp.jsonld"
    each = await contexts()

    leaver = asyncio.create_task(each.resolve("", url))
    await asyncio.sleep(0.05)
    leaver.cancel()
    answers = await asyncio.gather(*(each.resolve(f"t{n % 3}", [url] if n % 2 else url) for n in range(20)))

    assert {answer.iri("lamp") for answer in answers} == {"https://example.org/lamp"}
    assert server.times("/lamp.jsonld") == 1


async def test_a_circle_is_refused(contexts, server, refused):
    server.answers["/1.jsonld"] = {"@context": [f"{server.url}/2.jsonld"]}
    server.answers["/2.jsonld"] = {"@context": [f"{server.url}/1.jsonld"]}
    each = await contexts()

    with refused("BadRequestData", "circle", "/2.jsonld"):
        await each.resolve("", f"{server.url}/1.jsonld")


async def test_endless_depth_is_refused(contexts, server, refused):
    async def deeper(request):
        return web.json_response({"@context": [f"{request.path}x"]})

    server.answers = {f"/{'x' * n}": deeper for n in range(50)}
    each = await contexts()

    with refused("BadRequestData", "8 deep"):
        await each.resolve("", f"{server.url}/x")
    assert len(server.asked) == 9


async def test_too_many_documents_are_refused_before_they_are_fetched(contexts, server, refused):
    each = await contexts(max_documents=3)

    with refused("BadRequestData", "more than 3 documents"):
        await each.resolve("", [f"{server.url}/{n}" for n in range(4)])
    assert server.asked == []


async def test_a_scoped_context_in_a_document_is_refused_by_name(contexts, server, refused):
    server.answers["/c"] = {"@context": {"lamp": {"@id": "https://example.org/lamp", "@context": {}}}}
    each = await contexts()

    with refused("BadRequestData", "'lamp'", f"{server.url}/c"):
        await each.resolve("", f"{server.url}/c")


async def test_a_relative_url_is_refused(contexts, refused):
    each = await contexts()

    with refused("BadRequestData", "lamp.jsonld"):
        await each.resolve("", "lamp.jsonld")


async def test_memory_is_bounded(contexts):
    each = await contexts(memory_terms=1000)

    for n in range(10):
        await each.resolve("", {f"t{i}": f"https://example.org/{n}/{i}" for i in range(200)})

    assert each.known("", {f"t{i}": f"https://example.org/0/{i}" for i in range(200)}) is None
    assert each.known("", {f"t{i}": f"https://example.org/9/{i}" for i in range(200)}) is not None
