"""A URL asked again and again: conditional requests, pages, cursors, OAuth 2; a body is streamed to disk so that its
size does not matter."""

import asyncio
import contextlib
import logging
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from adapters.backoff import Backoff
from adapters.decoding import Decoder, decoded
from adapters.decoding.gzipped import unzipped
from adapters.errors import DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch, Rejected
from adapters.sources.authorization import Authorization, Basic, OAuth2
from adapters.sources.paging import Following, PageOptions, Pages, Since, SinceOptions
from adapters.sources.refusals import RefusedError

_log = logging.getLogger("beffroi.adapter.http_poll")
_DATE = re.compile(r"\{date([+-]\d{1,4})?\}")


@dataclass(frozen=True, slots=True)
class HttpPollOptions:
    """`interval`: seconds from the beginning of one poll to the next. `times`: polls before the source ends, 0 for no
    end. `parameters`: empty ones are not sent; {date} in one is today, {date-7} a week ago (UTC). API keys are headers
    or parameters. `max_bytes`: a longer body is refused whole. `page`: how a page leads to the next; `since`: what a
    poll asks for after what the last one saw (adapters/sources/paging.py)."""

    url: str
    interval: float = 60.0
    times: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    timeout: float = 30.0
    max_bytes: int = 500_000_000
    batch: int = 500
    retry_first: float = 1.0
    oauth2: OAuth2 | None = None
    basic: Basic | None = None
    page: PageOptions | None = None
    since: SinceOptions | None = None


class HttpPollSource:
    """Polls with If-None-Match and If-Modified-Since, so that a feed that did not change costs one 304."""

    def __init__(self, options: HttpPollOptions, decoder: Decoder, where: str, state: Path) -> None:
        self._options = options
        self._decoder = decoder
        self._authorization = Authorization(options.oauth2, options.basic, where)
        self._pages = None if options.page is None else Pages(options.page, f"{where}.page")
        self._since = None if options.since is None else Since(options.since, state / "since.json", f"{where}.since")
        self._validators: dict[str, str] = {}
        self._closed = asyncio.Event()

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "HttpPollSource":
        """From a definition's `source: {kind: http_poll, url: …}`."""
        chosen = read(HttpPollOptions, options, where)
        if urlsplit(chosen.url).scheme not in ("http", "https"):
            raise DefinitionError(f"{where}.url", "must be a URL that begins with http:// or https://")
        return cls(chosen, decoder, where, state)

    async def batches(self) -> AsyncIterator[Batch]:
        """The documents of each poll, page after page. A poll's validators and its `since` count only once all of it
        was taken."""
        options = self._options
        backoff = Backoff(options.retry_first, max(options.interval, options.retry_first))
        timeout = aiohttp.ClientTimeout(total=options.timeout)
        loop = asyncio.get_running_loop()
        polled = 0
        async with aiohttp.ClientSession(timeout=timeout, headers=options.headers) as session:
            while not self._closed.is_set():
                began = loop.time()
                try:
                    async for batch in self._poll(session):
                        yield batch
                except (aiohttp.ClientError, TimeoutError, RefusedError) as error:
                    delay = backoff.next()
                    _log.warning("%s: %s; next try in %.1f s", options.url, error or "timed out", delay)
                    await self._sleep(delay)
                    continue
                backoff.reset()
                if self._since:
                    self._since.keep()
                polled += 1
                if polled == options.times:
                    return
                await self._sleep(options.interval - (loop.time() - began))

    async def _poll(self, session: aiohttp.ClientSession) -> AsyncIterator[Batch]:
        """All pages of one poll."""
        following: Following | None = self._pages.first() if self._pages else Following()
        validators: dict[str, str] = {}
        url, count = self._options.url, 0
        while following is not None and not self._closed.is_set():
            url = urljoin(url, following.url)
            documents: list[Any] = []
            with tempfile.TemporaryFile() as body:
                answer = await self._fetch(session, url, following, body, {} if count else self._validators)
                if answer is None:
                    return
                count += 1
                body.seek(0)
                async for batch in self._decoded(body):
                    if self._pages:
                        documents += batch.documents
                    if self._since:
                        for document in batch.documents:
                            self._since.see(document)
                    yield batch
            if count == 1:
                validators = answer.validators
            following = self._pages.following(documents, answer.link, count) if self._pages else None
        self._validators = validators if count == 1 else {}  # what one page says is not said of all of them

    async def _fetch(
        self,
        session: aiohttp.ClientSession,
        url: str,
        following: Following,
        body: IO[bytes],
        validators: Mapping[str, str],
    ) -> "_Answer | None":
        """Writes the body; None where nothing changed (304)."""
        options = self._options
        # the URL of a next page is complete; parameters are added to our own only
        parameters = {} if following.url else _dated(options.parameters) | dict(following.parameters)
        if self._since and not following.url:
            parameters |= dict(self._since.parameters())
        headers = await self._authorization.headers(session)
        if _origin(url) != _origin(options.url):
            raise RefusedError(f"the next page is on another server ({url}), which is not given our credentials")
        async with session.get(url, params=parameters, headers={**headers, **validators}) as response:
            if response.status == 304:
                return None
            if response.status == 401:
                self._authorization.refused()
            if response.status != 200:
                raise RefusedError(f"answered {response.status}")
            size = 0
            async for chunk in response.content.iter_chunked(1 << 16):
                size += len(chunk)
                if size > options.max_bytes:
                    raise RefusedError(f"sent more than {options.max_bytes} bytes (source.max_bytes)")
                body.write(chunk)
            pairs = (("If-None-Match", "ETag"), ("If-Modified-Since", "Last-Modified"))
            had = {ask: response.headers[name] for ask, name in pairs if name in response.headers}
            following_page = response.links.get("next")
            return _Answer(had, str(following_page["url"]) if following_page else None)

    async def _decoded(self, body: IO[bytes]) -> AsyncIterator[Batch]:
        documents: list[Any] = []
        try:
            for document in decoded(self._decoder, unzipped(body, self._options.max_bytes), {}):
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


@dataclass(frozen=True, slots=True)
class _Answer:
    """The validators for the next poll, and the next page by the header Link."""

    validators: dict[str, str]
    link: str | None


def _dated(parameters: Mapping[str, Any]) -> dict[str, str]:
    today = datetime.now(UTC).date()

    def date(match: re.Match[str]) -> str:
        return (today + timedelta(days=int(match.group(1) or 0))).isoformat()

    return {name: _DATE.sub(date, str(value)) for name, value in parameters.items() if value not in ("", None)}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
