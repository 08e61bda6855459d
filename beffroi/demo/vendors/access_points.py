"""A UniFi Network controller with the access points of the public Wi-Fi: `GET …/stat/device`, with an API key.

The list has no time of its own, but each access point has that of its last report (`last_seen`).
"""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from beffroi.demo.equipment import Hotspot
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.vendors import Vendor, utc
from beffroi.demo.vendors.loopback import Site, answered

KEY = "demonstration-wifi"
EVERY = 8.0
_PATH = "/proxy/network/api/s/default/stat/device"


class WifiController(Vendor):
    """Serves its list at `url`."""

    protocol = "UniFi controller"

    def __init__(self, hotspots: Sequence[Hotspot], page: Page, rng: random.Random) -> None:
        self._hotspots = hotspots
        self._page = page
        self._rng = rng
        self._seen = 0
        self._clients = {hotspot.key: rng.randrange(30) for hotspot in hotspots}
        self._fetched = asyncio.Event()
        self._site = Site([web.get(_PATH, self._list)])

    @property
    def url(self) -> str:
        """Of the list."""
        return self._site.url + _PATH

    async def start(self) -> None:
        """Hears of its access points for the first time."""
        self._hear()
        await self._site.start()

    async def stop(self) -> None:
        """Stops serving."""
        await self._site.stop()

    async def round(self) -> int:
        """Waits until somebody has asked for the list; the number of access points."""
        await self._fetched.wait()
        return len(self._hotspots)

    async def keep_sending(self) -> None:
        """Visitors come and go."""
        while True:
            await asyncio.sleep(EVERY)
            self._hear()

    def _hear(self) -> None:
        self._seen = int(time.time())
        for key, clients in self._clients.items():
            self._clients[key] = max(0, clients + self._rng.randint(-3, 3))

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("X-API-KEY") != KEY:
            return web.Response(status=401)
        seen = self._seen
        body = orjson.dumps({"meta": {"rc": "ok"}, "data": [self._device(each) for each in self._hotspots]})
        response = await answered(request, body, {}, "application/json")
        mark = utc(datetime.fromtimestamp(seen, UTC))
        self._page.write_all([(entity_id("AccessPoint", each.key.replace(":", "")), mark) for each in self._hotspots])
        self._fetched.set()
        return response

    def _device(self, hotspot: Hotspot) -> dict[str, Any]:
        return {
            "mac": hotspot.key,
            "type": "uap",
            "name": hotspot.name,
            "model": "U7PG2",
            "serial": hotspot.key.replace(":", "").upper(),
            "version": "6.6.65",
            "state": 1,
            "num_sta": self._clients[hotspot.key],
            "last_seen": self._seen,
            "vap_table": [{"essid": "Chalons-WiFi", "num_sta": self._clients[hotspot.key]}],
        }
