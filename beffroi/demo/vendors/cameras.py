"""A video management system: by webhook it says whether cameras work and what they counted, and signs what it says.

The message is that of the profile camera_status. Like real systems it sends the way to an image too, which the adapter
takes out before anything else looks at it.
"""

import asyncio
import hashlib
import hmac
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import orjson

from beffroi.demo.equipment import Camera
from beffroi.demo.inventory import entity_id
from beffroi.demo.ledger import Page
from beffroi.demo.vendors import Vendor, now, utc
from beffroi.demo.vendors.posting import post

SECRET = "demonstration-vms"  # noqa: S105  of two ends on loopback
_PERIOD = timedelta(minutes=5)
_EVERY = 2.0
_COUNTED = (("person", "in", "inbound"), ("car", "out", "outbound"))
"""What each camera counts: the kind, the direction as the system says it, and as Smart Data Models does."""


class VideoSystem(Vendor):
    """Posts to the webhook at `url` for all cameras."""

    protocol = "signed webhook"

    def __init__(self, url: str, cameras: Sequence[Camera], page: Page, rng: random.Random) -> None:
        self._url = url
        self._cameras = cameras
        self._page = page
        self._rng = rng
        self._session: aiohttp.ClientSession

    async def start(self) -> None:
        """Opens its connection pool."""
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Closes it."""
        await self._session.close()

    async def round(self) -> int:
        """Every camera, working, with its counts; the number of cameras."""
        for camera in self._cameras:
            await self._tell(camera, "on")
        return len(self._cameras)

    async def keep_sending(self) -> None:
        """Counts of one camera or another; now and then one is lost, until it counts again."""
        while True:
            await asyncio.sleep(_EVERY)
            state = "lost" if self._rng.random() < 0.05 else "on"
            await self._tell(self._rng.choice(self._cameras), state)

    async def _tell(self, camera: Camera, state: str) -> None:
        time = now()
        message = {
            "camera": camera.key,
            "name": camera.name,
            "time": utc(time),
            "state": state,
            "snapshotUrl": f"https://vms.example/{camera.key}.jpg",
            "counts": [self._count(kind, way, time) for kind, way, _ in _COUNTED] if state == "on" else [],
        }
        body = orjson.dumps(message)
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": signature, "Content-Type": "application/json"}
        await post(self._session, self._url, body, headers)
        pairs = [(entity_id("Camera", camera.key), utc(time))]
        if state == "on":
            keys = (f"{camera.key}-1-{kind}-{direction}" for kind, _, direction in _COUNTED)
            pairs += [(entity_id("ItemFlowObserved", key), utc(time)) for key in keys]
        self._page.write_all(pairs)

    def _count(self, kind: str, way: str, end: datetime) -> dict[str, Any]:
        start = utc(end - _PERIOD)
        return {
            "line": 1,
            "kind": kind,
            "direction": way,
            "count": self._rng.randrange(90),
            "from": start,
            "to": utc(end),
        }
