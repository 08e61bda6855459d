"""`GET /subscriptions/{id}/events`: a subscription followed as Server-Sent Events, across the death of the broker."""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import aiohttp
import orjson
import pytest

from tests.conftest import Broker

SIZE, STREAMS = 100, 3
OPTIONS = {"--events-size": SIZE, "--events-streams": STREAMS, "--events-heartbeat": 0.5, "--events-patience": 0.5}


@dataclass
class Following:
    """One stream: its response and where it has come to, as an EventSource keeps it."""

    response: aiohttp.ClientResponse
    last_id: str = ""

    async def blocks(self):
        """The blocks of lines, as dictionaries of their fields; comments have no name."""
        block = {}
        async for line in self.response.content:
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                block[name] = value
                continue
            self.last_id = block.get("id", self.last_id)
            yield block
            block = {}

    async def events(self, count, seconds=10.0):
        """The next so many events."""
        found = []
        async with asyncio.timeout(seconds):
            async for block in self.blocks():
                if "data" in block:
                    found.append((block.get("event"), orjson.loads(block["data"])))
                    if len(found) == count:
                        return found
        raise AssertionError(f"the stream ended after {len(found)} events")

    async def ready(self):
        """Waits for its first block."""
        async with asyncio.timeout(10):
            async for _ in self.blocks():
                return


@dataclass
class Client:
    """What a test writes and follows: entities of a type of its own."""

    session: aiohttp.ClientSession
    url: str
    type: str = field(default_factory=lambda: f"T{uuid4().hex}")

    async def subscribe(self, endpoint="sse:events"):
        notification = {"endpoint": {"uri": endpoint}, "format": "simplified"}
        body = {"type": "Subscription", "entities": [{"type": self.type}], "notification": notification}
        async with self.session.post(f"{self.url}/ngsi-ld/v1/subscriptions", json=body) as answer:
            assert answer.status == 201, await answer.text()
            return answer.headers["location"].rpartition("/")[2]

    async def write(self, value):
        body = [{"id": f"urn:ngsi-ld:{self.type}:1", "type": self.type, "speed": {"type": "Property", "value": value}}]
        async with self.session.post(f"{self.url}/ngsi-ld/v1/entityOperations/upsert", json=body) as answer:
            assert answer.status in (201, 204), await answer.text()

    @contextlib.asynccontextmanager
    async def following(self, subscription, last_id="", **headers):
        if last_id:
            headers["Last-Event-ID"] = last_id
        url = f"{self.url}/ngsi-ld/v1/subscriptions/{subscription}/events"
        async with self.session.get(url, headers={"Accept": "text/event-stream", **headers}) as response:
            assert response.status == 200, await response.text()
            yield Following(response)


def values(events):
    return [entity["speed"] for _, notification in events for entity in notification["data"]]


@pytest.fixture(scope="module")
async def shared():
    """A broker for the tests that do not end it, with little patience."""
    with tempfile.TemporaryDirectory(prefix="beffroi-events-") as directory:
        one = Broker(Path(directory), options=tuple(str(word) for pair in OPTIONS.items() for word in pair))
        await one.start()
        try:
            yield one
        finally:
            await one.stop()


@pytest.fixture
async def client(shared):
    async with aiohttp.ClientSession() as session:
        yield Client(session, shared.url)


@pytest.fixture
async def own(own_broker):
    """A client of a broker that the test may end."""
    async with aiohttp.ClientSession() as session:
        yield Client(session, own_broker.url)


async def test_a_browser_follows_a_subscription(client):
    subscription = await client.subscribe()
    async with client.following(subscription, Origin="https://map.example") as one:
        assert one.response.headers["content-type"] == "text/event-stream"
        assert one.response.headers["access-control-allow-origin"] == "*"
        await one.ready()

        await client.write(1)
        [(name, notification)] = await one.events(1)

    assert name is None
    assert notification["type"] == "Notification"
    assert notification["subscriptionId"] == subscription
    assert notification["data"] == [{"id": f"urn:ngsi-ld:{client.type}:1", "type": client.type, "speed": 1}]
    assert "@context" in notification


