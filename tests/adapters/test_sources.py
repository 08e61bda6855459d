"""Where records come from: pages and cursors, tokens, event streams, WebSockets, dropped files, recorded feeds."""

import asyncio
import json
import os
import time

import pytest
from aiohttp import web

from adapters.decoding import open_decoder
from adapters.definition import load
from adapters.errors import DefinitionError
from adapters.sources.opening import open_source
from tests.adapters.peer import dead_letters, until

THING = {
    "id": "urn:ngsi-ld:Thing:{id}",
    "type": "Thing",
    "observedAt": "time",
    "attributes": {"n": {"value": "n", "type": "number"}},
}


def record(number, **more):
    return {"id": str(number), "n": number, **more}


@pytest.fixture
def takes(adapter_file, adapter):
    """Starts an adapter with a source; further members of its file may be given."""

    def start(source, **members):
        return adapter(adapter_file({"source": source, "entities": {"thing": THING}, **members}))

    return start


def numbers(peer):
    return sorted(entity["n"]["value"] for entity in peer.entities.values())


# pages


async def test_pages_by_an_expression_of_the_page(vendor, takes, peer):
    def items(request):
        at = int(request.query.get("skip", "0"))
        following = f"{vendor.url}/items?skip={at + 2}" if at < 4 else None
        return web.json_response({"value": [record(at), record(at + 1)], "@next": following})

    await vendor.serve(items=items)
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 1, "page": {"next": '"@next"'}}

    assert await takes(source, records="value").ended() == 0

    assert numbers(peer) == [0, 1, 2, 3, 4, 5]


async def test_pages_by_a_cursor(vendor, takes, peer):
    def items(request):
        assert request.query["kind"] == "all"
        at = int(request.query.get("after", "0"))
        return web.json_response({"items": [record(at)], "meta": {"cursor": at + 1 if at < 2 else None}})

    await vendor.serve(items=items)
    source = {
        "kind": "http_poll",
        "url": f"{vendor.url}/items",
        "times": 1,
        "parameters": {"kind": "all"},
        "page": {"cursor": "meta.cursor", "parameter": "after"},
    }

    assert await takes(source, records="items").ended() == 0

    assert numbers(peer) == [0, 1, 2]


async def test_pages_by_the_header_link(vendor, takes, peer):
    def items(request):
        at = int(request.query.get("at", "0"))
        link = {"Link": f'</items?at={at + 1}>; rel="next"'} if at < 2 else {}
        return web.json_response([record(at)], headers=link)

    await vendor.serve(items=items)
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 1, "page": {"link": True}}

    assert await takes(source).ended() == 0

    assert numbers(peer) == [0, 1, 2]


async def test_pages_counted_until_one_is_empty(vendor, takes, peer):
    def items(request):
        at = int(request.query["page"])
        return web.json_response([record(at)] if at < 4 else [])

    await vendor.serve(items=items)
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 1, "page": {"number": "page"}}

    assert await takes(source).ended() == 0

    assert numbers(peer) == [1, 2, 3]


async def test_a_next_page_on_another_server_is_not_asked(vendor, takes, peer, tmp_path):
    await vendor.serve(items=lambda request: web.json_response({"value": [record(1)], "next": "http://127.0.0.1:1/x"}))
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "page": {"next": "next"}}

    takes(source, records="value")

    await until(lambda: "on another server" in (tmp_path / "adapter.log").read_text())
    await peer.holds(1)
    assert numbers(peer) == [1]


async def test_a_poll_asks_for_what_came_after_the_last_even_after_a_restart(vendor, takes, peer):
    asked = []

    def items(request):
        asked.append(request.query.get("since"))
        return web.json_response([record(1, time="2026-11-20T10:00:00Z"), record(2, time="2026-11-20T11:00:00Z")])

    await vendor.serve(items=items)
    since = {"parameter": "since", "value": "max([].time)", "template": "gt {}"}
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 2, "interval": 0.05, "since": since}

    assert await takes(source).ended() == 0
    assert await takes(source).ended() == 0

    assert asked == [None, *["gt 2026-11-20T11:00:00Z"] * 3]


async def test_numbers_count_as_numbers_in_what_a_poll_asks_for(vendor, takes, peer):
    asked = []

    def items(request):
        asked.append(request.query.get("after"))
        return web.json_response([record(9 if len(asked) == 1 else 10)])

    await vendor.serve(items=items)
    since = {"parameter": "after", "value": "max([].n)"}
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 3, "interval": 0.05, "since": since}

    assert await takes(source).ended() == 0

    assert asked == [None, "9", "10"]


