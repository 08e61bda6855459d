"""The drill: writers, subscribers and a checker, while brokers and MongoDB are killed and endpoints misbehave.

    make drill                                                       the long form: 50 kills
    .venv/bin/python -m tests.faults.drill --kills 5 --mongo-kills 1 --seed 7

At the end every accepted write must be in the store; every change that matched must have been delivered at least once
and in order per subscription, and a repetition must have the id of the first. Prints a table; exits 0 if all held.
"""

import argparse
import asyncio
import os
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
from pymongo import AsyncMongoClient

from broker.embedded import EmbeddedMongo
from broker.notifications.commands import backlog
from tests.conftest import free_port
from tests.faults.subscribers import HttpSubscriber, Mood, StreamSubscriber, Taken

_ENTITIES_PER_WRITER = 5
_TYPE = "Lamp"
_OPTIONS = ("--retry-first", "0.1", "--retry-longest", "1", "--lease", "1")
_SILENCE_SECONDS = 60.0


@dataclass
class BrokerProcess:
    """A `beffroi serve` that is killed and started again on the same port."""

    uri: str
    log: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and does not wait."""
        program = str(Path(sys.executable).parent / "beffroi")
        words = ["serve", "--port", str(self.port), "--mongo-uri", self.uri, *_OPTIONS, *self.options]
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(program, *words, stdout=log, stderr=log)

    async def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def stop(self) -> None:
        """Ends it in good order."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await self.process.wait()


@dataclass
class Writers:
    """Each has its own entities and counts them up; a write without an answer is made again until it is accepted."""

    session: aiohttp.ClientSession
    brokers: list[BrokerProcess]
    pause: float
    accepted: dict[str, int] = field(default_factory=dict)
    again: int = 0
    stopping: bool = False

    async def write(self, number: int) -> None:
        """One writer, until `stopping`."""
        names = [f"urn:ngsi-ld:{_TYPE}:{number}-{index}" for index in range(_ENTITIES_PER_WRITER)]
        turn = 0
        while not self.stopping:
            name = names[turn % len(names)]
            value = self.accepted.get(name, 0) + 1
            broker = self.brokers[turn % len(self.brokers)]
            while not await self._accepted(broker, name, value):
                self.again += 1
                turn += 1
                broker = self.brokers[turn % len(self.brokers)]
                await asyncio.sleep(0.05)
            self.accepted[name] = value
            turn += 1
            await asyncio.sleep(self.pause)

    async def _accepted(self, broker: BrokerProcess, name: str, value: int) -> bool:
        body = [{"id": name, "type": _TYPE, "n": value, "even": value % 2 == 0}]
        try:
            async with self.session.post(f"{broker.url}/ngsi-ld/v1/entityOperations/upsert", json=body) as answer:
                return answer.status in (201, 204)
        except (aiohttp.ClientError, TimeoutError):
            return False

    def expected(self, taken: Taken) -> set[tuple[str, int]]:
        """The changes that a subscription must have been told of."""
        step = 2 if taken.even_only else 1
        return {(name, value) for name, last in self.accepted.items() for value in range(step, last + 1, step)}


async def main(arguments: argparse.Namespace) -> int:
    """Runs the drill; 0 if all held."""
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}", flush=True)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="beffroi-drill-")))
        mongo = EmbeddedMongo(directory / "data", cache_gb=0.25)
        uri = await mongo.start()
        stack.push_async_callback(mongo.stop)
        brokers = [BrokerProcess(uri, directory / f"broker{number}.log") for number in range(arguments.brokers)]
        for broker in brokers:
            stack.push_async_callback(broker.stop)
            await broker.start()
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
        subscribers = [
            HttpSubscriber(Taken("steady"), chance, steady=True),
            *[HttpSubscriber(Taken(f"moody {number}"), chance, steady=False) for number in range(arguments.endpoints)],
            HttpSubscriber(Taken("moody, q=even==true", even_only=True), chance, steady=False),
        ]
        for one in subscribers:
            await one.open()
            stack.push_async_callback(one.close)
            await subscribe(session, brokers[0], one.url, even_only=one.taken.even_only)
        stream = StreamSubscriber(
            Taken("stream of events"), [one.url for one in brokers], await subscribe(session, brokers[0], "sse:events")
        )
        background = [asyncio.create_task(stream.follow())]
        background += [asyncio.create_task(one.misbehave()) for one in subscribers]
        await asyncio.wait_for(stream.ready.wait(), 30)
        writers = Writers(session, brokers, arguments.pause)
        writing = [asyncio.create_task(writers.write(number)) for number in range(arguments.writers)]

        begin = time.monotonic()
        await kill(brokers, mongo, chance, arguments)
        writers.stopping = True
        await asyncio.gather(*writing)
        for task in background[1:]:
            task.cancel()
        for one in subscribers:
            await one.recover()
        takers = [*(one.taken for one in subscribers), stream.taken]
        complete = await arrived(writers, takers)
        seconds = time.monotonic() - begin
        for task in background:
            task.cancel()
        faults = await check(session, brokers[0], uri, writers, takers)
        if stream.gaps:
            faults.append(f"the stream of events had {stream.gaps} gaps")
        report(arguments, writers, takers, stream.streams, seconds)
        if faults or not complete:
            print("\n".join(["FAILED", *faults]))
            for broker in brokers:
                print("".join(broker.log.read_text().splitlines(keepends=True)[-40:]), file=sys.stderr)
            return 1
    print("all held")
    return 0


