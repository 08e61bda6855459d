"""`make bench-federation`: what is asked of four neighbours through one broker, beside the same asked of one directly.

    python -m tests.bench.federation [--seconds 3] [--rounds 3] [--connections 1] [--entities 10000]

Starts a front broker and four sources, each with a MongoDB of its own, loads the sources, and registers them at the
front with `beffroi federation add`. Each row is measured at the front, at every source alone, and at all sources at
once, in turns. What one source answers is held against the slowest source alone; what all answer, against the slowest
of them while all are asked, for they share this machine as they do behind the front.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.bench.__main__ import API, vehicle
from tests.bench.load import Prepare, Result, ask, load, request
from tests.conftest import BEFFROI, Broker

SOURCES = 4
_BATCH = 500


@dataclass(frozen=True)
class Row:
    """What is asked of the front and of a source; the most that the front's time may be of the slowest source's.

    With `own_id` one source answers, otherwise all do.
    """

    name: str
    path: str
    mark: float | None = None
    own_id: bool = False

    def of(self, source: int | None, entities: int) -> Prepare:
        """The requests to one source, or with None those to the front, which go to all sources in turn."""
        if not self.own_id:
            prepared = request("GET", API + self.path)
            return lambda n: prepared

        def retrieve(n: int) -> bytes:
            owner = n % SOURCES if source is None else source
            return request("GET", f"{API}{self.path}{_id(owner, n * 37 % entities)}")

        return retrieve


def rows() -> list[Row]:
    """What is measured, with the marks that it is held against."""
    query = "/entities?type=Vehicle&limit=100"
    return [
        Row("retrieve", "/entities/", 2.5, own_id=True),
        Row("query of 100", query, 1.5),
        Row("query of 100, q", f"{query}&q=speed%3E50"),
        Row("query of 100, count", f"{query}&count=true"),
        Row("page 50 of 100", f"{query}&offset=4900"),
    ]


def _id(source: int, number: int) -> str:
    return f"urn:ngsi-ld:Vehicle:{source}:{number:06}"


async def main(arguments: argparse.Namespace) -> int:
    """Runs and prints the table; exits 1 if a mark is missed."""
    missed = False
    async with federation(arguments.entities) as (front, sources):
        print(
            f"{SOURCES} sources of {arguments.entities} entities, {arguments.connections} connections, "
            f"{arguments.rounds} rounds of {arguments.seconds:g} s, medians in milliseconds"
        )
        print(f"{'':22}{'front':>10}{'alone':>10}{'at once':>10}{'ratio':>8}{'mark':>7}{'refused':>9}")
        for row in rows():
            at_front: list[Result] = []
            alone: list[list[Result]] = [[] for _ in sources]
            at_once: list[list[Result]] = [[] for _ in sources]
            prepared = [row.of(number, arguments.entities) for number in range(SOURCES)]
            for turn in range(arguments.rounds):
                options = {"connections": arguments.connections, "first": turn * 10**6}
                seconds = arguments.seconds
                at_front.append(await load(front, row.of(None, arguments.entities), seconds=seconds, **options))
                for number, port in enumerate(sources):
                    alone[number].append(await load(port, prepared[number], seconds=seconds / SOURCES, **options))
                together = [load(port, prepared[n], seconds=seconds, **options) for n, port in enumerate(sources)]
                for number, result in enumerate(await asyncio.gather(*together)):
                    at_once[number].append(result)
            time, slowest, slowest_at_once = median(at_front), max(map(median, alone)), max(map(median, at_once))
            ratio = time / (slowest if row.own_id else slowest_at_once)
            missed = missed or (row.mark is not None and ratio > row.mark)
            print(
                f"{row.name:22}{time:10.2f}{slowest:10.2f}{slowest_at_once:10.2f}{ratio:8.2f}{row.mark or '':>7}"
                f"{sum(one.refused for one in at_front):9d}",
                flush=True,
            )
    return int(missed)


def median(results: list[Result]) -> float:
    """Of the rounds, in milliseconds."""
    return statistics.median(one.median for one in results)


@asynccontextmanager
async def federation(entities: int) -> AsyncIterator[tuple[int, list[int]]]:
    """The ports of the front and of the loaded sources that it knows."""
    with tempfile.TemporaryDirectory(prefix="beffroi-bench-") as directory:
        brokers = []
        for name in ("front", *(f"source-{number}" for number in range(SOURCES))):
            data = Path(directory) / name
            data.mkdir()
            brokers.append(Broker(data, options=("--alias", name, "--log-level", "warning", "--no-history")))
        async with AsyncExitStack() as stack:
            for one in brokers:
                stack.push_async_callback(one.stop)
            await asyncio.gather(*(one.start() for one in brokers))
            front, *sources = brokers
            await asyncio.gather(*(fill(one.port, number, entities) for number, one in enumerate(sources)))
            for number, one in enumerate(sources):
                await add(front, one, number)
            yield front.port, [one.port for one in sources]


async def fill(port: int, source: int, entities: int) -> None:
    """Loads a source with its vehicles."""
    for start in range(0, entities, _BATCH):
        numbers = range(start, min(start + _BATCH, entities))
        body = orjson.dumps([vehicle(_id(source, number), "Vehicle", number % 100) for number in numbers])
        status = await ask(port, request("POST", f"{API}/entityOperations/create", body))
        if status != 201:
            sys.exit(f"loading answers {status}")


async def add(front: Broker, source: Broker, number: int) -> None:
    """Registers a source at the front by the beginning of its ids, as communes have theirs."""
    command = [str(BEFFROI), "federation", "add", source.url, "--broker", front.url]
    command += ["--id-pattern", f"^urn:ngsi-ld:Vehicle:{number}:"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    if await process.wait():
        sys.exit(f"{source.url} cannot be added")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.federation", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--entities", type=int, default=10_000)
    sys.exit(asyncio.run(main(parser.parse_args())))
