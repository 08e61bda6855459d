"""The drill of the history: writers of the present, of what is late and of the past, while everything is killed.

    make drill                                                       the long form: 50 kills
    .venv/bin/python -m tests.faults.history --kills 5 --mongo-kills 1 --seed 7

At the end the history of each entity must be the sequence of its accepted writes, each of them once and in order, also
where it has been packed or summed up meanwhile. Prints a table; exits 0 if all held.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from broker.embedded import EmbeddedMongo
from tests.faults.drill import BrokerProcess

RETENTION = "attribute=archived P1D hourly P1Y"
CALM_SECONDS = 90.0
"""Within which packing begins at last, so that it is killed at work."""

_TEMPORAL = "/temporal/entities"


@dataclass
class Writers:
    """Each counts an entity up; a write without an answer is made again as it is until it is accepted."""

    session: aiohttp.ClientSession
    brokers: list[BrokerProcess]
    pause: float
    began: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    accepted: dict[str, int] = field(default_factory=dict)
    again: int = 0
    stopping: bool = False

    async def count(self, name: str, write: Callable[[str, int], Awaitable[int]]) -> None:
        """Until `stopping`, and as far as the write that is on its way then."""
        while not self.stopping:
            value = self.accepted.get(name, 0) + 1
            while not await self._accepted(write, name, value):
                self.again += 1
                await asyncio.sleep(0.05)
            self.accepted[name] = value
            await asyncio.sleep(self.pause)

    async def present(self, name: str, value: int) -> int:
        """The current state, which the change log brings into the history."""
        body = [{"id": name, "type": "Lamp", "power": {"value": value}}]
        return await self._post("/entityOperations/upsert", body)

    async def late(self, name: str, value: int) -> int:
        """Values of the last hours, told backwards."""
        observed_at = _text(self.began - timedelta(seconds=value))
        return await self._post(_TEMPORAL, {"id": name, "type": "Meter", "late": _one(value, observed_at)})

    async def archived(self, name: str, value: int) -> int:
        """Values from three days ago on, which are past the time that single values are kept."""
        observed_at = _text(self.began - timedelta(days=3) + timedelta(seconds=10 * value))
        return await self._post(_TEMPORAL, {"id": name, "type": "Archive", "archived": _one(value, observed_at)})

    async def _accepted(self, write: Callable[[str, int], Awaitable[int]], name: str, value: int) -> bool:
        try:
            return await write(name, value) in (201, 204)
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _post(self, path: str, body: Any) -> int:
        broker = random.choice(self.brokers)
        async with self.session.post(f"{broker.url}/ngsi-ld/v1{path}", json=body) as answer:
            return answer.status


async def main(arguments: argparse.Namespace) -> int:
    """Runs the drill; 0 if all held."""
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    chance = random.Random(seed)
    print(f"history, seed {seed}", flush=True)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="beffroi-drill-")))
        mongo = EmbeddedMongo(directory / "data", cache_gb=0.25)
        uri = await mongo.start()
        stack.push_async_callback(mongo.stop)
        options = ("--retention", RETENTION)
        brokers = [BrokerProcess(uri, directory / f"broker{one}.log", options) for one in range(arguments.brokers)]
        for broker in brokers:
            stack.push_async_callback(broker.stop)
            await broker.start()
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
        writers = Writers(session, brokers, arguments.pause)
        kinds = {"Lamp": writers.present, "Meter": writers.late, "Archive": writers.archived}
        writing = [
            asyncio.create_task(writers.count(f"urn:ngsi-ld:{kind}:{number}", write))
            for number in range(arguments.writers)
            for kind, write in kinds.items()
        ]
        began = time.monotonic()
        await kill(brokers, mongo, uri, chance, arguments)
        writers.stopping = True
        await asyncio.gather(*writing)
        seconds = time.monotonic() - began
        kept, faults = await check(writers)
        places = await where(uri)
        killed = f"{arguments.kills} kills of {arguments.brokers} brokers, {arguments.mongo_kills} of mongod"
        number = sum(writers.accepted.values())
        print(f"{killed}, {seconds:.0f} s: {number} writes accepted, {writers.again} made again")
        print(f"{kept} instances are in the history; {', '.join(f'{many} {what}' for what, many in places.items())}")
        if faults:
            print("\n".join(["FAILED", *faults]))
            for broker in brokers:
                print("".join(broker.log.read_text().splitlines(keepends=True)[-40:]), file=sys.stderr)
            return 1
    print("all held")
    return 0


async def kill(
    brokers: list[BrokerProcess], mongo: EmbeddedMongo, uri: str, chance: random.Random, arguments: argparse.Namespace
) -> None:
    """The kills at random moments; before each `calm`th one until packing has begun, or sums have been made."""
    victims = ["broker"] * arguments.kills + ["mongod"] * arguments.mongo_kills
    chance.shuffle(victims)
    for number, victim in enumerate(victims, 1):
        await asyncio.sleep(chance.uniform(0.2, arguments.longest))
        calm = arguments.calm > 0 and number % arguments.calm == 0
        if calm:
            await packing(uri, chance)
        if victim == "mongod":
            if mongo.pid is not None:
                os.kill(mongo.pid, signal.SIGKILL)
            continue
        # All of them where whichever packs is to be killed at it.
        killed = brokers if calm else [chance.choice(brokers)]
        for broker in killed:
            await broker.kill()
        for broker in killed:
            await broker.start()


async def packing(uri: str, chance: random.Random) -> None:
    """Returns soon after the number of buckets has changed, or that of days that are summed up."""
    name = chance.choice(("history", "historySums"))
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        before = await packed(client, name)
        for _ in range(int(CALM_SECONDS / 0.1)):
            await asyncio.sleep(0.1)
            if await packed(client, name) != before:
                break
    await asyncio.sleep(chance.uniform(0, 0.2))


async def packed(client: AsyncMongoClient[dict[str, Any]], name: str) -> int | None:
    """How many documents there are; None while MongoDB is away."""
    try:
        return await client.beffroi[name].estimated_document_count()
    except PyMongoError:
        return None


async def check(writers: Writers) -> tuple[int, list[str]]:
    """How many instances the history has, and what did not hold, in sentences."""
    kept, faults = 0, []
    for name, last in sorted(writers.accepted.items()):
        wanted = list(range(1, last + 1))
        if ":Archive:" in name:
            query = "format=aggregatedValues&aggrMethods=totalCount,sum,min,max"
            shown = (await answered(writers, f"{name}?{query}")).get("archived", {})
            found = {method: sum(one[0] for one in shown.get(method, ())) for method in ("totalCount", "sum", "max")}
            kept += found["totalCount"]
            if found != {"totalCount": last, "sum": sum(wanted), "max": last}:
                faults.append(f"{name}: 1 to {last} were accepted, their sums are {found}")
            continue
        evolution = await answered(writers, f"{name}?format=normalized")
        values = [one["value"] for one in evolution.get("power" if ":Lamp:" in name else "late", ())]
        kept += len(values)
        if values != (wanted if ":Lamp:" in name else wanted[::-1]):
            missing, twice = set(wanted) - set(values), len(values) - len(set(values))
            faults.append(f"{name}: of {last} accepted, {len(missing)} are lost, {twice} are there twice")
    return kept, faults


async def answered(writers: Writers, path: str) -> dict[str, Any]:
    """What the history of an entity says, as soon as a broker answers."""
    for _ in range(300):
        broker = random.choice(writers.brokers)
        try:
            async with writers.session.get(f"{broker.url}/ngsi-ld/v1{_TEMPORAL}/{path}") as answer:
                if answer.status == 200:
                    found: dict[str, Any] = await answer.json()
                    return found
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(0.1)
    raise SystemExit(f"no broker answers {path}")


async def where(uri: str) -> dict[str, int]:
    """Where the history is: what waits, packed days, days of sums."""
    names = {"changes wait": "historyLog", "buckets are packed": "history", "days are summed up": "historySums"}
    async with AsyncMongoClient[dict[str, Any]](uri) as client:
        return {what: await client.beffroi[name].count_documents({}) for what, name in names.items()}


def _one(value: int, observed_at: str) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": observed_at}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of the moments; another one each time if not given")
    parser.add_argument("--kills", type=int, default=50, help="of all brokers")
    parser.add_argument("--mongo-kills", type=int, default=10, help="of mongod")
    parser.add_argument("--brokers", type=int, default=2, help="processes that serve the same database")
    parser.add_argument("--writers", type=int, default=3, help="of each kind")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between the writes of a writer")
    parser.add_argument("--longest", type=float, default=4.0, help="seconds between kills at most")
    parser.add_argument("--calm", type=int, default=8, help="each so many kills packing is waited for")
    known, _ = parser.parse_known_args()
    sys.exit(uvloop.run(main(known)))
