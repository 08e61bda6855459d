"""The command post, which acts on equipment: it writes a command into the broker and reads what became of it.

It is no vendor either, but an application that may command: it knows NGSI-LD, and nothing of TALQ.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import aiohttp

from beffroi.demo.broker import BrokerClient, BrokerError
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import COMMAND, COMMAND_STATUS, Page
from beffroi.demo.territory import Light
from beffroi.demo.vendors import Vendor, now, utc

_EVERY = 20.0
_POLL = 0.25
_LASTING = ("OK", "ERROR", "EXPIRED", "TIMEOUT", "UNKNOWN")


class CommandPost(Vendor):
    """Dims lights, once the gateway has `announced` them; `obeyed`: it has carried out a command."""

    protocol = "NGSI-LD commands"

    def __init__(
        self,
        broker: BrokerClient,
        lights: Sequence[Light],
        announced: asyncio.Event,
        obeyed: asyncio.Event,
        page: Page,
        rng: random.Random,
    ) -> None:
        self._broker = broker
        self._lights = lights
        self._announced = announced
        self._obeyed = obeyed
        self._page = page
        self._rng = rng

    async def round(self) -> int:
        """Dims one light, and waits until the gateway has done it.

        What the light then says of itself comes with the street lighting, behind all that the gateway announced.
        """
        await self._announced.wait()
        light = self._rng.choice(self._lights)
        await self._ask(light, utc(now()))
        await self._obeyed.wait()
        return 1

    async def keep_sending(self) -> None:
        """Another light now and then."""
        while True:
            await asyncio.sleep(_EVERY)
            light, time = self._rng.choice(self._lights), utc(now())
            await self._ask(light, time)
            await self._heard(light, time)

    async def _ask(self, light: Light, time: str) -> None:
        """Writes the command, again until the broker takes it."""
        level = {"type": "Property", "value": self._rng.choice((0.2, 0.4)), "observedAt": time}
        asked = level | {"requestedBy": {"type": "Property", "value": "command post"}}
        light_id = entity_id("Streetlight", light.name)
        while True:
            with contextlib.suppress(BrokerError, aiohttp.ClientError, TimeoutError):
                await self._broker.append(light_id, {COMMAND: asked})
                break
            await asyncio.sleep(_POLL)
        self._page.write(light_id, "")

    async def _heard(self, light: Light, time: str) -> str:
        """What became of the command of that time, once something did."""
        while True:
            with contextlib.suppress(BrokerError, aiohttp.ClientError, TimeoutError):
                status = (await self._broker.get(entity_id("Streetlight", light.name))).get(COMMAND_STATUS, {})
                if status.get("value") in _LASTING and status.get("observedAt", "") >= time:
                    return str(status["value"])
            await asyncio.sleep(_POLL)
