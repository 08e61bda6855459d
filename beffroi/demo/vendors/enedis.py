"""Enedis, which drops the load curves of the towns' meters into a folder, as files of the flow R63.

The real flow has yesterday's half hours, once a day. Here a file has the next five minutes of every meter, every ten
seconds; the first one has half an hour, and begins two days ago.
"""

import asyncio
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson

from beffroi.demo.equipment import Meter
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.vendors import Vendor, now, utc

_PARIS = timezone(timedelta(hours=1))
_STEP = timedelta(minutes=5)
_FIRST = 6
_EVERY = 10.0
_NAME = "R63_%Y%m%d%H%M"
"""Of a file: until when its values go, UTC."""


class EnergySupplier(Vendor):
    """Writes into `folder`; a file is taken once it is gone from there."""

    protocol = "Enedis R63 files"

    def __init__(self, folder: Path, meters: Sequence[Meter], page: Page, rng: random.Random) -> None:
        self._folder = folder
        self._meters = meters
        self._page = page
        self._rng = rng
        self._until = now().replace(minute=0, second=0, microsecond=0) - timedelta(days=2)

    async def start(self) -> None:
        """Makes the folder, and goes on after the last file of an earlier start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in self._folder.rglob("R63_*.json"):
            self._until = max(self._until, datetime.strptime(file.stem, _NAME).replace(tzinfo=UTC))

    async def round(self) -> int:
        """A first file, and waits until it was taken; the number of meters."""
        await self._drop(_FIRST)
        return len(self._meters)

    async def keep_sending(self) -> None:
        """A file every ten seconds, until the present is reached; from then on every five minutes."""
        while True:
            await asyncio.sleep(_EVERY)
            await self._drop(1)

    async def _drop(self, steps: int) -> None:
        starts = [self._until + step * _STEP for step in range(steps) if self._until + (step + 1) * _STEP < now()]
        if not starts:
            return
        self._until = starts[-1] + _STEP
        name = f"{self._until:{_NAME}}.json"
        measures = [self._measures(meter, starts) for meter in self._meters]
        whole = {"header": {"codeFlux": "R63", "format": "JSON"}, "mesures": measures}
        written = self._folder / f".{name}"
        written.write_bytes(orjson.dumps(whole))
        file = written.rename(self._folder / name)
        while file.exists():  # noqa: ASYNC110  the adapter moves it
            await asyncio.sleep(0.05)
        self._page.write_all(
            [
                (entity_id("ACMeasurement", f"{meter.key}-load"), utc(start + _STEP))
                for start in starts
                for meter in self._meters
            ]
        )

    def _measures(self, meter: Meter, starts: list[datetime]) -> dict[str, Any]:
        points = [
            {"d": start.astimezone(_PARIS).isoformat(), "v": str(self._power(meter, start)), "p": "PT5M", "n": "R"}
            for start in starts
        ]
        return {
            "idPrm": meter.key,
            "etapeMetier": "BRUT",
            "modeCalcul": "MESURE",
            "grandeur": [{"grandeurMetier": "CONS", "grandeurPhysique": "PA", "unite": "W", "points": points}],
        }

    def _power(self, meter: Meter, start: datetime) -> int:
        """Watts: most at two in the afternoon, a fifth of it by night."""
        share = 0.6 + 0.4 * math.cos((start.hour - 14) / 12 * math.pi)
        return round(meter.power * share * self._rng.uniform(0.9, 1.1))
