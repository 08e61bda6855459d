"""The drill of the adapters: vendors under way, while adapter, broker and MQTT broker are killed at random.

    make drill                                                        the long form: 60 kills
    .venv/bin/python -m tests.faults.feeds --kills 3 --seed 7         of each of the three

A vendor of each kind of acknowledgement: one posts (2xx), one publishes to mosquitto (PUBACK), one drops files (moved).
At the end every record that was acknowledged must be in the broker or, for the one in twenty that cannot be mapped, in
the dead letters. Prints a table; exits 0 if all held.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import uvloop
import yaml

from adapters.dead_letter import DeadLetters
from broker.embedded import EmbeddedMongo
from tests.conftest import free_port
from tests.faults.drill import BrokerProcess
from tests.faults.vendors import MOSQUITTO, FileVendor, MqttVendor, PostingVendor, Vendor

_SILENCE_SECONDS = 60.0
_PAGE = 1000
_RECORD = {
    "id": "urn:ngsi-ld:DeviceMeasurement:{ref}",
    "type": "DeviceMeasurement",
    "observedAt": "at",
    "attributes": {"numValue": {"value": "n", "type": "number", "unit": "C62"}},
}


@dataclass
class Victim:
    """A process that is killed and started again with the same words."""

    name: str
    words: tuple[str, ...]
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts it and does not wait."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*self.words, stdout=log, stderr=log)

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ends it in good order."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()


@dataclass
class Feeds:
    """The adapters' files and what belongs to them, in a directory."""

    directory: Path
    broker: str
    hook: int = field(default_factory=free_port)
    mqtt: int = field(default_factory=free_port)

    @property
    def inbox(self) -> Path:
        """Where files are dropped."""
        return self.directory / "inbox"

    def write(self) -> list[Path]:
        """An adapter for each kind of source."""
        self.inbox.mkdir()
        sources: dict[str, dict[str, object]] = {
            "posted": {"kind": "webhook", "port": self.hook, "path": "/"},
            "published": {"kind": "mqtt", "host": "127.0.0.1", "port": self.mqtt, "topic": "drill/{ref}"},
            "dropped": {"kind": "folder", "path": str(self.inbox), "interval": 0.3, "quiet": 0.2},
        }
        return [self._written(name, source) for name, source in sources.items()]

    def _written(self, name: str, source: dict[str, object]) -> Path:
        definition = {
            "source": source,
            "format": "ndjson" if name == "dropped" else "json",
            "entities": {"record": _RECORD},
            "broker": {"url": self.broker},
            "delivery": {"retry_most": 1.0},
            "state": str(self.directory / "state" / name),
        }
        file = self.directory / f"{name}.yaml"
        file.write_text(yaml.safe_dump(definition))
        return file

    def set_aside(self, name: str) -> set[str]:
        """The records in the dead letters of an adapter, by what names them."""
        letters = DeadLetters(self.directory / "state" / name / "dead-letter.ndjson", 1 << 40).read()
        return {letter.record["ref"] for letter in letters if letter.stage == "map"}


async def main(arguments: argparse.Namespace) -> int:
    """Runs the drill; 0 if all held."""
    if MOSQUITTO is None:
        print("the drill of the adapters needs mosquitto: install it")
        return 2
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}", flush=True)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="beffroi-feeds-")))
        mongo = EmbeddedMongo(directory / "data", cache_gb=0.25)
        uri = await mongo.start()
        stack.push_async_callback(mongo.stop)
        broker = BrokerProcess(uri, directory / "broker.log")
        feeds = Feeds(directory, broker.url)
        beffroi = (sys.executable, "-c", "from beffroi.cli import main; main()")
        adapter = Victim("adapter", (*beffroi, "adapter", "run", *map(str, feeds.write())), directory / "adapter.log")
        mosquitto = Victim(
            "mosquitto", (MOSQUITTO, "-c", _configured(directory, feeds.mqtt)), directory / "mosquitto.log"
        )
        victims = {"broker": broker, "mosquitto": mosquitto, "adapter": adapter}
        for victim in victims.values():
            stack.push_async_callback(victim.stop)
            await victim.start()
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
        await _subscribed(adapter)

        vendors: list[Vendor] = [
            PostingVendor("posted", f"http://127.0.0.1:{feeds.hook}/", session),
            MqttVendor("published", feeds.mqtt),
            FileVendor("dropped", feeds.inbox),
        ]
        sending = [asyncio.create_task(vendor.run()) for vendor in vendors]
        began = time.monotonic()
        await _kill(victims, chance, arguments)
        for vendor in vendors:
            vendor.stopping = True
        await asyncio.gather(*sending)
        lost = await _lost(vendors, feeds, session, broker)
        _report(arguments, vendors, feeds, lost, time.monotonic() - began)
        if any(lost.values()):
            print("FAILED")
            for log in (broker.log, adapter.log):
                print("".join(log.read_text().splitlines(keepends=True)[-40:]), file=sys.stderr)
            return 1
    print("all held")
    return 0


