"""A third party's application: it subscribes to the territory, and shows what the broker notifies it of.

It knows nothing of vendors, only NGSI-LD: a subscription a trade (5.8.1), so that traffic need not wait for seven
thousand lights, and an HTTP endpoint that takes notifications (5.8.6) and answers 200 once it has them.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from beffroi.demo.broker import BrokerClient
from beffroi.demo.ledger import Ledger, marks

TRADES = {
    "lighting": ("Streetlight", "StreetlightControlCabinet"),
    "roads": ("TrafficFlowObserved", "Alert"),
    "parks": ("Garden", "GreenspaceRecord"),
    "buildings": ("Building",),
    "energy": ("ACMeasurement",),
    "video protection": ("Camera", "ItemFlowObserved"),
    "wifi": ("AccessPoint",),
    "reports": ("service_requests",),
    "equipment": ("Device", "DeviceMeasurement"),
}
"""Devices and their measurements are of several trades: traffic lights, buildings, soil sensors."""

_INTERESTING = ("status", "powerState", "powerConsumption", "totalActivePower", "sdmEnergy:totalActivePower",
                "voltageR", "intensity", "averageVehicleSpeed", "soilMoistureVwc", "soilTemperature", "batteryLevel",
                "rssi", "numValue", "textValue", "on", "apState", "clientsConnected", "subCategory", "description",
                "status_notes")  # fmt: skip
"""What the application shows of an entity, where it has it."""


class Application:
    """Counts the entities it is notified of, notes them in its ledger and, once told to, shows some of them.

    `count`: entities notified so far; `first`: the monotonic time of the first notification.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.count = 0
        self.first: float | None = None
        self._ledger = ledger
        self._show: Callable[[str], None] | None = None
        self._runner: web.AppRunner
        self._second = 0
        self._shown: Counter[str] = Counter()

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
        """Asks to be notified of every change of the territory's entities from now on."""
        for trade, types in TRADES.items():
            await broker.subscribe(
                {
                    "id": f"urn:ngsi-ld:Subscription:demonstration-{trade.replace(' ', '-')}",
                    "type": "Subscription",
                    "subscriptionName": f"Demonstration: whatever changes in {trade}",
                    "entities": [{"type": entity_type} for entity_type in types],
                    "notification": {"endpoint": {"uri": endpoint, "accept": "application/json"}},
                }
            )

    def tell(self, show: Callable[[str], None]) -> None:
        """From now on gives `show` a line for entities that something was observed of, a few a second."""
        self._show = show

    async def stop(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()

    async def _notified(self, request: web.Request) -> web.Response:
        notification = orjson.loads(await request.read())
        entities: list[dict[str, Any]] = notification["data"]
        self._ledger.write_all((entity["id"], mark) for entity in entities for mark in marks(entity))
        self.count += len(entities)
        if self.first is None:
            self.first = time.monotonic()
        if self._show is not None:
            self._show_some(entities, self._show)
        return web.Response()

    def _show_some(self, entities: list[dict[str, Any]], show: Callable[[str], None]) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._shown.clear()
        for entity in entities:
            text = line(entity)
            if text and self._shown[entity["type"]] < _LINES_A_SECOND:
                self._shown[entity["type"]] += 1
                show(text)


_LINES_A_SECOND = 2
"""Of each type: so that one can follow them."""


def line(entity: dict[str, Any]) -> str:
    """One entity in one line: what it is called and what was observed of it; empty if that is nothing."""
    name = next((entity[each]["value"] for each in ("name", "cameraName") if each in entity), entity["id"])
    values = [_shown(entity[each]) for each in _INTERESTING if "value" in entity.get(each, {})]
    return f"{entity['type']}  {name}  {'  '.join(values)}" if values else ""


def _shown(attribute: dict[str, Any]) -> str:
    unit = _UNITS.get(attribute.get("unitCode", ""), "")
    return f"{attribute['value']}{unit}"


_UNITS = {"WTT": " W", "KWT": " kW", "VLT": " V", "KMH": " km/h", "CEL": " °C", "DBM": " dBm", "P1": " %"}