# who asks


@pytest.mark.parametrize("in_body", [False, True])
async def test_oauth2_a_token_is_fetched_kept_and_fetched_again_when_refused(vendor, takes, peer, in_body):
    tokens = []

    async def token(request):
        form = await request.post()
        assert form["grant_type"] == "client_credentials"
        assert form["scope"] == "read"
        if in_body:
            assert (form["client_id"], form["client_secret"]) == ("city", "secret")
        else:
            assert request.headers["Authorization"] == "Basic Y2l0eTpzZWNyZXQ="
        tokens.append(f"t{len(tokens)}")
        return web.json_response({"access_token": tokens[-1], "token_type": "Bearer", "expires_in": 3600})

    polls = []

    def items(request):
        polls.append(request.headers["Authorization"])
        if polls[-1] == "Bearer t0" and len(polls) > 2:
            return web.Response(status=401)
        return web.json_response([record(len(polls))])

    await vendor.serve(token=token, items=items)
    oauth2 = {
        "token_url": f"{vendor.url}/token",
        "client_id": "city",
        "client_secret": "secret",
        "scope": "read",
        "in_body": in_body,
    }
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 3, "interval": 0.05, "retry_first": 0.05}

    assert await takes({**source, "oauth2": oauth2}).ended() == 0

    assert polls == ["Bearer t0", "Bearer t0", "Bearer t0", "Bearer t1"]


async def test_an_api_key_is_a_header_or_a_parameter(vendor, takes, peer):
    def items(request):
        assert request.headers["X-API-Key"] == request.query["key"] == "k"
        return web.json_response([record(1)])

    await vendor.serve(items=items)
    source = {"kind": "http_poll", "url": f"{vendor.url}/items", "times": 1, "headers": {"X-API-Key": "k"}}

    assert await takes({**source, "parameters": {"key": "k"}}).ended() == 0

    assert numbers(peer) == [1]


# streams


async def test_server_sent_events_go_on_after_the_last_that_is_safe(vendor, takes, peer, tmp_path):
    asked = []

    async def events(request):
        asked.append(request.headers.get("Last-Event-ID"))
        after = int(asked[-1] or 0)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        first, second = json.dumps(record(after + 1)), json.dumps(record(after + 2), indent=1).replace("\n", "\ndata: ")
        await response.write(f": hello\r\n\r\nevent: log\ndata: nothing\n\nid: {after + 1}\ndata: {first}\n\n".encode())
        await response.write(f"id: {after + 2}\rdata: {second}\r\r".encode())
        return response

    await vendor.serve(events=events)
    source = {"kind": "sse", "url": f"{vendor.url}/events", "events": ["message"], "retry_first": 0.05}

    process = takes(source)
    await peer.holds(4)
    await process.stop()
    last = int((tmp_path / "state/test/last-event-id").read_text())
    takes(source)
    await until(lambda: len(peer.entities) > last)

    assert asked[0] is None
    assert asked[1] == "2"
    assert str(last) in asked
    assert not dead_letters(tmp_path / "state/test")


async def test_a_websocket_is_told_what_to_send_and_opened_again(vendor, takes, peer, tmp_path):
    heard = []

    async def socket(request):
        assert request.headers["X-Key"] == "k"
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        heard.append(await connection.receive_json())
        count = len(heard)
        await connection.send_json(record(count))
        await connection.send_bytes(json.dumps(record(count + 10)).encode())
        await connection.send_str("no json")
        await asyncio.sleep(0.1)
        await connection.close()
        return connection

    await vendor.serve(socket=socket)
    url = f"ws://127.0.0.1:{vendor.port}/socket"
    source = {"kind": "websocket", "url": url, "headers": {"X-Key": "k"}, "send": [{"subscribe": "all"}]}

    takes({**source, "retry_first": 0.05})

    await peer.holds(4)
    assert heard[:2] == [{"subscribe": "all"}] * 2
    assert numbers(peer)[:2] == [1, 2]
    await until(lambda: dead_letters(tmp_path / "state/test"))
    assert dead_letters(tmp_path / "state/test")[0]["record"] == "no json"


# files