async def subscribe(session: aiohttp.ClientSession, broker: BrokerProcess, uri: str, *, even_only: bool = False) -> str:
    """The id of a new subscription; made as soon as the broker answers."""
    body = {
        "type": "Subscription",
        "entities": [{"type": _TYPE}],
        "notification": {"format": "simplified", "endpoint": {"uri": uri, "timeout": 1000}},
    }
    if even_only:
        body["q"] = "even==true"
    for _ in range(600):
        try:
            async with session.post(f"{broker.url}/ngsi-ld/v1/subscriptions", json=body) as answer:
                if answer.status == 201:
                    return answer.headers["location"].rpartition("/")[2]
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise SystemExit(f"the broker does not answer:\n{broker.log.read_text()[-3000:]}")


async def kill(
    brokers: list[BrokerProcess], mongo: EmbeddedMongo, chance: random.Random, arguments: argparse.Namespace
) -> None:
    """The kills at random moments, also while the victim is still starting; of MongoDB among those of brokers."""
    victims = ["broker"] * arguments.kills + ["mongod"] * arguments.mongo_kills
    chance.shuffle(victims)
    for victim in victims:
        await asyncio.sleep(chance.uniform(0.2, arguments.longest))
        if victim == "mongod":
            if mongo.pid is not None:
                os.kill(mongo.pid, signal.SIGKILL)
            continue
        broker = chance.choice(brokers)
        await broker.kill()
        await broker.start()
    await asyncio.sleep(arguments.longest / 2)


async def arrived(writers: Writers, takers: list[Taken]) -> bool:
    """Waits until all that is expected has arrived, or nothing has for too long."""
    wanted = {one.name: len(writers.expected(one)) for one in takers}
    seen, since = -1, time.monotonic()
    while True:
        if all(len(set(one.first())) >= wanted[one.name] for one in takers):
            # What comes twice may still be on its way.
            await asyncio.sleep(1.0)
            return True
        count = sum(len(one.arrivals) for one in takers)
        if count != seen:
            seen, since = count, time.monotonic()
        elif time.monotonic() - since > _SILENCE_SECONDS:
            return False
        await asyncio.sleep(0.2)


async def check(
    session: aiohttp.ClientSession, broker: BrokerProcess, uri: str, writers: Writers, takers: list[Taken]
) -> list[str]:
    """What did not hold, in sentences."""
    faults: list[str] = []
    for name, value in writers.accepted.items():
        async with session.get(f"{broker.url}/ngsi-ld/v1/entities/{name}?options=keyValues") as answer:
            stored = (await answer.json()).get("n")
        if stored != value:
            faults.append(f"{name}: {value} was accepted, {stored} is stored")
    for one in takers:
        first = one.first()
        missing = writers.expected(one) - set(first)
        strange = set(first) - writers.expected(one)
        if missing or strange:
            examples = sorted(missing or strange)[:3]
            faults.append(f"{one.name}: {len(missing)} lost, {len(strange)} never written, such as {examples}")
        if one.renamed:
            faults.append(f"{one.name}: {one.renamed} came again with another id")
        last: dict[str, int] = {}
        for name, value in first:
            if value <= last.get(name, 0):
                faults.append(f"{one.name}: {name} {value} came after {last[name]}")
            last[name] = value
    orders = {one.name: one.first() for one in takers if not one.even_only}
    whole = orders[takers[0].name]
    faults += [f"{name} was told in another order than steady" for name, order in orders.items() if order != whole]

    async with AsyncMongoClient(uri) as client:
        faults += [f"{one.subscription}: {one.dead} given up" for one in await backlog(client) if one.dead]
    return faults


def report(arguments: argparse.Namespace, writers: Writers, takers: list[Taken], streams: int, seconds: float) -> None:
    """The table."""
    total = sum(writers.accepted.values())
    print(
        f"{arguments.kills} kills of {arguments.brokers} brokers, {arguments.mongo_kills} of mongod, {seconds:.0f} s: "
        f"{total} writes accepted, {writers.again} made again; the stream was taken up {streams} times"
    )
    print(f"{'subscription':22}{'matched':>9}{'taken':>9}{'twice':>7}  {'failed attempts'}")
    for one in takers:
        attempts = ", ".join(f"{mood.value} {one.attempts[mood]}" for mood in Mood if mood in one.attempts) or "-"
        matched = len(writers.expected(one))
        print(f"{one.name:22}{matched:>9}{len(set(one.first())):>9}{one.duplicates:>7}  {attempts}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of the moments and moods; another one each time if not given")
    parser.add_argument("--kills", type=int, default=50, help="of brokers")
    parser.add_argument("--mongo-kills", type=int, default=10, help="of mongod")
    parser.add_argument("--brokers", type=int, default=2, help="processes that serve the same database")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--endpoints", type=int, default=4, help="that misbehave")
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between the writes of a writer")
    parser.add_argument("--longest", type=float, default=6.0, help="seconds between kills at most")
    sys.exit(uvloop.run(main(parser.parse_args())))
