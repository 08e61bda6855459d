"""Vendors of the drill: each hands records over in its own way, again and again until they are acknowledged.

A record is `{"ref": "posted-17", "n": 17, "at": "2026-11-23T17:02:00.123Z"}`; in one of twenty `n` is no number.
"""

import asyncio
import itertools
import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import aiomqtt

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
"""Of this machine, if it has one."""

Record = dict[str, Any]
_BROKEN = 20
_RETRY = 0.1
_AT_ONCE = 10
_SAVED = 2.0
"""Seconds after which mosquitto has saved what it acknowledged."""


class Vendor:
    """Sends until `stopping`. `acknowledged`: what names the records that the other side has; `again`: sent twice."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acknowledged: set[str] = set()
        self.again = 0
        self.stopping = False
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Sends; returns once all that was begun is acknowledged."""
        raise NotImplementedError

    def _records(self, count: int) -> list[Record]:
        return [_record(self.name, number) for number in itertools.islice(self._numbers, count)]


def _record(name: str, number: int) -> Record:
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"ref": f"{name}-{number}", "n": number if number % _BROKEN else "broken", "at": time}


def _refs(records: list[Record]) -> Iterator[str]:
    return (record["ref"] for record in records)


class PostingVendor(Vendor):
    """Posts lists to a webhook; a 2xx is the acknowledgement."""

    def __init__(self, name: str, url: str, session: aiohttp.ClientSession) -> None:
        super().__init__(name)
        self._url = url
        self._session = session

    async def run(self) -> None:
        """Two requests at a time."""
        await asyncio.gather(self._post(), self._post())

    async def _post(self) -> None:
        while not self.stopping:
            records = self._records(10)
            while not await self._taken(records):
                self.again += len(records)
                await asyncio.sleep(_RETRY)
            self.acknowledged.update(_refs(records))
            await asyncio.sleep(0.1)

    async def _taken(self, records: list[Record]) -> bool:
        try:
            async with self._session.post(self._url, json=records) as response:
                return response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False


class MqttVendor(Vendor):
    """Publishes with QoS 1; a PUBACK is the acknowledgement of a mosquitto that lives on.

    Mosquitto saves what it has once a second, and acknowledges at once: killed, it forgets what it acknowledged last.
    A vendor who must lose nothing publishes that again, and so does this one.
    """

    def __init__(self, name: str, port: int) -> None:
        super().__init__(name)
        self._port = port
        self._under_way: list[Record] = []
        self._fresh: list[tuple[float, Record]] = []

    async def run(self) -> None:
        """Ten at a time; whatever may not have arrived, again on each connection."""
        while not self.stopping or self._under_way:
            try:
                async with aiomqtt.Client("127.0.0.1", self._port, identifier="vendor", timeout=5) as client:
                    await self._publish_on(client)
            except (aiomqtt.MqttError, OSError, TimeoutError):
                self._under_way += [record for _, record in self._fresh]
                self._fresh.clear()
                await asyncio.sleep(_RETRY)

    async def _publish_on(self, client: aiomqtt.Client) -> None:
        self.again += len(self._under_way)
        while True:
            if not self._under_way:
                if self.stopping:
                    break
                self._under_way = self._records(_AT_ONCE)
            await self._publish(client, self._under_way[:_AT_ONCE])
            self._under_way = self._under_way[_AT_ONCE:]
            await asyncio.sleep(0.05)
        await asyncio.sleep(_SAVED)  # a mosquitto that is killed in these seconds is told again

    async def _publish(self, client: aiomqtt.Client, records: list[Record]) -> None:
        publishing = (client.publish(f"drill/{each['ref']}", json.dumps(each), qos=1) for each in records)
        for failed in await asyncio.gather(*publishing, return_exceptions=True):
            if failed is not None:
                raise failed
        now = time.monotonic()
        self._fresh = [(at, each) for at, each in self._fresh if now - at < _SAVED] + [(now, each) for each in records]
        self.acknowledged.update(_refs(records))


class FileVendor(Vendor):
    """Drops files of lines; that a file was moved away is the acknowledgement."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self._folder = folder

    async def run(self) -> None:
        """A file every half second, whether the one before was taken or not."""
        waiting: dict[Path, list[Record]] = {}
        while not self.stopping or waiting:
            if not self.stopping:
                records = self._records(50)
                draft = self._folder / ".draft"
                draft.write_text("".join(json.dumps(record) + "\n" for record in records))
                waiting[draft.rename(self._folder / f"{records[0]['ref']}.ndjson")] = records
            await asyncio.sleep(0.5)
            for file in [file for file in waiting if not file.exists()]:
                self.acknowledged.update(_refs(waiting.pop(file)))
