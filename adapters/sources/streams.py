"""Connections that a server sends along for as long as they last: connected again when they break, what comes decoded
and handed over a batch at a time."""

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from adapters.backoff import Backoff
from adapters.decoding import Decoder, Origin, decoded
from adapters.errors import DecodingError
from adapters.sources import Batch, Rejected
from adapters.sources.authorization import Authorization, Basic, OAuth2
from adapters.sources.refusals import RefusedError

_log = logging.getLogger("beffroi.adapter.stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOptions:
    """`idle`: seconds without anything, a sign of life included, after which the connection is held for dead."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    oauth2: OAuth2 | None = None
    basic: Basic | None = None
    idle: float = 90.0
    max_bytes: int = 20_000_000
    retry_first: float = 1.0
    retry_most: float = 60.0


@dataclass(frozen=True, slots=True)
class Message:
    """A payload of a stream, and what the transport said of it."""

    payload: bytes
    origin: Origin = field(default_factory=dict)
    safe: Callable[[], None] = lambda: None


class Stream:
    """Runs `connected`, which yields the messages of one connection, again and again until closed."""

    def __init__(self, options: StreamOptions, decoder: Decoder, where: str) -> None:
        self.options = options
        self.authorization = Authorization(options.oauth2, options.basic, where)
        self._decoder = decoder
        self._closed = asyncio.Event()

    async def batches(
        self, connected: Callable[[aiohttp.ClientSession, dict[str, str]], AsyncGenerator[Message, None]]
    ) -> AsyncIterator[Batch]:
        """A batch a message. A server that is away or refuses is tried again with growing pauses."""
        options = self.options
        backoff = Backoff(options.retry_first, options.retry_most)
        timeout = aiohttp.ClientTimeout(total=None, connect=30.0, sock_read=options.idle)
        async with aiohttp.ClientSession(timeout=timeout, headers=options.headers) as session:
            while not self._closed.is_set():
                reason = "the connection ended"
                try:
                    messages = connected(session, await self.authorization.headers(session))
                    async with contextlib.aclosing(messages):
                        while (message := await self._next(messages)) is not None:
                            backoff.reset()
                            yield self._batch(message)
                except (aiohttp.ClientError, TimeoutError, OSError, RefusedError) as error:
                    reason = str(error) or "nothing came in time"
                if self._closed.is_set():
                    return
                delay = backoff.next()
                _log.warning("%s: %s; next try in %.1f s", options.url, reason, delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closed.wait(), delay)

    async def _next(self, messages: AsyncGenerator[Message, None]) -> Message | None:
        """The next message; None where the connection or the source ended."""
        coming = asyncio.ensure_future(anext(messages, None))
        closing = asyncio.ensure_future(self._closed.wait())
        try:
            await asyncio.wait((coming, closing), return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else None
        finally:
            closing.cancel()
            if not coming.done():
                coming.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await coming

    def _batch(self, message: Message) -> Batch:
        async def acknowledge() -> None:
            message.safe()

        acknowledged: Callable[[], Awaitable[None]] = acknowledge
        try:
            documents = list(decoded(self._decoder, io.BytesIO(message.payload), message.origin))
        except DecodingError as error:
            return Batch([], acknowledged, [Rejected(f"{self.options.url}: {error}", message.payload)])
        return Batch(documents, acknowledged)

    def close(self) -> None:
        """No further message."""
        self._closed.set()
