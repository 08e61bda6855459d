"""Citizens with an application that speaks Open311 GeoReport v2, and the town's clerk who works on their reports.

    POST /requests.json             a citizen reports something, with an API key
    GET  /requests/<number>.json    the application reads back what became of it

The clerk is no vendor: she closes a report in the broker, by NGSI-LD, as the towns' own application would.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from beffroi.demo.broker import BrokerClient, BrokerError
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.territory import Light
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.posting import post

KEY = "demonstration-citizens"
SERVICES = (("001", "Éclairage public"), ("006", "Voirie"), ("011", "Propreté"))
_TOLD = {
    "001": ("Le lampadaire clignote", "Le lampadaire est éteint depuis hier"),
    "006": ("Nid-de-poule", "Le panneau est tombé"),
    "011": ("Dépôt sauvage", "La corbeille déborde"),
}
_FIRST = 6
_EVERY = 15.0
_POLL = 0.25


class Citizens(Vendor):
    """Report at the Open311 service at `url` what they see beside the lights; the clerk writes to the broker."""

    protocol = "Open311 GeoReport v2"

    def __init__(self, url: str, broker: BrokerClient, lights: Sequence[Light], page: Page, rng: random.Random) -> None:
        self._url = url
        self._broker = broker
        self._lights = lights
        self._page = page
        self._rng = rng
        self._open: list[str] = []
        self._session: aiohttp.ClientSession

    async def start(self) -> None:
        """Opens the application's connection pool."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def stop(self) -> None:
        """Closes it."""
        await self._session.close()

    async def round(self) -> int:
        """A few reports, the first of which is closed and read back as closed; the number of reports."""
        for _ in range(_FIRST):
            await self._report()
        await self._close()
        return _FIRST

    async def keep_sending(self) -> None:
        """In turn a new report, and the end of the oldest."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._report()
            await asyncio.sleep(_EVERY)
            await self._close()

    async def _report(self) -> None:
        light = self._rng.choice(self._lights)
        code, _ = self._rng.choice(SERVICES)
        form = {
            "api_key": KEY,
            "service_code": code,
            "description": self._rng.choice(_TOLD[code]),
            "lat": str(light.place.latitude),
            "long": str(light.place.longitude),
            "address_string": f"{light.place.street}, {light.place.commune}",
            "email": "citizen@example.org",
        }
        number = orjson.loads(await post(self._session, self._url + "/requests.json", form))[0]["service_request_id"]
        self._page.write(entity_id("service_requests", number), "")
        self._open.append(number)

    async def _close(self) -> None:
        """The clerk closes the oldest report once it is in the broker; the application waits to read it."""
        number = self._open.pop(0)
        await self._read(number, "open")
        time = utc(now())
        done = {
            "status": {"type": "Property", "value": "closed", "observedAt": time},
            "status_notes": {"type": "Property", "value": "Réparé, merci.", "observedAt": time},
            "updated_datetime": {
                "type": "Property",
                "value": {"@type": "DateTime", "@value": time},
                "observedAt": time,
            },
        }
        while True:
            with contextlib.suppress(BrokerError, aiohttp.ClientError, TimeoutError):
                await self._broker.append(entity_id("service_requests", number), done)
                break
            await asyncio.sleep(_POLL)
        self._page.write(entity_id("service_requests", number), time)
        await self._read(number, "closed")

    async def _read(self, number: str, status: str) -> None:
        """Reads a report back until it has the status."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.get(f"{self._url}/requests/{number}.json") as response:
                    found: Any = orjson.loads(await response.read()) if response.status == 200 else []
                    if found and found[0]["status"] == status:
                        return
            await asyncio.sleep(_POLL)
