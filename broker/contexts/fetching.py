"""Getting one @context document over HTTP, within limits, and asking again whether it has changed (RFC 9111, 4.3)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from broker.contexts.addresses import AddressRefused, guarded_sockets
from broker.contexts.documents import Document, Kind, cached_id, not_available
from broker.contexts.freshness import lifetime
from broker.contexts.settings import ContextSettings
from ngsi_ld.context import compile_context, context_of, references
from ngsi_ld.errors import bad_request_data

_ACCEPT = (
    'application/ld+json;profile="http://www.w3.org/ns/json-ld#context", application/ld+json, application/json;q=0.9'
)
_NOT_MODIFIED = 304


class Fetcher:
    """A client for @context documents; `now` gives the Unix time."""

    def __init__(self, settings: ContextSettings, now: Callable[[], float]) -> None:
        self._settings = settings
        self._now = now
        self._sockets = guarded_sockets(settings.allowed_networks)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close what connections are open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(self, url: str, previous: Document | None = None) -> Document:
        """The document at `url`; `previous`, an older copy, comes back fresh again where it has not changed.

        Raises LdContextNotAvailable where it cannot be had, BadRequestData where it is not JSON-LD.
        """
        headers = {"Accept": _ACCEPT}
        if previous is not None and previous.etag:
            headers["If-None-Match"] = previous.etag
        elif previous is not None and previous.last_modified:
            headers["If-Modified-Since"] = previous.last_modified
        try:
            session = self._open_session()
            async with session.get(url, headers=headers, max_redirects=self._settings.max_redirects) as response:
                fresh_until = self._now() + lifetime(response.headers, self._now(), self._settings)
                if response.status == _NOT_MODIFIED and previous is not None:
                    return replace(previous, fresh_until=fresh_until)
                if not response.ok:
                    raise not_available(url, f"its server answers {response.status} {response.reason or ''}".rstrip())
                document = self._parsed(url, await self._body(url, response))
                context = await asyncio.to_thread(self._checked, url, str(response.url), document)
                return Document(
                    url=url,
                    local_id=cached_id(url),
                    kind=Kind.CACHED,
                    context=context,
                    created_at=self._now(),
                    fresh_until=fresh_until,
                    etag=response.headers.get("ETag"),
                    last_modified=response.headers.get("Last-Modified"),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise not_available(url, self._reason(error)) from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=16, socket_factory=self._sockets),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _body(self, url: str, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            body += chunk
            if len(body) > self._settings.max_bytes:
                raise not_available(url, f"it is larger than {self._settings.max_bytes} bytes")
        return bytes(body)

    def _checked(self, url: str, final_url: str, document: Any) -> Any:
        """The @context of a document that is valid as far as that can be said without those it refers to."""
        context = context_of(document, final_url)
        others: dict[str, Any] = {each: {"@context": {}} for each in references(context)}
        compile_context(url, others | {url: {"@context": context}}, max_terms=self._settings.max_terms)
        return context

    @staticmethod
    def _parsed(url: str, body: bytes) -> Any:
        try:
            return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise bad_request_data(f"{url} is not a JSON-LD context: what is there is not JSON ({error})") from None

    def _reason(self, error: Exception) -> str:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, AddressRefused):
                return str(cause)
            cause = cause.__cause__
        if isinstance(error, TimeoutError):
            return f"its server does not answer within {self._settings.timeout:g} s"
        if isinstance(error, aiohttp.TooManyRedirects):
            return f"its server redirects more than {self._settings.max_redirects} times"
        return str(error) or type(error).__name__
