"""Subscribers of the drill: HTTP servers that misbehave at random, and one that follows a stream of events.

What a subscriber has answered with 2xx it has taken; all else is an attempt, which must come again.
"""

import asyncio
import contextlib
import random
import re
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
import orjson

_LENGTH = re.compile(rb"(?i)content-length: (\d+)")
_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


class Mood(StrEnum):
    """How an endpoint behaves for a while."""

    WELL = "well"
    REFUSES = "refuses"
    HANGS = "hangs"
    FAILS = "answers 500"
    BREAKS = "closes half-way"


@dataclass
class Taken:
    """What one subscription has been told: (notification id, entity id, value), in order of arrival."""

    name: str
    even_only: bool = False
    arrivals: list[tuple[str, str, int]] = field(default_factory=list)
    attempts: dict[Mood, int] = field(default_factory=dict)

    def take(self, body: bytes) -> None:
        """Notes a notification."""
        notification = orjson.loads(body)
        for entity in notification["data"]:
            self.arrivals.append((notification["id"], entity["id"], entity["n"]))

    def first(self) -> list[tuple[str, int]]:
        """What has arrived, each at its first arrival."""
        return list({identifier: (entity, value) for identifier, entity, value in self.arrivals}.values())

    @property
    def duplicates(self) -> int:
        """How many came again with the same id."""
        return len(self.arrivals) - len({identifier for identifier, _, _ in self.arrivals})

    @property
    def renamed(self) -> int:
        """How many came again with another id: none may."""
        return len({(one[0], one[1], one[2]) for one in self.arrivals}) - len({one[1:] for one in self.arrivals})


class HttpSubscriber:
    """An endpoint on a port of its own, whose mood changes."""

    def __init__(self, taken: Taken, chance: random.Random, *, steady: bool) -> None:
        self.taken, self.steady = taken, steady
        self.port = 0
        self._chance = chance
        self._mood = Mood.WELL
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where notifications go."""
        return f"http://127.0.0.1:{self.port}/"

    async def open(self) -> None:
        """Listens, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listens no more and breaks off what is under way."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.transport.abort()

    async def misbehave(self) -> None:
        """Changes its mood until cancelled."""
        moods = [mood for mood in Mood if mood is not Mood.WELL]
        while not self.steady:
            await asyncio.sleep(self._chance.uniform(0.3, 3.0))
            self._mood = self._chance.choice(moods)
            if self._mood is Mood.REFUSES:
                await self.close()
            await asyncio.sleep(self._chance.uniform(0.2, 2.0))
            await self.recover()

    async def recover(self) -> None:
        """Behaves well from now on."""
        self._mood = Mood.WELL
        if self._server is None:
            await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(_LENGTH.search(head)[1])  # type: ignore[index]
                mood = self._mood
                if mood is not Mood.WELL:
                    self.taken.attempts[mood] = self.taken.attempts.get(mood, 0) + 1
                if mood is Mood.BREAKS:
                    await reader.readexactly(length // 2)
                    writer.transport.abort()
                    break
                body = await reader.readexactly(length)
                if mood is Mood.HANGS:
                    await asyncio.sleep(30)
                    break
                if mood is Mood.WELL:
                    self.taken.take(body)
                writer.write(_TAKEN if mood is Mood.WELL else _FAILED)
        self._connections.discard(writer)
        writer.close()


class StreamSubscriber:
    """A client that follows a subscription's events and comes back with its place when the stream breaks."""

    def __init__(self, taken: Taken, urls: list[str], subscription: str) -> None:
        self.taken, self._urls, self._subscription = taken, urls, subscription
        self.ready = asyncio.Event()
        self.streams = 0
        self.gaps = 0
        self._place = "0"

    async def follow(self) -> None:
        """Follows until cancelled, at whichever broker answers."""
        timeout = aiohttp.ClientTimeout(total=None, connect=2, sock_read=30)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                for url in self._urls:
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        await self._stream(session, f"{url}/ngsi-ld/v1/subscriptions/{self._subscription}/events")
                await asyncio.sleep(0.1)

    async def _stream(self, session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(url, headers={"Last-Event-ID": self._place}) as response:
            if response.status != 200:
                return
            self.streams += 1
            place, data, name = "", b"", b""
            async for line in response.content:
                if line == b"\n":
                    if data and not name:
                        self.taken.take(data)
                    self.gaps += name == b"gap"
                    self._place = place or self._place
                    place, data, name = "", b"", b""
                    self.ready.set()
                elif line.startswith(b"id: "):
                    place = line[4:].decode().strip()
                elif line.startswith(b"data: "):
                    data = line[6:]
                elif line.startswith(b"event: "):
                    name = line[7:].strip()
