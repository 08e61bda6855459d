"""Fetching @context documents within limits (GS CIM 009 v1.9.1, 5.5.7, 6.3.2)."""

import asyncio
import gzip
import socket
import time

import orjson
import pytest
from aiohttp import web

from broker.contexts.addresses import AddressRefused, guarded_sockets

LAMP = {"@context": {"lamp": "https://example.org/lamp"}}


async def test_any_media_type_will_do_if_it_is_a_context(contexts, server):
    async def plain(request):
        return web.Response(body=b"\xef\xbb\xbf" + orjson.dumps(LAMP), content_type="text/plain")

    server.answers["/lamp"] = plain
    each = await contexts()

    assert (await each.resolve("", f"{server.url}/lamp")).iri("lamp") == "https://example.org/lamp"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "not JSON"),
        (b"[]", "not a JSON-LD context"),
        (b'{"lamp": 1}', "@context"),
        (b'{"@context": 5}', "5"),
    ],
)
async def test_what_is_no_context_is_bad_data(contexts, server, refused, body, told):
    async def answer(request):
        return web.Response(body=body, content_type="application/ld+json")

    server.answers["/c"] = answer
    each = await contexts()

    with refused("BadRequestData", told, f"{server.url}/c"):
        await each.resolve("", f"{server.url}/c")


async def test_an_error_of_its_server_is_told(contexts, server, refused):
    each = await contexts()

    with refused("LdContextNotAvailable", f"{server.url}/missing", "404"):
        await each.resolve("", f"{server.url}/missing")


async def test_nobody_listens(contexts, refused):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/c"
    each = await contexts()

    with refused("LdContextNotAvailable", url):
        await each.resolve("", url)


async def test_a_name_that_does_not_exist(contexts, refused):
    each = await contexts()

    with refused("LdContextNotAvailable", "nowhere.invalid"):
        await each.resolve("", "http://nowhere.invalid/c")


async def test_a_slow_server_is_given_up(contexts, server, refused):
    async def never(request):
        await asyncio.sleep(30)

    async def drip(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(300):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    server.answers |= {"/never": never, "/drip": drip}
    each = await contexts(timeout=0.4)
    began = time.monotonic()

    for path in ("/never", "/drip"):
        with refused("LdContextNotAvailable", "0.4 s"):
            await each.resolve("", f"{server.url}{path}")

    assert time.monotonic() - began < 3


async def test_a_huge_document_is_refused_even_if_it_comes_small(contexts, server, refused):
    async def packed(request):
        body = gzip.compress(orjson.dumps({"@context": {f"t{n}": "https://example.org/t" for n in range(20_000)}}))
        return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="application/json")

    server.answers["/huge"] = packed
    each = await contexts(max_bytes=100_000)

    with refused("LdContextNotAvailable", "larger than 100000 bytes"):
        await each.resolve("", f"{server.url}/huge")


async def test_redirects_end(contexts, server, refused):
    async def onward(request):
        raise web.HTTPFound(request.path)

    server.answers["/round"] = onward
    each = await contexts(max_redirects=3)

    with refused("LdContextNotAvailable", "more than 3 times"):
        await each.resolve("", f"{server.url}/round")
    assert len(server.asked) <= 4


async def test_a_failure_is_remembered_for_a_while(contexts, server, clock, refused):
    url = f"{server.url}/late"
    each = await contexts(retry_after=10.0)
    for _ in range(3):
        with refused("LdContextNotAvailable"):
            await each.resolve("", url)
    assert server.times("/late") == 1

    server.answers["/late"] = LAMP
    clock.now += 11

    assert (await each.resolve("", url)).iri("lamp") == "https://example.org/lamp"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1"])
async def test_private_addresses_are_out_of_reach(contexts, server, refused, host):
    server.answers["/c"] = LAMP
    port = server.url.rpartition(":")[2]
    each = await contexts(allowed_networks=())

    with refused("LdContextNotAvailable"):
        await each.resolve("", f"http://{host}:{port}/c")
    assert server.asked == []


async def test_a_redirect_to_a_private_address_is_not_followed(contexts, server, refused):
    port = server.url.rpartition(":")[2]

    async def inside(request):
        raise web.HTTPFound(f"http://127.0.0.2:{port}/c")

    server.answers |= {"/away": inside, "/c": LAMP}
    each = await contexts(allowed_networks=("127.0.0.1/32",))

    with refused("LdContextNotAvailable", "127.0.0.2 is not a public address"):
        await each.resolve("", f"{server.url}/away")
    assert server.times("/c") == 0


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "0.0.0.0"),
        *("fe80::1%eth0", "fd00::1", "::", "ff02::1", "64:ff9b::a00:1", "2002:a00:1::", "::ffff:10.0.0.1"),
    ],
)
def test_what_is_not_the_open_internet(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with pytest.raises(AddressRefused):
        guarded_sockets(())((family, socket.SOCK_STREAM, 6, "", (address, 80)))


@pytest.mark.parametrize("address", ["185.199.108.133", "2606:50c0:8000::153", "64:ff9b::b9c7:6c85"])
def test_the_open_internet(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    guarded_sockets(())((family, socket.SOCK_STREAM, 6, "", (address, 80))).close()


def test_an_allowed_network():
    guarded_sockets(("10.1.0.0/16",))((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.1.2.3", 80))).close()
    with pytest.raises(ValueError, match="has host bits set"):
        guarded_sockets(("10.1.0.0/8",))
