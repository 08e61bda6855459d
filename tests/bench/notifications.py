"""Notifications: latency from a write's start to its arrival, sustained rate, fan-out, memory, dead endpoints.

    .venv/bin/python -m tests.bench.notifications [--seconds 5] [--count 20000] [--mongo-uri URI]

Three processes besides MongoDB: this one writes through the store, one follows the change log and sends, one receives.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import psutil
import uvloop
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

from broker.changelog.log import ChangeLog
from broker.changelog.position import Lease
from broker.changelog.position import now as cluster_now
from broker.contexts import Contexts, ContextSettings
from broker.embedded import EmbeddedMongo
from broker.notifications.notifier import Notifier
from broker.operations.subscriptions import Subscriptions
from broker.store.mongo import MongoStore
from broker.store.tenants import database_name
from ngsi_ld.context import CORE
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.entity import Entity

_VALUE = re.compile(rb'"speed":(?:\{"type":"Property","value":)?(\d+)')
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_ENTITIES = 500
_ENDPOINTS = 100
_DEAD = 10


class Receiving(asyncio.Protocol):
    """The cheapest HTTP server that can tell when what arrived: the value of `speed` is when it was written."""

    latencies: list[int] = []  # noqa: RUF012 - of the process

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            if head.startswith(b"GET"):
                body = json.dumps(Receiving.latencies).encode()
                Receiving.latencies = []
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                self.buffer = self.buffer[end + 4 :]
                continue
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            now = time.monotonic_ns()
            Receiving.latencies += [now - int(value) for value in _VALUE.findall(body)]
            self.transport.write(_ANSWER)


async def receive() -> None:
    """Serves so many endpoints that answer, and a last one that takes requests and never does."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Receiving, "127.0.0.1", 0) for _ in range(_ENDPOINTS)]
    servers.append(await loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def parts(uri: str):
    async with AsyncMongoClient(uri) as client:
        contexts = Contexts(ContextSettings(), lambda tenant: client[database_name(tenant)])
        await contexts.start()
        store = MongoStore(client)
        yield client, store, contexts
        await contexts.close()


async def follow(uri: str) -> None:
    async with parts(uri) as (client, store, contexts), AsyncMongoClient(uri, document_class=RawBSONDocument) as raw:
        log = ChangeLog(client, [Notifier(client, store, contexts)], stream_client=raw)
        await log.start()
        print("started", flush=True)
        await asyncio.Event().wait()


@asynccontextmanager
async def process(*arguments: str):
    one = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.notifications", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield one, (await one.stdout.readline()).decode().strip()
    finally:
        one.kill()
        await one.wait()


class Bench:
    def __init__(self, client, store, subscriptions, url: str, follower: psutil.Process) -> None:
        self.client, self.store, self.subscriptions = client, store, subscriptions
        self.url, self.follower = url, follower
        self.session = aiohttp.ClientSession()

    async def subscribe(self, count: int, type_name: str, url: str | None = None) -> list[str]:
        body = {
            "type": "Subscription",
            "entities": [{"type": type_name}],
            "watchedAttributes": ["speed"],
            "notification": {"endpoint": {"uri": url or self.url}},
        }
        now = format_date_time(datetime.now(UTC))
        made = []
        for start in range(0, count, 200):
            made += await asyncio.gather(
                *[self.subscriptions.create("", body, CORE, now) for _ in range(start, min(count, start + 200))]
            )
        return made

    async def subscribe_each(self, urls: list[str], type_name: str) -> list[str]:
        """One subscription an endpoint, each to entities of its own."""
        now = format_date_time(datetime.now(UTC))
        made = []
        for number, url in enumerate(urls):
            ids = [f"urn:ngsi-ld:{type_name}:{one}" for one in range(number, _ENTITIES, len(urls))]
            body = {
                "type": "Subscription",
                "entities": [{"type": type_name, "id": one} for one in ids],
                "notification": {"endpoint": {"uri": url}},
            }
            made.append(await self.subscriptions.create("", body, CORE, now))
        return made

    async def caught_up(self) -> None:
        """Waits until the follower has handled all that was written."""
        written, lease = await cluster_now(self.client), Lease(self.client)
        while ((await lease.read()) or {}).get("clusterTime", written) < written:  # noqa: ASYNC110 - it is in MongoDB
            await asyncio.sleep(0.1)

    async def drop(self, subscriptions: list[str]) -> None:
        for start in range(0, len(subscriptions), 200):
            await asyncio.gather(*[self.subscriptions.delete("", one) for one in subscriptions[start : start + 200]])

    async def write(self, number: int, type_name: str = "Vehicle") -> None:
        entity = vehicle(number, type_name)
        await self.store.mutate("", entity.id, lambda before: entity)

    async def taken(self) -> list[float]:
        """Latencies in milliseconds since the last time."""
        async with self.session.get(self.url) as response:
            return [nanoseconds / 1e6 for nanoseconds in await response.json(content_type=None)]

    async def arrived(self, count: int, seconds: float = 120.0) -> list[float]:
        got: list[float] = []
        async with asyncio.timeout(seconds):
            while len(got) < count:
                await asyncio.sleep(0.1)
                got += await self.taken()
        return got

    async def latency(self, seconds: float, rate: int) -> list[float]:
        begin = time.monotonic()
        tasks = []
        for number in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, begin + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(self.write(number % _ENTITIES)))
        await asyncio.gather(*tasks)
        return await self.arrived(len(tasks))

    async def sustained(
        self, count: int, type_name: str = "Vehicle", silent: frozenset[int] = frozenset()
    ) -> tuple[float, float]:
        """Notifications a second, from the first write to the last arrival, and the seconds that the writes took.

        Of the entities whose numbers are in `silent` none arrive, and none count.
        """
        begin = time.monotonic()
        numbers = iter(range(count))

        async def writer() -> None:
            for number in numbers:
                await self.write(number % _ENTITIES, type_name)

        await asyncio.gather(*[writer() for _ in range(32)])
        wrote = time.monotonic() - begin
        count -= sum(number % _ENTITIES in silent for number in range(count))
        await self.arrived(count)
        return count / (time.monotonic() - begin), wrote

    def memory(self) -> float:
        return self.follower.memory_info().rss / 1e6


