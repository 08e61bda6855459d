"""The store beside its floor: the same driver and database, one bare command a request.

    .venv/bin/python -m tests.bench.store [--seconds 2] [--mongo-uri URI]

Prints, for 1, 16 and 64 concurrent callers, reads by id, updates of one attribute and pages of 20 of a type a second,
and the processor time of this process (without MongoDB's) for each. Bare and grouped take turns; the median counts.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import median

import uvloop
from pymongo import AsyncMongoClient

from broker.embedded import EmbeddedMongo
from broker.store.mongo import MongoStore, StoreLimits
from broker.store.queries import CREATION_ORDER
from ngsi_ld.entity import Entity
from ngsi_ld.query import EntitySelector, Query, TypeSelection

TENANT = "bench"
TIME = "2026-11-23T17:02:01.250Z"
NAME = "https://uri.etsi.org/ngsi-ld/default-context/"
ENTITIES = 1000
ROUNDS = 5
VEHICLES = Query(selectors=(EntitySelector(types=TypeSelection((frozenset({NAME + "Vehicle"}),))),))


def vehicle(number: int, speed: float = 0.0) -> Entity:
    """Five attributes, as in the load that brokers are compared with."""
    stamps = {"createdAt": TIME, "modifiedAt": TIME}
    values = {"brand": "Mercedes", "speed": speed, "fuel": 40 + number % 20, "plate": f"AB-{number}-CD"}
    attributes = {NAME + name: [{"type": "Property", "value": value, **stamps}] for name, value in values.items()}
    point = {"type": "Point", "coordinates": [4.364 + number / 1e5, 48.957]}
    attributes["https://uri.etsi.org/ngsi-ld/location"] = [{"type": "GeoProperty", "value": point, **stamps}]
    return Entity(f"urn:ngsi-ld:Vehicle:{number}", [NAME + "Vehicle"], attributes, [], TIME, TIME)


def speeding(speed: float):
    """A mutation that sets one attribute."""
    instance = {"type": "Property", "value": speed, "createdAt": TIME, "modifiedAt": TIME}

    def mutation(before: Entity | None) -> Entity:
        return replace(before, attributes=before.attributes | {NAME + "speed": [instance]})

    return mutation


async def rate(concurrent: int, seconds: float, once: Callable[[int], Awaitable[object]]) -> tuple[float, float]:
    """Calls a second, and microseconds of this process's time per call."""
    end = time.perf_counter() + seconds
    done = 0

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await once(random.randrange(ENTITIES))
            done += 1

    start, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(concurrent)))
    return done / (time.perf_counter() - start), (time.process_time() - processor) / done * 1e6


async def _copy(database):
    """The entities once more, with the same options and indexes, for the bare commands to work on."""
    options = await database["entities"].options()
    bare = await database.create_collection("bare", **options)
    for name, index in (await database["entities"].index_information()).items():
        if name != "_id_":
            await bare.create_index(index.pop("key"), name=name)
    await database["entities"].aggregate([{"$merge": "bare"}])
    return bare


async def measure(uri: str, seconds: float, limits: StoreLimits) -> None:
    """Fill a tenant, measure, print, and leave nothing behind."""
    async with AsyncMongoClient(uri, w="majority", journal=True) as client:
        await client.drop_database(f"beffroi-{TENANT}")
        store = MongoStore(client, limits=limits)
        await store.mutate_many(TENANT, [(vehicle(n).id, lambda _, n=n: vehicle(n)) for n in range(ENTITIES)])
        await store.indexes.settled()
        bare = await _copy(client[f"beffroi-{TENANT}"])
        speeds = itertools.count(1)
        rows: list[tuple[str, Callable[[int], Awaitable[object]], Callable[[int], Awaitable[object]]]] = [
            (
                "get",
                lambda n: bare.find_one({"_id": f"urn:ngsi-ld:Vehicle:{n}"}),
                lambda n: store.get(TENANT, f"urn:ngsi-ld:Vehicle:{n}"),
            ),
            (
                "mutate",
                lambda n: bare.update_one(
                    {"_id": f"urn:ngsi-ld:Vehicle:{n}"},
                    {"$set": {"attrs.x": [{"type": "Property", "value": next(speeds)}]}, "$inc": {"v": 1}},
                ),
                lambda n: store.mutate(TENANT, f"urn:ngsi-ld:Vehicle:{n}", speeding(next(speeds))),
            ),
            (
                "find",
                lambda n: bare.find({"types": NAME + "Vehicle"}, sort=CREATION_ORDER, limit=20).to_list(),
                lambda n: store.find(TENANT, VEHICLES, now=TIME, limit=20),
            ),
        ]
        print(f"{'':8}{'callers':>8}{'floor /s':>10}{'µs':>6}{'store /s':>10}{'µs':>6}{'ratio':>7}")
        for name, floor, grouped in rows:
            for concurrent in (1, 16, 64):
                turns = [
                    (await rate(concurrent, seconds / ROUNDS, floor), await rate(concurrent, seconds / ROUNDS, grouped))
                    for _ in range(ROUNDS)
                ]
                floor_rate, floor_cost = map(median, zip(*(floor for floor, _ in turns), strict=True))
                store_rate, store_cost = map(median, zip(*(store for _, store in turns), strict=True))
                print(
                    f"{name:8}{concurrent:8}{floor_rate:10.0f}{floor_cost:6.0f}"
                    f"{store_rate:10.0f}{store_cost:6.0f}{store_rate / floor_rate:7.2f}"
                )
        start = time.perf_counter()
        batches = 0
        while time.perf_counter() - start < seconds:
            first = batches * 100 % ENTITIES
            await store.mutate_many(
                TENANT, [(vehicle(n).id, speeding(next(speeds))) for n in range(first, first + 100)]
            )
            batches += 1
        print(f"batches of 100 updates, one caller: {batches * 100 / (time.perf_counter() - start):.0f} entities/s")
        await store.close()
        await client.drop_database(f"beffroi-{TENANT}")


async def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--mongo-uri")
    parser.add_argument("--group-size", type=int, default=StoreLimits().group_size)
    parser.add_argument("--reads-in-flight", type=int, default=StoreLimits().reads_in_flight)
    parser.add_argument("--writes-in-flight", type=int, default=StoreLimits().writes_in_flight)
    parser.add_argument("--recent-bytes", type=int, default=StoreLimits().recent_bytes)
    options = parser.parse_args()
    limits = StoreLimits(options.group_size, options.reads_in_flight, options.writes_in_flight, options.recent_bytes)
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="beffroi-bench-"))
        uri = options.mongo_uri or await stack.enter_async_context(EmbeddedMongo(directory))
        await measure(uri, options.seconds, limits)


if __name__ == "__main__":
    uvloop.run(main())
