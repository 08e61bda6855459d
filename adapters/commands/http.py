"""Commands over HTTP: a request each, and what its answer says."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from adapters.commands.downlink import Answer, NotSent, Request, Unsure
from adapters.errors import DefinitionError
from adapters.options import read
from adapters.sources.authorization import Authorization, Basic, OAuth2
from adapters.sources.refusals import RefusedError

_TURNED_AWAY = frozenset({401, 429, 503})
"""Statuses that say that nothing was done and that another try may do better."""

_WORDS = ("detail", "description", "message", "title", "error")
"""Members of an answer that are meant for people."""


@dataclass(frozen=True, slots=True)
class HttpDownlinkOptions:
    """`timeout`: seconds for a request. `ca`: of the vendor's certificate, where it is not a public one; `certificate`,
    `key`: what this adapter shows. `max_bytes`: of an answer; what is more is not read."""

    headers: dict[str, str] = field(default_factory=dict)
    oauth2: OAuth2 | None = None
    basic: Basic | None = None
    timeout: float = 20.0
    ca: str = ""
    certificate: str = ""
    key: str = ""
    max_bytes: int = 100_000


class HttpDownlink:
    """One session for all requests; redirections are not followed: a command is for the address that it names."""

    def __init__(self, options: HttpDownlinkOptions, where: str) -> None:
        self._options = options
        self._authorization = Authorization(options.oauth2, options.basic, where)
        self._session: aiohttp.ClientSession | None = None
        self._opened = asyncio.Event()

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, state: Path) -> "HttpDownlink":
        """From a definition's `commands.send: {kind: http}`."""
        chosen = read(HttpDownlinkOptions, options, where)
        if chosen.certificate and not chosen.key:
            raise DefinitionError(f"{where}.key", "is missing; it is the key of the certificate")
        return cls(chosen, where)

    async def run(self) -> None:
        """Holds the session."""
        timeout = aiohttp.ClientTimeout(total=self._options.timeout)
        # a connection each: one that the vendor closed in between would leave it open whether a command came through
        connector = aiohttp.TCPConnector(ssl=self._tls(), force_close=True)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=connector, headers=self._options.headers
        ) as self._session:
            self._opened.set()
            await asyncio.Event().wait()

    async def ready(self) -> None:
        """At once."""
        await self._opened.wait()

    async def send(self, request: Request) -> Answer:
        """The answer, whatever its status but 401, 429 and 503."""
        await self._opened.wait()
        session = self._session
        if session is None or session.closed:
            raise NotSent("this adapter is stopping")
        try:
            headers = {"Content-Type": request.content_type, **request.headers}
            headers |= await self._authorization.headers(session)
        except (aiohttp.ClientError, TimeoutError, OSError, RefusedError) as error:
            raise NotSent(str(error) or "no token in time") from None
        try:
            async with session.request(
                request.method,
                request.url,
                params=request.parameters,
                data=request.body or None,
                headers=headers,
                allow_redirects=False,
            ) as response:
                body = await response.content.read(self._options.max_bytes)
                status = response.status
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(str(error) or "no connection in time") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unsure(str(error) or f"no answer within {self._options.timeout:g} s") from None
        if status == 401:
            self._authorization.refused()
        answer = Answer(status, _read(body))
        if status in _TURNED_AWAY:
            raise NotSent(f"answered {status}: {reason(answer)}")
        return answer

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._options.ca or None)
        if self._options.certificate:
            context.load_cert_chain(self._options.certificate, self._options.key)
        return context


def reason(answer: Answer) -> str:
    """The words in an answer: of a problem document, of a list of errors, or the body as it is, cut short."""
    body = answer.body
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        words = next((body[name] for name in _WORDS if name in body), body)
        body = words if isinstance(words, str) else orjson.dumps(words, default=repr).decode()
    return str(body)[:500] if body not in (None, "") else "no reason given"


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")[:2000]
