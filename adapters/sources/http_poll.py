"""A URL asked again and again: conditional requests, a body streamed to disk so that its size does not matter."""

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import aiohttp

from adapters.backoff import Backoff
from adapters.decoding import Decoder
from adapters.errors import DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch, Rejected

_log = logging.getLogger("beffroi.adapter.http_poll")


@dataclass(frozen=True, slots=True)
class HttpPollOptions:
    """`interval`: seconds from the beginning of one poll to the next. `times`: polls before the source ends, 0 for no
    end. `max_bytes`: a longer body is refused whole."""

    url: str
    interval: float = 60.0
    times: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    max_bytes: int = 500_000_000
    batch: int = 500
    retry_first: float = 1.0


class HttpPollSource:
    """Polls with If-None-Match and If-Modified-Since, so that a feed that did not change costs one 304."""

    def __init__(self, options: HttpPollOptions, decoder: Decoder) -> None:
        self._options = options
        self._decoder = decoder
        self._validators: dict[str, str] = {}
        self._closed = asyncio.Event()

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "HttpPollSource":
        """From a definition's `source: {kind: http_poll, url: …}`."""
        chosen = read(HttpPollOptions, options, where)
        if urlsplit(chosen.url).scheme not in ("http", "https"):
            raise DefinitionError(f"{where}.url", "must be a URL that begins with http:// or https://")
        return cls(chosen, decoder)

    async def batches(self) -> AsyncIterator[Batch]:
        """The documents of each poll. A poll's validators count only once all of it was taken."""
        options = self._options
        backoff = Backoff(options.retry_first, max(options.interval, options.retry_first))
        timeout = aiohttp.ClientTimeout(total=options.timeout)
        loop = asyncio.get_running_loop()
        polled = 0
        async with aiohttp.ClientSession(timeout=timeout, headers=options.headers) as session:
            while not self._closed.is_set():
                began = loop.time()
                with tempfile.TemporaryFile() as body:
                    try:
                        validators = await self._fetch(session, body)
                    except (aiohttp.ClientError, TimeoutError, _RefusedError) as error:
                        delay = backoff.next()
                        _log.warning("%s: %s; next try in %.1f s", options.url, error or "timed out", delay)
                        await self._sleep(delay)
                        continue
                    backoff.reset()
                    if validators is not None:
                        body.seek(0)
                        async for batch in self._decoded(body):
                            yield batch
                        self._validators = validators
                polled += 1
                if polled == options.times:
                    return
                await self._sleep(options.interval - (loop.time() - began))

    async def _fetch(self, session: aiohttp.ClientSession, body: IO[bytes]) -> dict[str, str] | None:
        """Writes the body; answers the validators for the next poll, None where nothing changed (304)."""
        options = self._options
        async with session.get(options.url, params=options.parameters, headers=self._validators) as response:
            if response.status == 304:
                return None
            if response.status != 200:
                raise _RefusedError(f"answered {response.status}")
            size = 0
            async for chunk in response.content.iter_chunked(1 << 16):
                size += len(chunk)
                if size > options.max_bytes:
                    raise _RefusedError(f"sent more than {options.max_bytes} bytes (source.max_bytes)")
                body.write(chunk)
            pairs = (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            return {ask: response.headers[had] for ask, had in pairs if had in response.headers}

    async def _decoded(self, body: IO[bytes]) -> AsyncIterator[Batch]:
        documents: list[Any] = []
        try:
            for document in self._decoder.decode(body, {}):  # type: ignore[arg-type]
                documents.append(document)
                if len(documents) >= self._options.batch:
                    yield Batch(documents)
                    documents = []
            yield Batch(documents)
        except DecodingError as error:
            body.seek(0)
            yield Batch(documents, rejected=[Rejected(f"{self._options.url}: {error}", body.read(10_000))])

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), max(seconds, 0))

    async def close(self) -> None:
        """The next poll does not happen."""
        self._closed.set()


class _RefusedError(Exception):
    """An answer that has no feed in it."""
