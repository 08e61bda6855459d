"""Records a second that one process maps, for each profile, and what of it arrives at a broker.

    make bench-adapters                                       all of it
    python -m tests.bench.adapters --rounds 5 --megabytes 0   without the large file

`mapped`: records decoded, mapped and validated against the model, a second of processor time. `delivered`: entities a
second that the whole adapter takes from a file through the queue on disk to a real broker in a process of its own.
`floor`: the same entities in the same batches, prepared, to that broker, one after the other. Both write entities that
are not there yet, in turn, in rounds of which the medians count; the ratio is the figure, the rest is the machine.

Then a DATEX II file of a hundred megabytes goes through `beffroi adapter run`: the most memory that it takes.
"""

import argparse
import asyncio
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil
import uvloop
import yaml
from aiohttp import web

import adapters
from adapters.counts import Counts
from adapters.decoding import open_decoder
from adapters.definition import Definition, load
from adapters.mapping import Mapper
from adapters.pipeline import Pipeline
from adapters.validation import open_validator
from broker.embedded import EmbeddedMongo
from tests.faults.drill import BrokerProcess

FOLDER = Path(adapters.__file__).parent
RECORDS = 7000


def talq() -> bytes:
    """An update of as many lights: state, five measures and a fault flag each."""
    update = json.loads((FOLDER / "talq/samples/2-update.json").read_text())[0]
    return orjson.dumps([{**update, "address": f"a-{n}", "name": f"CH-{n:05}"} for n in range(RECORDS)])


def datex2() -> bytes:
    """As many sites, with flow and speed each."""
    return b"".join(sites(RECORDS))


def sites(count: int) -> Iterator[bytes]:
    """A document of so many sites, part by part."""
    sample = (FOLDER / "datex2/samples/1-measured.xml").read_text()
    head, _, rest = sample.partition("<siteMeasurements>")
    site = "<siteMeasurements>" + rest.partition("</siteMeasurements>")[0] + "</siteMeasurements>"
    yield head.encode()
    for number in range(count):
        yield site.replace("MUC51.A1", f"S{number}").encode()
    yield b"</payloadPublication></d2LogicalModel>"


def chirpstack() -> bytes:
    """As many uplinks of soil sensors, one a line: two entities each."""
    soil = json.loads((FOLDER / "chirpstack/samples/2-soil.json").read_text())
    device = soil["deviceInfo"]
    events = ({**soil, "deviceInfo": {**device, "devEui": f"a84041c1{n:08x}"}} for n in range(RECORDS))
    return b"\n".join(orjson.dumps(event) for event in events)


PROFILES = {"talq": talq, "datex2": datex2, "chirpstack": chirpstack}


