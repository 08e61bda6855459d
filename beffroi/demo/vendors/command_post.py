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
    """Dims lights, once the gateway has announced them (`announced`)."""

    protocol = "NGSI-LD commands"

    def __init__(
        self, broker: BrokerClient, lights: Sequence[Light], announced: asyncio.Event, page: Page, rng: random.Random
    ) -> None:
        self._broker = broker
        self._lights = lights
        self._announced = announced
        self._page = page
        self._rng = rng

    async def round(self) -> int:
        """Dims one light, and waits until the gateway has the command; RuntimeError where it did not take it.

        What the light then says of itself comes with the street lighting, behind all that the gateway announced.
        """
        await self._announced.wait()
        status = await self._dim(self._rng.choice(self._lights), (*_LASTING, "DELIVERED"))
        if status not in ("OK", "DELIVERED"):
            raise RuntimeError(f"the command to dim a light came to {status}")
        return 1

    async def keep_sending(self) -> None:
        """Another light now and then."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._dim(self._rng.choice(self._lights), _LASTING)

    async def _dim(self, light: Light, until: Sequence[str]) -> str:
        """What became of the command: one of `until`."""
        light_id, time = entity_id("Streetlight", light.name), utc(now())
        level = {"type": "Property", "value": self._rng.choice((0.2, 0.4)), "observedAt": time}
        asked = level | {"requestedBy": {"type": "Property", "value": "command post"}}
        written = False
        while True:
            with contextlib.suppress(BrokerError, aiohttp.ClientError, TimeoutError):
                if not written:
                    await self._broker.append(light_id, {COMMAND: asked})
                    written = True
                    self._page.write(light_id, "")
                status = (await self._broker.get(light_id)).get(COMMAND_STATUS, {})
                if status.get("value") in until and status.get("observedAt", "") >= time:
                    return str(status["value"])
            await asyncio.sleep(_POLL)
