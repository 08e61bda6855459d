"""A third party's application: it subscribes to the territory, and shows what the broker notifies it of.

It knows nothing of vendors, only NGSI-LD: one subscription (5.8.1), and an HTTP endpoint that takes notifications
(5.8.6) and answers 200 once it has them.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from beffroi.demo.broker import BrokerClient
from beffroi.demo.ledger import Ledger, newest_observation

TYPES = (
    "Streetlight",
    "StreetlightControlCabinet",
    "Building",
    "TrafficFlowObserved",
    "Garden",
    "Device",
    "GreenspaceRecord",
)
SUBSCRIPTION = "urn:ngsi-ld:Subscription:demonstration"

_INTERESTING = ("powerState", "illuminanceLevel", "status", "totalActivePower", "intensity", "averageVehicleSpeed",
                "soilMoistureVwc", "soilTemperature", "batteryLevel", "rssi")  # fmt: skip
"""What the application shows of an entity, where it has it."""


class Application:
    """Counts the entities it is notified of, notes them in its ledger and gives `show` a line for some of them."""

    def __init__(self, ledger: Ledger, show: Callable[[str], None]) -> None:
        self.counts: Counter[str] = Counter()
        self.first: float | None = None
        self._ledger = ledger
        self._show = show
        self._runner: web.AppRunner
        self._second = 0
        self._shown = 0

    async def start(self) -> str:
        """Listens on a free loopback port; the URL for notifications."""
        server = web.Application(client_max_size=64 * 1024 * 1024)
        server.router.add_post("/notifications", self._notified)
        self._runner = web.AppRunner(server, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        return f"http://{host}:{port}/notifications"

    async def subscribe(self, broker: BrokerClient, endpoint: str) -> None:
        """Asks to be notified of every change of the territory's entities."""
        await broker.subscribe(
            {
                "id": SUBSCRIPTION,
                "type": "Subscription",
                "subscriptionName": "Demonstration: everything that changes",
                "entities": [{"type": entity_type} for entity_type in TYPES],
                "notification": {"endpoint": {"uri": endpoint, "accept": "application/json"}},
            }
        )

    async def stop(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()

    async def _notified(self, request: web.Request) -> web.Response:
        notification = orjson.loads(await request.read())
        entities: list[dict[str, Any]] = notification["data"]
        self._ledger.write_all([(entity["id"], newest_observation(entity)) for entity in entities])
        for entity in entities:
            self.counts[entity["type"]] += 1
            self._tell(entity)
        if self.first is None:
            self.first = time.monotonic()
        return web.Response()

    def _tell(self, entity: dict[str, Any]) -> None:
        """A few lines a second: one can follow them, and a first load of thousands does not scroll by."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._shown = second, 0
        self._shown += 1
        if self._shown <= _LINES_A_SECOND:
            self._show(line(entity))


_LINES_A_SECOND = 4


def line(entity: dict[str, Any]) -> str:
    """One entity in one line: its name, and what is interesting of it."""
    called = entity.get("name", {}).get("value", entity["id"])
    values = (f"{name} {entity[name]['value']}" for name in _INTERESTING if "value" in entity.get(name, {}))
    return f"{entity['type']}  {called}  {', '.join(values)}"
