"""`make bench-temporal`: how large the history is, how fast it is taken in and read, whatever its size.

    python -m tests.bench.temporal [--instances 10000000] [--sparse]

Entities of five numeric attributes with a value each 15 minutes for 31 days, as many as the number of instances gives,
and one entity with a year of them. That one comes in as clients send it, a day in a request, and is what is read; the
others are packed by the broker's own code without the requests, which would take an hour. The recorder's own path is
measured by `make bench` with and without BEFFROI_HISTORY. `--sparse` has a value each four hours instead.
"""

import argparse
import asyncio
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from broker.embedded import EmbeddedMongo
from broker.history.collections import Collections
from broker.history.packing import Packer
from broker.history.rows import Row
from broker.store.names import key
from ngsi_ld.temporal import instants
from tests.conftest import BEFFROI, free_port

ATTRIBUTES = ("temperature", "relativeHumidity", "activePower", "illuminance", "noiseLevel")
VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
DAYS = 31
YEAR = 365
START = datetime(2025, 1, 1, tzinfo=UTC)
SENDERS = 8
PACKERS = 4


@dataclass(frozen=True)
class Day:
    """A day of one entity: what one request brings."""

    entity: int
    day: int
    step: timedelta

    def values(self) -> Iterator[tuple[str, datetime, float]]:
        """Values that wander as measured ones do."""
        values = random.Random(self.entity * 1000 + self.day)
        for number, name in enumerate(ATTRIBUTES):
            level = 20.0 + 7 * number
            moment = START + timedelta(days=self.day)
            for _ in range(timedelta(days=1) // self.step):
                level += values.gauss(0, 0.3)
                yield name, moment, round(level, 1)
                moment += self.step

    def body(self) -> bytes:
        """The EntityTemporal, each value with its unit."""
        attributes: dict[str, list[Any]] = {name: [] for name in ATTRIBUTES}
        for name, moment, value in self.values():
            observed_at = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
            one = {"type": "Property", "value": value, "unitCode": "CEL", "observedAt": observed_at}
            attributes[name].append(one)
        return orjson.dumps({"id": entity_id(self.entity), "type": "Sensor", **attributes})

    def rows(self) -> list[Row]:
        """What the recorder makes of them when they come with up to a second's delay."""
        late = random.Random(self.entity * 1000 + self.day)
        rows = []
        for number, (name, moment, value) in enumerate(self.values()):
            at = instants.micros(moment)
            created = at + late.randrange(1000) * 1000 + number % 1000
            rows.append(
                {
                    "a": key(VOCABULARY + name),
                    "k": "Property",
                    "t": at,
                    "c": created,
                    "v": value,
                    "h": {"unitCode": "CEL"},
                }
            )
        return rows


def entity_id(number: int) -> str:
    """The id of an entity; number 0 has a year."""
    return f"urn:ngsi-ld:Sensor:chalons-{number:05d}"


def each(step: timedelta) -> int:
    """Instances of a day of an entity."""
    return len(ATTRIBUTES) * (timedelta(days=1) // step)


async def sent(session: aiohttp.ClientSession, url: str, step: timedelta) -> tuple[int, float]:
    """The year of entity 0 by the API: how many instances, and in how many seconds."""
    waiting = iter([Day(0, day, step) for day in range(YEAR)])
    began = time.perf_counter()

    async def send() -> None:
        for day in waiting:
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/temporal/entities", data=day.body(), headers=headers) as answer:
                assert answer.status in (201, 204), await answer.text()

    await asyncio.gather(*(send() for _ in range(SENDERS)))
    return YEAR * each(step), time.perf_counter() - began


async def packed(uri: str, entities: int, step: timedelta) -> tuple[int, float]:
    """A month of all other entities, in the order of time: how many instances, and in how many seconds."""
    waiting = (Day(number, day, step) for day in range(DAYS) for number in range(1, entities + 1))
    began = time.perf_counter()
    async with AsyncMongoClient[dict[str, Any]](uri, w="majority", journal=True) as client:
        collections = Collections(client)
        packer = Packer(collections, tenants)
        moment = START.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        keys = [key(VOCABULARY + name) for name in ATTRIBUTES]
        known = {"types": [f"{VOCABULARY}Sensor"], "series": keys, "createdAt": moment, "modifiedAt": moment}
        documents = [{"_id": entity_id(number), **known} for number in range(1, entities + 1)]
        await collections.entities("").insert_many(documents)

        async def put(day: Day, session: AsyncClientSession) -> None:
            await packer.merge("", entity_id(day.entity), day.rows(), session)

        async def work() -> None:
            async with client.start_session() as session:
                for day in waiting:
                    await session.with_transaction(lambda session, day=day: put(day, session))

        await asyncio.gather(*(work() for _ in range(PACKERS)))
    return DAYS * entities * each(step), time.perf_counter() - began


async def tenants() -> list[str]:
    """Of the packer, which is not asked to look for what waits."""
    return [""]


def between(first: int, last: int) -> str:
    """The parameters of the days from `first` to before `last`."""
    at, end = ((START + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ") for day in (first, last))
    return f"timerel=between&timeAt={at}&endTimeAt={end}"


ONE = f"/temporal/entities/{entity_id(0)}?attrs=temperature"
HUNDRED = "/temporal/entities?type=Sensor&attrs=temperature&limit=100"
DAILY = "&options=aggregatedValues&aggrMethods=avg&aggrPeriodDuration=P1D"
READS = {
    "one attribute, one day": f"{ONE}&{between(20, 21)}&options=temporalValues",
    "one attribute, one month": f"{ONE}&{between(0, 31)}&options=temporalValues",
    "one attribute, one year": f"{ONE}&{between(0, YEAR)}&options=temporalValues",
    "one attribute, one day by createdAt": (
        f"{ONE.replace(entity_id(0), entity_id(1))}&{between(20, 21)}&timeproperty=createdAt&options=temporalValues"
    ),
    "one attribute, lastN=10 by modifiedAt": f"{ONE}&timeproperty=modifiedAt&lastN=10&options=temporalValues",
    "daily averages of a month": f"{ONE}&{between(0, 31)}{DAILY}",
    "daily averages of a year": f"{ONE}&{between(0, YEAR)}{DAILY}",
    "hourly averages of a month": f"{ONE}&{between(0, 31)}{DAILY.replace('P1D', 'PT1H')}",
    "daily averages of a month, Paris": f"{ONE}&{between(0, 31)}{DAILY}&timezone={quote('Europe/Paris', safe='')}",
    "100 entities: daily averages of a month": f"{HUNDRED}&{between(0, 31)}{DAILY}",
    "100 entities: lastN=10": f"{HUNDRED}&timerel=after&timeAt=2025-01-01T00:00:00Z&lastN=10",
}


@dataclass(frozen=True)
class Reading:
    """What a read costs: its median in milliseconds, processor time of broker and MongoDB, bytes of the answer."""

    median: float
    broker: float
    mongod: float
    size: int


async def read(session: aiohttp.ClientSession, url: str, what: str, pids: tuple[int, int], times: int = 25) -> Reading:
    """Asks one after the other; processor time, which other work on the machine hardly changes, is the mean."""
    took, size = [], 0
    before = [processor_time(pid) for pid in pids]
    for _ in range(times):
        began = time.perf_counter()
        async with session.get(url + what) as answer:
            body = await answer.read()
            assert answer.status in (200, 206), body
        took.append(time.perf_counter() - began)
        size = len(body)
    broker, mongod = ((processor_time(pid) - first) / times for pid, first in zip(pids, before, strict=True))
    return Reading(statistics.median(took) * 1000, broker, mongod, size)


def processor_time(pid: int) -> float:
    """Milliseconds that a process has had of the processor, on Linux."""
    times = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK") * 1000


async def on_disk(uri: str) -> dict[str, int]:
    """Bytes that the collections of the history and their indexes take, once all is written out."""
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        await client.admin.command("fsync")
        sizes = {}
        for name in ("history", "historyLog", "historySums", "historyEntities"):
            stages: list[dict[str, Any]] = [{"$collStats": {"storageStats": {}}}]
            async for one in await client.beffroi[name].aggregate(stages):
                sizes[name] = one["storageStats"]["storageSize"] + one["storageStats"]["totalIndexSize"]
                free = one["storageStats"]["wiredTiger"]["block-manager"]["file bytes available for reuse"]
                sizes[f"{name}, free for reuse"] = free
        return sizes


async def main() -> None:
    """Loads, measures, prints the table."""
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    arguments.add_argument("--instances", type=int, default=1_000_000)
    arguments.add_argument("--sparse", action="store_true")
    asked = arguments.parse_args()
    step = timedelta(hours=4) if asked.sparse else timedelta(minutes=15)
    entities = max(100, (asked.instances - YEAR * each(step)) // (DAYS * each(step)))
    with tempfile.TemporaryDirectory(prefix="beffroi-bench-") as directory:
        mongo = EmbeddedMongo(directory, cache_gb=1)
        async with mongo as uri, aiohttp.ClientSession() as session:
            port = free_port()
            command = [str(BEFFROI), "serve", "--port", str(port), "--mongo-uri", uri, "--log-level", "warning"]
            limits = ("--max-temporal-instances", "50000", "--history-timeout", "60")
            process = await asyncio.create_subprocess_exec(*command, *limits)
            try:
                await ready(session, port)
                url = f"http://127.0.0.1:{port}/ngsi-ld/v1"
                number = 0
                for way, loading in (("sent", sent(session, url, step)), ("packed", packed(uri, entities, step))):
                    more, seconds = await loading
                    number += more
                    print(f"{more} instances {way} in {seconds:.0f} s: {more / seconds:.0f}/s", flush=True)
                memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                print(
                    f"{number} instances of {entities + 1} entities; at most {memory / 1000:.0f} MB of memory to load"
                )
                for name, size in (await on_disk(uri)).items():
                    print(f"{name:40s} {size / 1e6:8.1f} MB {size / number:6.1f} bytes an instance")
                pids = (process.pid, mongo.pid or 0)
                print(f"{'':40s} {'median':>11s} {'broker':>11s} {'MongoDB':>11s} {'answer':>11s}")
                for name, what in READS.items():
                    one = await read(session, url, what, pids)
                    times = "".join(f"{part:9.1f} ms" for part in (one.median, one.broker, one.mongod))
                    print(f"{name:40s} {times} {one.size / 1000:8.1f} kB", flush=True)
            finally:
                process.terminate()
                await process.wait()


async def ready(session: aiohttp.ClientSession, port: int) -> None:
    """Returns when the broker answers."""
    while True:
        try:
            async with session.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
