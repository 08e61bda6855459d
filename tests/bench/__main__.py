"""`make bench`: the broker beside its floor, in one run on one machine; the ratio is the figure.

    python -m tests.bench [--seconds 3] [--rounds 3] [--connections 16] [--others 0] [OPERATION …]

Starts a private MongoDB, the floor and a broker on it, loads both with the same entities, and measures each operation
on the one and on the other in turns. `--others` entities of another type are there besides.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from broker.embedded import EmbeddedMongo
from tests.bench.load import Prepare, Result, ask, load, request
from tests.conftest import BEFFROI, free_port

VEHICLES = 100
API = "/ngsi-ld/v1"


def vehicle(entity_id: str, entity_type: str, speed: int) -> dict[str, Any]:
    """An entity of five attributes."""
    return {
        "id": entity_id,
        "type": entity_type,
        "brandName": {"type": "Property", "value": "Mercedes"},
        "speed": {"type": "Property", "value": speed, "unitCode": "KMH", "observedAt": "2026-11-23T10:00:00Z"},
        "heading": {"type": "Property", "value": 123.5},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [4.364, 48.957]}},
        "isParked": {"type": "Relationship", "object": "urn:ngsi-ld:OffStreetParking:Downtown1"},
    }


def one(n: int) -> str:
    """The id of a vehicle that is there."""
    return f"urn:ngsi-ld:Vehicle:{n * 37 % VEHICLES}"


def batch(n: int) -> bytes:
    """A hundred entities, the same ids from eight places in turn, not as they were the last time."""
    return orjson.dumps([vehicle(f"urn:ngsi-ld:Batch:{n % 8}-{i}", "Batch", (i * 37 + n) % 97) for i in range(100)])


def speed(n: int) -> bytes:
    """A fragment that updates one attribute: to another value than the last time, or the floor would write nothing."""
    value = {"type": "Property", "value": n % 97, "unitCode": "KMH", "observedAt": "2026-11-23T10:00:01Z"}
    return orjson.dumps({"speed": value})


@dataclass(frozen=True)
class Operation:
    """What is asked of the broker, and of the floor in the same round; entities in one request."""

    name: str
    broker: Prepare
    floor: Prepare
    entities: int = 1


def operations(tag: str) -> list[Operation]:
    """The measured operations; `tag` makes the ids of what is created new."""
    batches = [batch(n) for n in range(56)]

    def new(n: int) -> bytes:
        return orjson.dumps(vehicle(f"urn:ngsi-ld:New:{tag}-{n}", "New", n % 100))

    def query(parameters: str) -> Prepare:
        prepared = request("GET", f"{API}/entities?type=Vehicle&limit=20{parameters}")
        return lambda n: prepared

    some = request("GET", "/some")
    near = "&georel=near%3BmaxDistance==500&geometry=Point&coordinates=%5B4.364,48.957%5D"
    return [
        Operation(
            "retrieve", lambda n: request("GET", f"{API}/entities/{one(n)}"), lambda n: request("GET", f"/one/{one(n)}")
        ),
        Operation("query of 20", query(""), lambda n: some),
        Operation("query of 20, q", query("&q=speed%3E50"), lambda n: some),
        Operation("query of 20, near", query(near), lambda n: some),
        Operation(
            "update attributes",
            lambda n: request("PATCH", f"{API}/entities/{one(n)}/attrs", speed(n)),
            lambda n: request("PATCH", f"/one/{one(n)}", speed(n)),
        ),
        Operation(
            "merge",
            lambda n: request("PATCH", f"{API}/entities/{one(n)}", speed(n)),
            lambda n: request("PATCH", f"/one/{one(n)}", speed(n)),
        ),
        Operation(
            "batch upsert of 100",
            lambda n: request("POST", f"{API}/entityOperations/upsert", batches[n % 56]),
            lambda n: request("POST", "/batch", batches[n % 56]),
            entities=100,
        ),
        Operation(
            "create", lambda n: request("POST", f"{API}/entities", new(n)), lambda n: request("POST", "/create", new(n))
        ),
    ]


async def main(arguments: argparse.Namespace) -> int:
    """Runs and prints the table."""
    with tempfile.TemporaryDirectory(prefix="beffroi-bench-") as directory:
        async with EmbeddedMongo(Path(directory)) as uri, serving(uri) as (broker, floor):
            await preload(broker, floor, arguments.others)
            print(f"{arguments.connections} connections, {arguments.rounds} rounds of {arguments.seconds:g} s, medians")
            print(
                f"{'operation':22}{'broker/s':>10}{'floor/s':>10}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}{'refused':>9}"
            )
            for operation in operations("run"):
                if not arguments.operations or operation.name in arguments.operations:
                    print(await measure(operation, broker, floor, arguments), flush=True)
    return 0


async def measure(operation: Operation, broker: int, floor: int, arguments: argparse.Namespace) -> str:
    """One row: both measured in turns."""
    ours: list[Result] = []
    theirs: list[Result] = []
    for turn in range(arguments.rounds):
        options = {"connections": arguments.connections, "seconds": arguments.seconds, "first": turn * 10**7}
        ours.append(await load(broker, operation.broker, **options))
        theirs.append(await load(floor, operation.floor, **options))

    def median(figure: Callable[[Result], float], results: list[Result]) -> float:
        return statistics.median(map(figure, results))

    rate, floor_rate = median(lambda one: one.rate, ours), median(lambda one: one.rate, theirs)
    return (
        f"{operation.name:22}{rate * operation.entities:10.0f}{floor_rate * operation.entities:10.0f}"
        f"{rate / floor_rate:8.2f}{median(lambda one: one.median, ours):9.2f}{median(lambda one: one.p99, ours):9.2f}"
        f"{sum(one.refused for one in ours):9d}"
    )


async def preload(broker: int, floor: int, others: int) -> None:
    """The same vehicles for both, and others for both."""
    there = [vehicle(f"urn:ngsi-ld:Vehicle:{n}", "Vehicle", n * 37 % 100) for n in range(VEHICLES)]
    there += [vehicle(f"urn:ngsi-ld:Other:{n}", "Other", n % 100) for n in range(others)]
    bodies = [orjson.dumps(there[start : start + 500]) for start in range(0, len(there), 500)]
    for port, path in ((broker, f"{API}/entityOperations/upsert"), (floor, "/batch")):
        for body in bodies:
            status = await ask(port, request("POST", path, body))
            if not 200 <= status < 300:
                sys.exit(f"{path} answers {status}")


@asynccontextmanager
async def serving(uri: str) -> AsyncIterator[tuple[int, int]]:
    """The ports of a broker and of the floor, both on this MongoDB."""
    ports = free_port(), free_port()
    commands = [
        [str(BEFFROI), "serve", "--port", str(ports[0]), "--mongo-uri", uri, "--log-level", "warning"],
        [sys.executable, "-m", "tests.bench.floor", str(ports[1]), uri],
    ]
    processes = [await asyncio.create_subprocess_exec(*command) for command in commands]
    try:
        for port in ports:
            await answering(port)
        yield ports
    finally:
        for process in processes:
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes))


async def answering(port: int) -> None:
    """Returns when something listens."""
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            await asyncio.sleep(1)
            return
    sys.exit(f"nothing listens on port {port}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("operations", nargs="*", help="only these rows")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--others", type=int, default=0, help="entities of another type that are there too")
    sys.exit(asyncio.run(main(parser.parse_args())))