def vehicle(number: int, type_name: str) -> Entity:
    at = format_date_time(datetime.now(UTC))
    stamps = {"createdAt": at, "modifiedAt": at}
    values = {"brand": "Mercedes", "speed": time.monotonic_ns(), "fuel": 40, "plate": f"AB-{number}-CD"}
    attributes = {CORE.iri(name): [{"type": "Property", "value": value, **stamps}] for name, value in values.items()}
    point = {"type": "Point", "coordinates": [4.364, 48.957]}
    attributes["https://uri.etsi.org/ngsi-ld/location"] = [{"type": "GeoProperty", "value": point, **stamps}]
    return Entity(f"urn:ngsi-ld:{type_name}:{number}", [CORE.iri(type_name)], attributes, [], at, at)


def shown(latencies: list[float]) -> str:
    ordered = sorted(latencies)
    return f"median {statistics.median(ordered):6.1f} ms   99 % {ordered[int(len(ordered) * 0.99)]:6.1f} ms"


async def main(arguments: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        uri = arguments.mongo_uri
        if not uri:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="beffroi-bench-"))
            uri = await stack.enter_async_context(EmbeddedMongo(Path(directory)))
        client, store, contexts = await stack.enter_async_context(parts(uri))
        await store.create_tenant("")
        _, ports = await stack.enter_async_context(process("--receive"))
        *urls, hanging = [f"http://127.0.0.1:{port}/" for port in ports.split()]
        follower, _ = await stack.enter_async_context(process("--follow", uri))
        subscriptions = Subscriptions(client, store, contexts)
        bench = Bench(client, store, subscriptions, urls[0], psutil.Process(follower.pid))
        stack.push_async_callback(bench.session.close)
        for number in range(_ENTITIES):
            await bench.write(number)
        [one] = await bench.subscribe(1, "Vehicle")
        await bench.latency(1.0, 100)
        for idle in (0, 1000, 10000):
            others = await bench.subscribe(idle, "Other")
            await bench.caught_up()
            latencies = await bench.latency(arguments.seconds, 100)
            print(f"1 of {idle + 1:5} subscriptions, 100 updates/s: {shown(latencies)}")
            await bench.drop(others)
        await bench.caught_up()
        before = bench.memory()
        for _ in range(3):
            rate, wrote = await bench.sustained(arguments.count)
            print(
                f"{arguments.count} updates to one endpoint: {rate:6.0f} notifications/s "
                f"(written in {wrote:.1f} s), memory {before:.0f} -> {bench.memory():.0f} MB"
            )
        await bench.drop([one])
        fan = await bench.subscribe(1000, "Bell")
        await bench.caught_up()
        begin = time.monotonic()
        await bench.write(1, "Bell")
        latencies = await bench.arrived(1000)
        print(f"one change to 1000 subscriptions: {shown(latencies)}, all in {time.monotonic() - begin:.2f} s")
        await bench.drop(fan)
        await many_endpoints(bench, arguments.count, urls, hanging)


async def many_endpoints(bench: Bench, count: int, urls: list[str], hanging: str) -> None:
    """The rate of 90 of 100 endpoints, when the other ten are well, and when they refuse or never answer."""
    refusing = "http://127.0.0.1:9/"
    dead = [refusing if number % 2 else hanging for number in range(_DEAD)]
    last = frozenset(number for number in range(_ENTITIES) if number % _ENDPOINTS >= _ENDPOINTS - _DEAD)
    share = 1 - _DEAD / _ENDPOINTS
    for number in range(_ENTITIES):
        await bench.write(number, "Bus")
    for _ in range(2):
        made = await bench.subscribe_each(urls, "Bus")
        await bench.caught_up()
        rate, _ = await bench.sustained(count, "Bus")
        await bench.drop(made)
        made = await bench.subscribe_each([*urls[:-_DEAD], *dead], "Bus")
        await bench.caught_up()
        living, _ = await bench.sustained(count, "Bus", last)
        await bench.drop(made)
        print(
            f"{count} updates to {_ENDPOINTS} endpoints: {rate:6.0f} notifications/s, {share * rate:6.0f} to nine in "
            f"ten; with the tenth dead {living:6.0f} ({living / (share * rate) - 1:+.0%})"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--mongo-uri", default="")
    parser.add_argument("--receive", action="store_true")
    parser.add_argument("--follow", metavar="URI")
    given = parser.parse_args()
    uvloop.run(receive() if given.receive else follow(given.follow) if given.follow else main(given))
