"""A load generator that costs little: keep-alive connections that send prepared bytes and count the answers."""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Prepare = Callable[[int], bytes]
"""The nth request of a run, as it goes over the wire."""


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """An HTTP/1.1 request; with a body it is JSON."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n"
    if method in ("POST", "PATCH", "PUT"):
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


@dataclass
class Result:
    """What came of a run: answers, those that were no 2xx, latencies in seconds, duration in seconds."""

    answers: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (self.answers - self.refused) / self.seconds

    @property
    def median(self) -> float:
        """Of the latencies, in milliseconds."""
        return statistics.median(self.latencies) * 1000 if self.latencies else 0.0

    @property
    def p99(self) -> float:
        """The 99th percentile of the latencies, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[int(len(ordered) * 0.99)] * 1000 if ordered else 0.0


async def load(port: int, prepare: Prepare, *, connections: int, seconds: float, first: int = 0) -> Result:
    """Sends requests on so many connections for so long, the next one on each when the answer to the last is in."""
    result = Result()
    numbers = iter(range(first, first + 10**9))
    began = time.perf_counter()
    end = began + seconds
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_connection(port, prepare, numbers.__next__, end, result))
    result.seconds = time.perf_counter() - began
    return result


async def ask(port: int, prepared: bytes) -> int:
    """The status of the answer to one request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        writer.write(prepared)
        return await _answer(reader)
    finally:
        writer.close()


async def _connection(port: int, prepare: Prepare, number: Callable[[], int], end: float, result: Result) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    try:
        while (began := time.perf_counter()) < end:
            writer.write(prepare(number()))
            status = await _answer(reader)
            result.answers += 1
            result.refused += not 200 <= status < 300
            result.latencies.append(time.perf_counter() - began)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        length = int(lower[at + 15 : lower.index(b"\r\n", at)])
        if length:
            await reader.readexactly(length)
    return int(head[9:12])