def drop(folder, name, text, age=60):
    file = folder / name
    file.write_text(text)
    os.utime(file, (time.time() - age, time.time() - age))
    return file


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({"kind": "csv"}, "id;n\n1;1\n2;2\n"),
        ({"kind": "json"}, json.dumps([record(1), record(2)])),
        ({"kind": "ndjson"}, json.dumps(record(1)) + "\n" + json.dumps(record(2))),
        ({"kind": "xml", "record": "r"}, "<l><r><id>1</id><n>1</n></r><r><id>2</id><n>2</n></r></l>"),
    ],
)
async def test_a_dropped_file_is_taken_and_moved(inbox, takes, peer, form, text):
    file = drop(inbox, "feed", text)

    takes({"kind": "folder", "path": str(inbox), "interval": 0.05}, format=form)

    await peer.holds(2)
    await until(lambda: (inbox / "done/feed").exists())
    assert not file.exists()
    drop(inbox, "feed", text.replace("2", "3"))
    await peer.holds(3)
    await until(lambda: len(list((inbox / "done").iterdir())) == 2)


async def test_a_file_that_cannot_be_read_is_set_apart_and_one_still_written_is_left(inbox, takes, peer, tmp_path):
    drop(inbox, "a.csv", "id,n\n1,1\n2,2,2\n3,3\n")
    drop(inbox, "b.csv", 'id,n\n4,4\n5,"5')
    fresh = drop(inbox, "c.csv", "id,n\n9,9\n", age=0)
    (inbox / "other.txt").write_text("")

    source = {"kind": "folder", "path": str(inbox), "pattern": "*.csv", "interval": 0.05, "quiet": 30}
    takes(source, format="csv")

    await until(lambda: (inbox / "failed/b.csv").exists())
    await until(lambda: numbers(peer) == [1, 3, 4])
    reasons = [letter["reason"] for letter in dead_letters(tmp_path / "state/test")]
    assert reasons[0] == "line 3 has 3 cells and there are 2 columns"
    assert "is not CSV" in reasons[1]
    assert fresh.exists()
    assert (inbox / "other.txt").exists()


async def test_kill_9_between_files_loses_none(inbox, takes, peer):
    for number in range(40):
        drop(inbox, f"{number:02}.json", json.dumps([record(number * 100 + each) for each in range(20)]), 100 - number)
    source = {"kind": "folder", "path": str(inbox), "interval": 0.05}
    for wanted in (100, 300):
        process = takes(source)
        await peer.holds(wanted)
        process.kill()

    takes(source)

    await peer.holds(800)
    await until(lambda: len(list((inbox / "done").iterdir())) == 40)


async def test_a_recorded_feed_passes_as_its_times_say_times_the_speed(tmp_path, takes, peer):
    feed = tmp_path / "feed.ndjson"
    times = ["10:00:00", "10:00:00", "10:10:00", "10:20:00"]
    lines = [record(n, time=f"2026-11-20T{each}Z") for n, each in enumerate(times)]
    feed.write_text("\n".join(json.dumps(line) for line in lines))
    source = {"kind": "file", "path": str(feed), "lines": True, "time": "time", "speed": 1000}
    began = time.monotonic()

    assert await takes(source).ended() == 0

    assert 1.2 < time.monotonic() - began < 8
    assert numbers(peer) == [0, 1, 2, 3]
    assert max(entity["n"]["observedAt"] for entity in peer.entities.values()) == "2026-11-20T10:20:00Z"


# what is not right


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"kind": "http_poll", "url": "http://x", "page": {}}, "source.page: must have one of next, cursor, link"),
        ({"kind": "http_poll", "url": "http://x", "page": {"cursor": "a"}}, "source.page.parameter: is missing"),
        (
            {
                "kind": "http_poll",
                "url": "http://x",
                "basic": {"username": "a", "password": "b"},
                "oauth2": {"token_url": "http://x", "client_id": "a", "client_secret": "b"},
            },
            "has both oauth2 and basic",
        ),
        ({"kind": "sse", "url": "ftp://x"}, "source.url: must be a URL that begins with http://"),
        ({"kind": "websocket", "url": "x"}, "source.url: must be a URL that begins with ws://"),
        ({"kind": "folder", "path": "/nowhere"}, "source.path: there is no folder /nowhere"),
        ({"kind": "folder", "path": "/tmp", "failed": ""}, "source.failed: must name a folder"),
        ({"kind": "file", "path": "/etc/hosts", "speed": 2}, "source.time: is missing"),
    ],
)
async def test_a_source_that_is_not_right_is_told_before_it_runs(adapter_file, tmp_path, source, told):
    definition = load(adapter_file({"source": source, "entities": {"thing": THING}}))

    with pytest.raises(DefinitionError) as raised:
        open_source(definition, open_decoder(definition.format, "test"), tmp_path)

    assert told in str(raised.value)
