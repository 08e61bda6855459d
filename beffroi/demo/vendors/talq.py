"""A TALQ 2.7.1 gateway of a street lighting network: it announces its devices to the CMS and reports what changes.

    POST /devices        everything at start-up, a few hundred devices a message
    PATCH /devices       lights that somebody's passing turns up, cabinets' meters
    POST /log-reports    a lamp that fails, and its repair

and it takes orders: `POST /override-commands` is answered 202, and carried out with a PATCH that names the order.

It is always night here: by day there would be nothing to see.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import orjson
from aiohttp import web

from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.territory import Cabinet, Light
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.loopback import Site
from beffroi.demo.vendors.posting import post

VERSION = "2.7.1"
_DEVICES_A_MESSAGE = 250
_TICK = 1.0
_LIGHTS_A_TICK = 5


class TalqGateway(Vendor):
    """Speaks to the CMS at `url` for all lights and cabinets."""

    protocol = "TALQ 2.7"

    def __init__(
        self, url: str, lights: Sequence[Light], cabinets: Sequence[Cabinet], page: Page, rng: random.Random
    ) -> None:
        self._url = url
        self._lights = lights
        self._cabinets = cabinets
        self._page = page
        self._rng = rng
        self._address = str(UUID(int=rng.getrandbits(128), version=4))
        self._levels = {light.key: rng.choice((30, 50, 70, 100)) for light in lights}
        self._failed: list[Light] = []
        self._energy = {cabinet.key: rng.uniform(20_000, 90_000) for cabinet in cabinets}
        self._load = dict.fromkeys(self._energy, 0.0)
        for light in lights:
            self._load[light.cabinet.key] += self._power(light)
        self.announced = asyncio.Event()
        self.obeyed = asyncio.Event()
        self._by_key = {light.key: light for light in lights}
        self._site = Site([web.post("/override-commands", self._order)])
        self._orders: asyncio.Queue[tuple[Light, int, str]] = asyncio.Queue()
        self._obeying: asyncio.Task[None]
        self._session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        """Where it takes orders."""
        return self._site.url

    async def start(self) -> None:
        """Takes orders from now on."""
        self._session = aiohttp.ClientSession(headers={"talq-api-version": VERSION})
        await self._site.start()
        self._obeying = asyncio.create_task(self._obey())

    async def stop(self) -> None:
        """Takes none any more."""
        self._obeying.cancel()
        await self._site.stop()
        await self._session.close()

    async def round(self) -> int:
        """Announces every device with its state; the number of devices."""
        devices: list[Light | Cabinet] = [*self._cabinets, *self._lights]
        for start in range(0, len(devices), _DEVICES_A_MESSAGE):
            await self._tell("POST", "/devices", devices[start : start + _DEVICES_A_MESSAGE], announce=True)
        self.announced.set()
        return len(devices)

    async def keep_sending(self) -> None:
        """Every second a few lights change; every ten seconds a meter is read; now and then a lamp fails."""
        tick = 0
        while True:
            await asyncio.sleep(_TICK)
            tick += 1
            lights = self._rng.sample(self._lights, k=_LIGHTS_A_TICK)
            for light in lights:
                self._change(light, self._rng.choice((30, 50, 70, 100)))
            meters = [self._rng.choice(self._cabinets)] if tick % 10 == 0 else []
            await self._tell("PATCH", "/devices", [*lights, *meters], announce=False)
            if tick % 15 == 0:
                await self._fail_or_repair()

    async def _order(self, request: web.Request) -> web.Response:
        """An order for some lights, by their controllers' addresses."""
        content = await request.json()
        level = round(content["targetCommand"]["state"]["value"])
        for each in content["addresses"]:
            light = self._by_key[each["address"].partition("/")[0]]
            self._orders.put_nowait((light, level, request.query["talqRequestId"]))
        return web.Response(status=202)

    async def _obey(self) -> None:
        while True:
            light, level, order = await self._orders.get()
            self._change(light, level)
            await self._tell("PATCH", "/devices", [light], announce=False, order=order)
            self.obeyed.set()

    def _change(self, light: Light, level: int) -> None:
        self._load[light.cabinet.key] -= self._power(light)
        self._levels[light.key] = level
        self._load[light.cabinet.key] += self._power(light)

    async def _tell(
        self, method: str, path: str, devices: Sequence[Light | Cabinet], *, announce: bool, order: str = ""
    ) -> None:
        time = now()
        content = [
            self._lamp(device, time, announce) if isinstance(device, Light) else self._cabinet(device, time, announce)
            for device in devices
        ]
        await self._send(method, path, content, order)
        self._page.write_all([(_id(device), utc(time)) for device in devices])

    async def _fail_or_repair(self) -> None:
        """The oldest of three failed lamps is repaired, or else one more fails."""
        repaired = len(self._failed) >= 3
        light = self._failed.pop(0) if repaired else self._rng.choice(self._lights)
        if not repaired:
            self._failed.append(light)
        time = now()
        event = {
            "type": "EventLogData",
            "srcAddress": f"{light.key}/monitor",
            "timestamp": utc(time),
            "eventType": "lampFailure",
            "startEndFlag": not repaired,
        }
        await self._send("POST", "/log-reports", {"address": self._address, "entries": [{"data": event}]})
        self._page.write(_id(light), utc(time))

    async def _send(self, method: str, path: str, content: Any, order: str = "") -> None:
        """Sends until the CMS has taken it, as the protocol's retry asks."""
        parameters = {
            "clientAddress": self._address,
            "talqRequestId": str(UUID(int=self._rng.getrandbits(128), version=4)),
        }
        if order:
            parameters["talqOriginRequestId"] = order
        url = f"{self._url}{path}?{urlencode(parameters)}"
        await post(self._session, url, orjson.dumps(content), {"Content-Type": "application/json"}, method)

    def _lamp(self, light: Light, time: datetime, announce: bool) -> dict[str, Any]:
        """A lamp controller: its actuator and its monitor, and for an announcement what it is and where."""
        level, power, voltage = self._levels[light.key], self._power(light), self._rng.uniform(226, 236)
        functions = [
            {"id": "actuator", "type": "LampActuatorFunction"}
            | _attribute("LevelState", "actualLightState", {"name": "LevelState", "value": level}, time),
            {"id": "monitor", "type": "LampMonitorFunction"}
            | _attribute("Float", "activePower", round(power, 1), time)
            | _attribute("Float", "supplyVoltage", round(voltage, 1), time)
            | _attribute("Float", "supplyCurrent", round(power / voltage / 0.96, 3), time)
            | _attribute("Float", "powerFactor", 0.96, time),
        ]
        if announce:
            functions[1] |= _attribute("Boolean", "lampFailure", False, time)
            functions.insert(0, _basic(light, time))
        return {"address": light.key, "name": light.name, "class": "LampController", "functions": functions}

    def _cabinet(self, cabinet: Cabinet, time: datetime, announce: bool) -> dict[str, Any]:
        """A cabinet controller and its meter."""
        kilowatts = self._load[cabinet.key] / 1000
        self._energy[cabinet.key] += kilowatts * 0.01
        voltage = self._rng.uniform(228, 234)
        meter = (
            {"id": "meter", "type": "ElectricalMeterFunction"}
            | _attribute("Float", "totalPower", round(kilowatts, 3), time)
            | _attribute("Float", "totalActiveEnergy", round(self._energy[cabinet.key], 2), time)
            | _attribute("Float", "phase1Voltage", round(voltage, 1), time)
            | _attribute("Float", "phase1Current", round(kilowatts * 1000 / 3 / voltage, 2), time)
            | _attribute("Float", "phase1PowerFactor", 0.96, time)
            | _attribute("Float", "frequency", round(self._rng.uniform(49.97, 50.03), 2), time)
        )
        functions = [_basic(cabinet, time), meter] if announce else [meter]
        return {"address": cabinet.key, "name": cabinet.name, "class": "CabinetController", "functions": functions}

    def _power(self, light: Light) -> float:
        return light.power * self._levels[light.key] / 100


def _basic(device: Light | Cabinet, time: datetime) -> dict[str, Any]:
    location = {"latitude": device.place.latitude, "longitude": device.place.longitude}
    return (
        {"id": "basic", "type": "BasicFunction"}
        | _attribute("String", "assetId", device.name, time)
        | _attribute("Location", "location", location, time)
    )


def _attribute(kind: str, name: str, value: Any, time: datetime) -> dict[str, Any]:
    return {name: {"type": f"Attribute{kind}", "timestamp": utc(time), "value": value}}


def _id(device: Light | Cabinet) -> str:
    return entity_id("Streetlight" if isinstance(device, Light) else "StreetlightControlCabinet", device.name)