async def test_who_comes_back_misses_nothing_even_after_kill_9(own, own_broker):
    subscription = await own.subscribe()
    async with own.following(subscription) as one:
        await one.ready()
        for value in range(10):
            await own.write(value)
        seen = await one.events(4)
        assert values(seen) == [0, 1, 2, 3]
    await own.write(10)
    await own_broker.kill()
    await own_broker.start()
    await own.write(11)

    async with own.following(subscription, one.last_id) as two:
        while values(seen)[-1] != 11:
            seen += await two.events(1)

    # A crash may repeat some, with the same id.
    first_arrivals = {}
    for event in seen:
        first_arrivals.setdefault(event[1]["id"], event)
    assert values(first_arrivals.values()) == list(range(12))


async def test_what_its_endpoint_took_is_kept_for_who_follows(client, receiver):
    subscription = await client.subscribe(receiver.url)
    async with client.following(subscription) as one:
        await one.ready()
        place = one.last_id
    await client.write(1)
    await client.write(2)
    await receiver.until(2)

    async with client.following(subscription, place) as two:
        assert values(await two.events(2)) == [1, 2]


async def test_two_follow_and_all_that_is_kept_can_be_had(client):
    subscription = await client.subscribe()
    async with client.following(subscription) as one, client.following(subscription) as two:
        await one.ready()
        await two.ready()
        await client.write(1)
        assert values(await one.events(1)) == values(await two.events(1)) == [1]

    async with client.following(subscription, "0") as late:
        assert values(await late.events(1)) == [1]


async def test_a_gap_is_told(client):
    subscription = await client.subscribe()
    async with client.following(subscription) as one:
        await one.ready()
        await client.write(0)
        await one.events(1)
    for value in range(1, SIZE + 50):
        await client.write(value)
    await asyncio.sleep(1.0)

    async with client.following(subscription, one.last_id) as two:
        (name, told), *rest = await two.events(SIZE - 1)

    assert (name, told["after"]) == ("gap", one.last_id)
    kept = values(rest)
    assert kept == list(range(kept[0], kept[0] + SIZE - 2))
    assert kept[0] > 20


async def test_a_quiet_stream_says_so_and_moves_its_place_and_ends_with_its_subscription(client):
    subscription = await client.subscribe()
    async with client.following(subscription) as one:
        async with asyncio.timeout(5):
            blocks = one.blocks()
            assert "retry" in await anext(blocks)
            assert (await anext(blocks)).keys() == {"", "id"}

        async with client.session.delete(f"{client.url}/ngsi-ld/v1/subscriptions/{subscription}") as answer:
            assert answer.status == 204
        async with asyncio.timeout(5):
            while await one.response.content.readline():
                pass

    async with client.session.get(f"{client.url}/ngsi-ld/v1/subscriptions/{subscription}/events") as answer:
        assert answer.status == 404


async def test_a_broker_that_ends_does_not_wait_for_its_streams(own, own_broker):
    subscription = await own.subscribe()
    async with own.following(subscription) as one:
        await one.ready()
        async with asyncio.timeout(8):
            await own_broker.stop()


async def test_too_many_streams_and_false_places_are_refused(client):
    subscription = await client.subscribe()
    url = f"{client.url}/ngsi-ld/v1/subscriptions/{subscription}/events"
    async with client.session.get(url, headers={"Last-Event-ID": "yesterday"}) as answer:
        assert answer.status == 400
        assert "Last-Event-ID" in (await answer.json(content_type=None))["detail"]

    async with contextlib.AsyncExitStack() as stack:
        for _ in range(STREAMS):
            await (await stack.enter_async_context(client.following(subscription))).ready()
        async with client.session.get(url) as answer:
            assert answer.status == 503
            assert "retry-after" in answer.headers
    await asyncio.sleep(0.5)
    async with client.following(subscription) as again:
        await again.ready()


async def test_a_client_that_does_not_read_is_dropped_and_keeps_its_place(shared, client):
    subscription = await client.subscribe()
    reader, writer = await asyncio.open_connection("127.0.0.1", shared.port, limit=1024)
    path = f"/ngsi-ld/v1/subscriptions/{subscription}/events"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n".encode())
    head = (await reader.readuntil(b"following\n\n")).decode()
    place = next(line for line in head.splitlines() if line.startswith("id: "))[4:]
    writer.transport.pause_reading()

    for value in range(60):
        await client.write([value, "x" * 500_000])

    async with asyncio.timeout(20):
        while "does not take" not in shared.log():  # noqa: ASYNC110 - a file
            await asyncio.sleep(0.2)
    writer.transport.abort()
    async with client.following(subscription, place) as two:
        assert [value[0] for value in values(await two.events(60, 20.0))] == list(range(60))
