"""Records a second that one process maps, for each profile, and what of it arrives at a broker.

    python -m tests.bench.adapters

`mapped`: records decoded, mapped and validated against the model, a second of processor time. `delivered`: entities
that the whole adapter takes from a file through the queue on disk to a broker that only counts, a second of processor
time and a second. `floor`: the same entities in the same batches, prepared, to that broker: the HTTP and nothing else.
"""

import asyncio
import io
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import orjson
import yaml
from aiohttp import web

import adapters
from adapters.counts import Counts
from adapters.decoding import open_decoder
from adapters.definition import load
from adapters.mapping import Mapper
from adapters.pipeline import Pipeline
from adapters.validation import open_validator

FOLDER = Path(adapters.__file__).parent
RECORDS = 7000


def talq() -> bytes:
    """An update of as many lights: state, five measures and a fault flag each."""
    update = json.loads((FOLDER / "talq/samples/2-update.json").read_text())[0]
    return orjson.dumps([{**update, "address": f"a-{n}", "name": f"CH-{n:05}"} for n in range(RECORDS)])


def datex2() -> bytes:
    """As many sites, with flow and speed each."""
    sample = (FOLDER / "datex2/samples/1-measured.xml").read_text()
    head, _, rest = sample.partition("<siteMeasurements>")
    site = "<siteMeasurements>" + rest.partition("</siteMeasurements>")[0] + "</siteMeasurements>"
    sites = "".join(site.replace("MUC51.A1", f"S{n}") for n in range(RECORDS))
    return (head + sites + "</payloadPublication></d2LogicalModel>").encode()


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


def decoded(decoder, data: bytes) -> list:
    """The documents; ChirpStack's events come one a payload."""
    if data.startswith(b'{"dedup'):
        return [document for line in data.splitlines() for document in decoder.decode(io.BytesIO(line), {})]
    return list(decoder.decode(io.BytesIO(data), {}))


def mapped(definition, data: bytes) -> tuple[float, list[dict]]:
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


async def floor(broker: Counting, entities: list[dict], batch: int) -> float:
    """Entities a second, prepared."""
    bodies = [orjson.dumps(entities[at : at + batch]) for at in range(0, len(entities), batch)]
    began = time.perf_counter()
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        for body in bodies:
            async with session.post(broker.url + "/ngsi-ld/v1/entityOperations/upsert", data=body) as response:
                await response.read()
    return len(entities) / (time.perf_counter() - began)


async def delivered(definition, state: Path) -> tuple[float, float]:
    """Seconds that the whole adapter takes: of processor time, this process's broker included, and on the clock."""
    pipeline = Pipeline(definition, Counts().of("bench"), state)
    began, clock = time.process_time(), time.perf_counter()
    await pipeline.run()
    own, seconds = time.process_time() - began, time.perf_counter() - clock
    pipeline.close()
    return own, seconds


async def main() -> None:
    """Prints a line for each profile."""
    broker = Counting()
    runner = await broker.start()
    out = sys.stdout
    out.write(
        f"{'profile':12}{'mapped/s':>10}{'entities':>10}{'delivered/cpu s':>17}{'delivered/s':>13}{'floor/s':>10}\n"
    )
    for name, make in PROFILES.items():
        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            data = make()
            (folder / "feed").write_bytes(data)
            lines = name == "chirpstack"
            (folder / "bench.yaml").write_text(
                yaml.safe_dump(
                    {
                        "profile": name,
                        "settings": {"site": "bench"},
                        "source": {"kind": "file", "path": str(folder / "feed"), "lines": lines},
                        "broker": {"url": broker.url},
                    }
                )
            )
            definition = load(folder / "bench.yaml")
            rate, entities = mapped(definition, data)
            bare = await floor(broker, entities, definition.delivery.batch)
            own, seconds = await delivered(definition, folder)
            assert broker.entities == 2 * len(entities)  # once prepared, once by the adapter
            broker.entities = 0
            out.write(
                f"{name:12}{rate:10.0f}{len(entities):10}{len(entities) / own:17.0f}{len(entities) / seconds:13.0f}"
                f"{bare:10.0f}\n"
            )
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