def _configured(directory: Path, port: int) -> str:
    """A mosquitto that keeps sessions on disk, and lets no queued message go."""
    file = directory / "mosquitto.conf"
    store = directory / "mosquitto"
    store.mkdir(mode=0o777)
    store.chmod(0o777)
    file.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {store}/\n"
        "autosave_interval 1\nmax_queued_messages 0\nuser root\n"
    )
    return str(file)


async def _subscribed(adapter: Victim) -> None:
    """Waits until the adapter's session is at the MQTT broker, and that has saved it."""
    async with asyncio.timeout(60):
        while "subscribed to" not in adapter.log.read_text():  # noqa: ASYNC110  a log has no event
            await asyncio.sleep(0.05)
    await asyncio.sleep(2.5)


async def _kill(
    victims: dict[str, BrokerProcess | Victim], chance: random.Random, arguments: argparse.Namespace
) -> None:
    """The kills at random moments, also while the victim is still starting; each stays away for a moment."""
    order = [name for name in victims for _ in range(arguments.kills)]
    chance.shuffle(order)
    for name in order:
        await asyncio.sleep(chance.uniform(0.2, arguments.longest))
        await victims[name].kill()
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        await victims[name].start()
    await asyncio.sleep(arguments.longest / 2)


async def _lost(
    vendors: list[Vendor], feeds: Feeds, session: aiohttp.ClientSession, broker: BrokerProcess
) -> dict[str, set[str]]:
    """By vendor, what was acknowledged and is nowhere, once all has arrived or nothing has for too long."""
    count, since = -1, time.monotonic()
    while True:
        stored = await _stored(session, broker)
        found = {vendor.name: stored | feeds.set_aside(vendor.name) for vendor in vendors}
        lost = {vendor.name: vendor.acknowledged - found[vendor.name] for vendor in vendors}
        left = sum(map(len, lost.values()))
        if left != count:
            count, since = left, time.monotonic()
        if not left or time.monotonic() - since > _SILENCE_SECONDS:
            return lost
        await asyncio.sleep(1.0)


async def _stored(session: aiohttp.ClientSession, broker: BrokerProcess) -> set[str]:
    """What names the records that the broker has; nothing while it does not answer."""
    context = f'<{broker.url}/contexts/territory.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
    headers = {"Link": context + '; type="application/ld+json"'}
    url = f"{broker.url}/ngsi-ld/v1/entities?type=DeviceMeasurement&options=keyValues&limit={_PAGE}&pick=id"
    found: set[str] = set()
    try:
        for offset in range(0, 10_000_000, _PAGE):
            async with session.get(f"{url}&offset={offset}", headers=headers) as answer:
                page = await answer.json() if answer.status == 200 else []
            found.update(entity["id"].rpartition(":")[2] for entity in page)
            if len(page) < _PAGE:
                break
    except (aiohttp.ClientError, TimeoutError):
        pass
    return found


def _report(
    arguments: argparse.Namespace, vendors: list[Vendor], feeds: Feeds, lost: dict[str, set[str]], seconds: float
) -> None:
    """The table."""
    print(f"{arguments.kills} kills each of adapter, broker and mosquitto, {seconds:.0f} s")
    print(f"{'records':12}{'acknowledged':>14}{'again':>8}{'set aside':>11}{'lost':>6}")
    for vendor in vendors:
        aside = len(vendor.acknowledged & feeds.set_aside(vendor.name))
        missing = lost[vendor.name]
        print(f"{vendor.name:12}{len(vendor.acknowledged):>14}{vendor.again:>8}{aside:>11}{len(missing):>6}")
        if missing:
            print("   such as", ", ".join(sorted(missing)[:5]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of the moments; another one each time if not given")
    parser.add_argument("--kills", type=int, default=20, help="of each of adapter, broker and mosquitto")
    parser.add_argument("--longest", type=float, default=4.0, help="seconds between kills at most")
    sys.exit(uvloop.run(main(parser.parse_args())))
