"""A building management system that speaks Project Haystack (JSON of version 4): its sites, and its points' values.

    GET /api/chalons/read?filter=site or (point and cur)

It says no time with a value, so that the time is that of the poll; a value here is never twice the same.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from aiohttp import web

from beffroi.demo.equipment import Point
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page, mark
from beffroi.demo.territory import Building
from beffroi.demo.vendors import Vendor
from beffroi.demo.vendors.loopback import Site, answered

TOKEN = "demonstration-bms"  # noqa: S105  of two ends on loopback
FILTER = "site or (point and cur)"
EVERY = 10.0
_MARKER = {"_kind": "marker"}


class BuildingSystem(Vendor):
    """Serves a project's API below `url`."""

    protocol = "Project Haystack"

    def __init__(self, buildings: Sequence[Building], points: Sequence[Point], page: Page, rng: random.Random) -> None:
        equipped = {point.building for point in points}
        self._buildings = [building for building in buildings if building.key in equipped]
        self._points = points
        self._page = page
        self._rng = rng
        self._values = {point.key: point.usual for point in points}
        self._fetched = asyncio.Event()
        self._site = Site([web.get("/api/chalons/read", self._read)])

    @property
    def url(self) -> str:
        """Of the project."""
        return f"{self._site.url}/api/chalons"

    async def start(self) -> None:
        """Reads its points for the first time."""
        self._measure()
        await self._site.start()

    async def stop(self) -> None:
        """Stops serving."""
        await self._site.stop()

    async def round(self) -> int:
        """Waits until somebody has read it; the number of buildings and points."""
        await self._fetched.wait()
        return len(self._buildings) + len(self._points)

    async def keep_sending(self) -> None:
        """New values every ten seconds, for whoever reads them."""
        while True:
            await asyncio.sleep(EVERY)
            self._measure()

    def _measure(self) -> None:
        for point in self._points:
            drift = self._rng.uniform(-0.02, 0.02) * point.usual
            value = 0.9 * (self._values[point.key] + drift) + 0.1 * point.usual
            self._values[point.key] = round(value, 3)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=403)
        if request.query.get("filter") != FILTER:
            return web.Response(status=400, text="this system knows one filter only: " + FILTER)
        values = dict(self._values)
        rows = [*map(_building, self._buildings), *self._rows(values)]
        grid = {"_kind": "grid", "meta": {"ver": "3.0"}, "cols": [{"name": "id"}], "rows": rows}
        response = await answered(request, orjson.dumps(grid), {}, "application/json")
        pairs = [(entity_id("Building", building.key), "") for building in self._buildings]
        pairs += [(entity_id("Device", key), "") for key in values]
        pairs += [(entity_id("DeviceMeasurement", key), mark(value)) for key, value in values.items()]
        self._page.write_all(pairs)
        self._fetched.set()
        return response

    def _rows(self, values: dict[str, float]) -> Iterator[dict[str, Any]]:
        for point in self._points:
            yield {
                "id": {"_kind": "ref", "val": point.key, "dis": point.name},
                "dis": point.name,
                "siteRef": {"_kind": "ref", "val": point.building},
                "kind": "Number",
                "unit": point.unit,
                "curVal": {"_kind": "number", "val": values[point.key], "unit": point.unit},
                "curStatus": "ok",
                **dict.fromkeys(("point", "cur", "sensor", *point.tags), _MARKER),
            }


def _building(building: Building) -> dict[str, Any]:
    return {
        "id": {"_kind": "ref", "val": building.key, "dis": building.name},
        "site": _MARKER,
        "dis": building.name,
        "geoCoord": {"_kind": "coord", "lat": building.place.latitude, "lng": building.place.longitude},
        "geoStreet": building.place.street,
        "geoCity": building.place.commune,
        "geoCountry": "FR",
    }
