"""Asking a context source over HTTP: one request, one answer, or the reason why there is none.

Sources are slow, away, or wrong, each in its own way, and a request to one of them costs the caller the stated time at
most: connections to each are limited, and one that does not answer is left alone for a while.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import aiohttp
import orjson
from pymongo import AsyncMongoClient
from yarl import URL

from broker.api.media import base_type
from broker.contexts import Contexts
from broker.federation.breaker import Breakers
from broker.federation.cache import AnswerCache
from broker.federation.caller import Caller
from broker.federation.forwarding import Forwarded, Parameters, forwarded
from broker.federation.shares import Shares
from broker.federation.statistics import Statistics
from broker.notifications.endpoints import EndpointPolicy
from broker.settings import Settings
from ngsi_ld.context import CORE, CORE_URL, Context
from ngsi_ld.errors import NgsiLdError
from ngsi_ld.registration.registration import Registration

logger = logging.getLogger(__name__)

Reason = Literal["loop", "timeout", "refused", "cooling", "invalid"]

_IDLE_SECONDS = 30.0
"""For how long a connection that nobody uses is kept; servers close theirs after a minute or so."""


class Unanswered(Exception):
    """A source gave no usable answer; `text` says why, for a warning or the detail of an error."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason: Reason = reason
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered.

    `body` is the parsed JSON without @context, None where there was none. Its names are read with `context`; where
    the elements of a list each came with one of their own, with `contexts`.
    """

    status: int
    body: Any
    headers: Mapping[str, str]
    context: Context
    contexts: tuple[Context, ...] = ()
    cached: bool = False
    """Whether it was given some time ago, to the same request."""

    def context_of(self, number: int) -> Context:
        """The @context of an element of the list that the body is."""
        return self.contexts[number] if self.contexts else self.context

    def warnings(self) -> list[str]:
        """The NGSILD-Warning headers that the source has sent (6.3.17)."""
        get_all = getattr(self.headers, "getall", None)
        return list(get_all("NGSILD-Warning", ())) if get_all else []


class Remotes:
    """The context sources that a worker asks."""

    def __init__(
        self, settings: Settings, client: AsyncMongoClient[Any], contexts: Contexts, policy: EndpointPolicy
    ) -> None:
        self._settings = settings
        self._contexts = contexts
        self._policy = policy
        self._breakers = Breakers(settings.federation_failures, settings.federation_cooldown)
        self._session: aiohttp.ClientSession | None = None
        self.statistics = Statistics(client)
        self.shares = Shares()
        self._cache = AnswerCache(settings.federation_cache)

    @property
    def at_once(self) -> int:
        """How many requests one source answers at a time; others wait."""
        return self._settings.federation_connections

    async def close(self) -> None:
        """Closes connections and writes what was counted."""
        if self._session is not None:
            await self._session.close()
        await self.statistics.close()

    async def context(self, caller: Caller, registration: Registration) -> Context:
        """The @context that names are written with for this source (4.3.6.6).

        It has a URL, by which it goes along; one that a client wrote into its request has none, and names are written
        as IRIs then, so that the source need not come and fetch it here.
        """
        url = registration.jsonld_context
        if url is None:
            return caller.context if caller.context.link is not None else CORE
        known = self._contexts.known(caller.tenant, url)
        if known is not None:
            return known
        try:
            return await self._contexts.resolve(caller.tenant, url)
        except NgsiLdError as error:
            # Terms shortened by another @context would mean something else to the source.
            raise Unanswered("refused", f"its jsonldContext cannot be had: {error.detail}") from error

    async def ask(
        self,
        caller: Caller,
        registration: Registration,
        method: str,
        path: str,
        parameters: Parameters = (),
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        reads: bool = True,
    ) -> Answer:
        """The answer of the source of a registration to one request, whatever its status.

        `path` is below `/ngsi-ld/v1`, percent-encoded (see `segment`). Names in parameters and body are written with
        `context(caller, registration)`. Raises Unanswered, in the time that the source has at most. If nothing is read
        by the request, the status alone tells what was done, and a body that is no JSON is none.
        """
        if registration.alias is not None and registration.alias in caller.via:
            raise Unanswered("loop", f"the request has come through {registration.alias} already")
        management = registration.management
        timeout = management.timeout or self._settings.federation_timeout
        context = await self.context(caller, registration)
        link = context.link or CORE_URL
        # Of the registration, not of its endpoint: one that is made anew, or says another cooldown, is asked anew.
        breaker = (caller.tenant, registration.id)
        if self._breakers.open(breaker, timeout):
            raise Unanswered("cooling", "it did not answer a moment ago, and is not asked again so soon")
        request = forwarded(caller, registration, path, parameters, body, context, link, headers or {})
        # 6.3.17: what is read of entities may come out of the cache.
        cached = management.cache is not None and method == "GET" and path.startswith("/entities")
        if cached and (kept := self._cache.get(breaker, request)) is not None:
            known = await self._read(caller, context, kept.status, kept.headers, kept.content)
            return replace(known, cached=True)
        failed: bool | None = True
        try:
            async with asyncio.timeout(timeout):
                status, answer_headers, content = await self._exchange(method, request)
            self._breakers.answered(breaker)
            if reads:
                answer = await self._read(caller, context, status, answer_headers, content)
                if cached and status == 200:
                    self._cache.put(breaker, request, status, answer_headers, content, management.cache or 0.0)
            else:
                answer = Answer(status, _json(content), answer_headers, context)
            failed = status >= 400 and status != 404
            return answer
        except asyncio.CancelledError:
            failed = None
            raise
        except TimeoutError:
            self._breakers.failed(breaker, management.cooldown)
            raise Unanswered("timeout", f"it did not answer within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self._breakers.failed(breaker, management.cooldown)
            raise Unanswered("refused", f"it cannot be reached: {_reason(error)}") from error
        finally:
            if method != "GET":
                self._cache.forget(breaker)
            if failed is not None:
                self.statistics.count(caller.tenant, registration.id, failed=failed)

    async def _exchange(self, method: str, request: Forwarded) -> tuple[int, Mapping[str, str], bytes]:
        url = URL(request.url, encoded=True)
        async with self._open_session().request(
            method, url, headers=request.headers, data=request.body, allow_redirects=False
        ) as response:
            ceiling = self._settings.federation_answer_size
            if (response.content_length or 0) > ceiling:
                response.close()
                raise Unanswered("invalid", f"its answer has more than {ceiling} bytes")
            chunks, size = [], 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > ceiling:
                    response.close()
                    raise Unanswered("invalid", f"its answer has more than {ceiling} bytes")
                chunks.append(chunk)
            return response.status, response.headers, b"".join(chunks)

    async def _read(
        self, caller: Caller, context: Context, status: int, headers: Mapping[str, str], content: bytes
    ) -> Answer:
        """The answer with its JSON parsed; an error may have any text, and then has no body here."""
        body = None
        if content:
            try:
                media_type = base_type(headers.get("Content-Type", ""))
                if status < 400 and media_type and not media_type.endswith("json"):
                    raise Unanswered("invalid", f"its answer is of type {media_type}, not JSON")
                body = orjson.loads(content)
            except orjson.JSONDecodeError:
                if status < 400:
                    raise Unanswered("invalid", "its answer is not JSON") from None
        if status < 400:
            if isinstance(body, dict) and "@context" in body:
                context = await self._context_of(caller, body.pop("@context"))
            elif isinstance(body, list) and any(isinstance(one, dict) and "@context" in one for one in body):
                # One after the other: they are nearly always the same, and then at hand.
                contexts = [
                    await self._context_of(caller, one.pop("@context"))
                    if isinstance(one, dict) and "@context" in one
                    else context
                    for one in body
                ]
                return Answer(status, body, headers, context, tuple(contexts))
        return Answer(status, body, headers, context)

    async def _context_of(self, caller: Caller, value: Any) -> Context:
        known = self._contexts.known(caller.tenant, value)
        if known is not None:
            return known
        try:
            return await self._contexts.resolve(caller.tenant, value)
        except NgsiLdError as error:
            raise Unanswered("invalid", f"the @context of its answer cannot be had: {error.detail}") from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                limit_per_host=self._settings.federation_connections,
                keepalive_timeout=_IDLE_SECONDS,
                socket_factory=self._policy.sockets(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                max_line_size=64 * 1024,
                max_field_size=64 * 1024,
            )
        return self._session


def _json(content: bytes) -> Any:
    """The JSON of an answer that need not be JSON, then None."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _reason(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
