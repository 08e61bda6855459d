"""How long a command takes from its writing at the broker to the vendor's request, and how many go in a second.

    python -m tests.bench.commands

A real broker, the adapter as users run it, a vendor that answers at once. On the way: the broker's log and
notification, the adapter's ledger and audit, three writes that wait for the disk.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from tests.adapters.peer import Process, free_port
from tests.conftest import Broker

ONE_BY_ONE = 100
AT_ONCE = 200


class Vendor:
    """Notes when each value was asked for."""

    def __init__(self):
        self.port = free_port()
        self.asked = {}
        self._came = asyncio.Event()

    async def start(self):
        application = web.Application()
        application.router.add_post("/", self._take)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()

    async def _take(self, request):
        self.asked[(await request.json())["value"]] = time.perf_counter()
        self._came.set()
        return web.json_response({}, status=201)

    async def has(self, count):
        async with asyncio.timeout(120):
            while len(self.asked) < count:
                self._came.clear()
                await self._came.wait()


def definition(broker, vendor, source, state):
    request = {"url": f"http://127.0.0.1:{vendor.port}/", "body": "{value: value}"}
    valve = {
        "id": "urn:ngsi-ld:Valve:{name}",
        "type": "Valve",
        "attributes": {"flow": "flow"},
        "address": "{name: name}",
        "commands": {"setValue": {"request": request}},
    }
    return {
        "source": {"kind": "webhook", "port": source},
        "format": "json",
        "validate": "off",
        "state": str(state),
        "broker": {"url": broker.url},
        "commands": {"port": free_port(), "rate": 10_000},
        "entities": {"valve": valve},
    }


async def main():
    with tempfile.TemporaryDirectory() as directory:
        broker, vendor, source = Broker(Path(directory)), Vendor(), free_port()
        await broker.start()
        await vendor.start()
        file = Path(directory) / "valves.yaml"
        file.write_text(yaml.safe_dump(definition(broker, vendor, source, Path(directory) / "state")))
        process = Process([file], Path(directory))
        link = f'<{broker.url}/contexts/territory.jsonld>; rel="http://www.w3.org/ns/json-ld#context"'
        try:
            async with aiohttp.ClientSession(headers={"Link": link + '; type="application/ld+json"'}) as session:
                await _tell(session, source)

                async def command(number):
                    url = f"{broker.url}/ngsi-ld/v1/entities/urn:ngsi-ld:Valve:{number % AT_ONCE}/attrs"
                    began = time.perf_counter()
                    body = {"setValue": {"type": "Property", "value": number}}
                    async with session.post(url, json=body) as answer:
                        assert answer.status == 204, await answer.text()
                    return began

                times = []
                for number in range(ONE_BY_ONE):
                    began = await command(number)
                    await vendor.has(number + 1)
                    times.append(vendor.asked[number] - began)
                began = time.perf_counter()
                await asyncio.gather(*(command(ONE_BY_ONE + number) for number in range(AT_ONCE)))
                await vendor.has(ONE_BY_ONE + AT_ONCE)
                rate = AT_ONCE / (time.perf_counter() - began)
        finally:
            process.dispose()
            await broker.stop()
    times.sort()
    print(f"one by one: {statistics.median(times) * 1000:.0f} ms at the median, {times[-5] * 1000:.0f} ms of 95 %")
    print(f"{AT_ONCE} at once: {rate:.0f} a second")


async def _tell(session, source):
    """The records of the valves, and time for them to be at the broker."""
    records = [{"name": str(number), "flow": 1} for number in range(AT_ONCE)]
    for _ in range(200):
        try:
            async with session.post(f"http://127.0.0.1:{source}/", json=records) as answer:
                assert answer.status == 204
            await asyncio.sleep(3)
            return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
