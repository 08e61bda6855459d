"""Traffic lights whose gateways publish what each signal shows, in the shape of the city of Jena's ILSA messages.

A crossing has two streets, with two signals each. Its times are local, and say so in their own way.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone

import orjson

from beffroi.demo.equipment import Crossing
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.mqtt import Messages

AREA = "chalons"
_CET = timezone(timedelta(hours=1))
_EVERY = 1.0
_FAULTS = 0.01
"""One change in a hundred shows lamps that must not be on together."""

_LAMPS = {
    "green": (True, False, False),
    "amber": (False, True, False),
    "red": (False, False, True),
    "redAmber": (False, True, True),
    "fault": (True, False, True),
}
"""What is on: green, amber, red."""

_PHASES = (
    ("green", "red"),
    ("amber", "red"),
    ("red", "redAmber"),
    ("red", "green"),
    ("red", "amber"),
    ("redAmber", "red"),
)
"""What the two streets of a crossing show, in turn."""


class TrafficLights(Vendor):
    """Publishes for the controllers of all crossings."""

    protocol = "ILSA, MQTT"

    def __init__(self, messages: Messages, crossings: Sequence[Crossing], page: Page, rng: random.Random) -> None:
        self._messages = messages
        self._crossings = crossings
        self._page = page
        self._rng = rng
        self._phases = {crossing.key: rng.randrange(len(_PHASES)) for crossing in crossings}

    async def round(self) -> int:
        """Once somebody has subscribed: what every signal shows; the number of crossings."""
        await self._messages.awaited("+/ilsa/")
        for crossing in self._crossings:
            for group, state in zip(crossing.groups, _PHASES[self._phases[crossing.key]], strict=True):
                await self._show(crossing, group, state)
        return len(self._crossings)

    async def keep_sending(self) -> None:
        """Every second some crossing goes to its next phase, and says which signals changed."""
        while True:
            await asyncio.sleep(_EVERY)
            crossing = self._rng.choice(self._crossings)
            before = _PHASES[self._phases[crossing.key]]
            self._phases[crossing.key] = phase = (self._phases[crossing.key] + 1) % len(_PHASES)
            for group, old, new in zip(crossing.groups, before, _PHASES[phase], strict=True):
                if old != new:
                    await self._show(crossing, group, "fault" if self._rng.random() < _FAULTS else new)

    async def _show(self, crossing: Crossing, group: str, state: str) -> None:
        for signal in (f"{group}/1", f"{group}/2"):
            time = now()
            content = {
                "eClass": "TLSignalState",
                "id": signal,
                "signalGroup": {"id": group},
                "timestamp": _local(time),
                "values": _LAMPS[state],
            }
            await self._messages.publish(f"{AREA}/ilsa/{crossing.key}/1/{signal}", orjson.dumps(content))
            key = f"{crossing.key}-{signal.replace('/', '-')}"
            pairs = [(entity_id("Device", crossing.key), utc(time)), (entity_id("DeviceMeasurement", key), utc(time))]
            self._page.write_all(pairs)


def _local(time: datetime) -> str:
    """2026-01-06T14:48:15.288ZCET: the Z means nothing."""
    return time.astimezone(_CET).replace(tzinfo=None).isoformat(timespec="milliseconds") + "ZCET"