class Counting:
    """A broker that says yes and counts."""

    def __init__(self) -> None:
        self.url = ""
        self.entities = 0

    async def start(self) -> web.AppRunner:
        """Listens on a free port."""

        async def upsert(request: web.Request) -> web.Response:
            self.entities += (await request.read()).count(b'"id":"urn:')
            return web.Response(status=204)

        application = web.Application(client_max_size=1 << 30)
        application.add_routes([web.post("/ngsi-ld/v1/entityOperations/upsert", upsert)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
        return runner


def decoded(decoder: Any, data: bytes) -> list[Any]:
    """The documents; ChirpStack's events come one a payload."""
    if data.startswith(b'{"dedup'):
        return [document for line in data.splitlines() for document in decoder.decode(io.BytesIO(line), {})]
    return list(decoder.decode(io.BytesIO(data), {}))


def mapped(definition: Definition, data: bytes) -> tuple[float, list[dict[str, Any]]]:
    """Records a second, and the entities."""
    mapper, validate = Mapper(definition), open_validator(definition.validate)
    began = time.process_time()
    decoder = open_decoder(definition.format, "bench")
    mapper.begin(datetime.now(UTC))
    entities = []
    for document in decoded(decoder, data):
        for entity in mapper.entities(document):
            reason = validate(entity)
            if reason:
                raise SystemExit(reason)
            entities.append(entity)
    return RECORDS / (time.process_time() - began), entities


def written(folder: Path, name: str, site: str, broker: str, data: bytes) -> Definition:
    """An adapter's file with a profile and a recorded feed."""
    feed = folder / f"{name}.feed"
    feed.write_bytes(data)
    file = folder / f"{site}.yaml"
    content = {
        "profile": name,
        "settings": {"site": site},
        "source": {"kind": "file", "path": str(feed), "lines": name == "chirpstack"},
        "broker": {"url": broker},
        "state": str(folder / "state" / site),
    }
    file.write_text(yaml.safe_dump(content))
    return load(file)


async def floor(definition: Definition, entities: list[dict[str, Any]]) -> float:
    """Entities a second, prepared; the names of the adapter's own batches."""
    batch, broker = definition.delivery.batch, definition.broker
    bodies = [orjson.dumps(entities[at : at + batch]) for at in range(0, len(entities), batch)]
    headers = {
        "Content-Type": "application/json",
        "Link": f'<{broker.context_url}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
    }
    url = f"{broker.url}/ngsi-ld/v1/entityOperations/upsert?options=update"
    began = time.perf_counter()
    async with aiohttp.ClientSession(headers=headers) as session:
        for body in bodies:
            async with session.post(url, data=body) as response:
                if response.status not in (201, 204):
                    raise SystemExit(await response.text())
    return len(entities) / (time.perf_counter() - began)


async def delivered(definition: Definition, entities: int) -> tuple[float, float]:
    """Entities a second on the clock, and a second of this process's time."""
    state = definition.state_directory
    state.mkdir(parents=True)
    pipeline = Pipeline(definition, Counts().of("bench"), state)
    own, began = time.process_time(), time.perf_counter()
    await pipeline.run()
    own, seconds = time.process_time() - own, time.perf_counter() - began
    pipeline.close()
    return entities / seconds, entities / own


async def compare(folder: Path, name: str, broker: str, rounds: int) -> str:
    """A line of the table."""
    data = PROFILES[name]()
    rates, floors, deliveries, owns = [], [], [], []
    for turn in range(rounds):
        bare = written(folder, name, f"floor-{name}-{turn}", broker, data)
        rate, entities = mapped(bare, data)
        rates.append(rate)
        floors.append(await floor(bare, entities))
        by_adapter = written(folder, name, f"adapter-{name}-{turn}", broker, data)
        rate, own = await delivered(by_adapter, len(entities))
        deliveries.append(rate)
        owns.append(own)
    numbers = [statistics.median(each) for each in (rates, owns, deliveries, floors)]
    return f"{name:12}" + "".join(f"{each:>16,.0f}" for each in numbers) + f"{numbers[2] / numbers[3]:>8.2f}"


async def large(folder: Path, megabytes: int) -> str:
    """How much memory `beffroi adapter run` takes for a DATEX II file so large, and how long."""
    one = sum(len(part) for part in sites(1001)) - sum(len(part) for part in sites(1))
    count = megabytes * 1_000_000 * 1000 // one
    counting = Counting()
    runner = await counting.start()
    definition = written(folder, "datex2", "large", counting.url, b"")
    with (folder / "datex2.feed").open("wb") as feed:
        feed.writelines(sites(count))
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from beffroi.cli import main; main()",
        *("adapter", "run", definition.file),
        stderr=asyncio.subprocess.DEVNULL,
    )
    most = 0
    while process.returncode is None:
        with_peak = psutil.Process(process.pid)
        try:
            most = max(most, with_peak.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        await asyncio.sleep(0.05)
    await process.wait()
    await runner.cleanup()
    size = (folder / "datex2.feed").stat().st_size / 1e6
    return (
        f"an XML file of {size:.0f} MB, {counting.entities:,} of {count:,} sites delivered, "
        f"{time.perf_counter() - began:.0f} s: {most / 1e6:.0f} MB resident at most"
    )


async def main(arguments: argparse.Namespace) -> None:
    """Prints a line for each profile, then that of the large file."""
    out = sys.stdout
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        async with EmbeddedMongo(folder / "data") as uri:
            broker = BrokerProcess(uri, folder / "broker.log")
            await broker.start()
            await _ready(broker)
            titles = ("mapped/cpu s", "delivered/cpu s", "delivered/s", "floor/s")
            out.write(f"{os.cpu_count()} processors, {arguments.rounds} rounds of {RECORDS:,} records\n")
            out.write(f"{'profile':12}" + "".join(f"{each:>16}" for each in titles) + f"{'ratio':>8}\n")
            for name in arguments.profiles:
                out.write(await compare(folder, name, broker.url, arguments.rounds) + "\n")
                out.flush()
            await broker.stop()
        if arguments.megabytes:
            out.write(await large(folder, arguments.megabytes) + "\n")


async def _ready(broker: BrokerProcess) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            try:
                async with session.get(f"{broker.url}/health/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=100, help="of the large file; 0 for none")
    parser.add_argument("profiles", nargs="*", default=list(PROFILES), help=", ".join(PROFILES))
    uvloop.run(main(parser.parse_args()))
