"""From a URL to a document: brought along by the operator, stored by this broker, fetched before, or fetched now."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from broker.contexts.documents import PATH, Document, cached_id, not_available, owner
from broker.contexts.fetching import Fetcher
from broker.contexts.flights import Flights
from broker.contexts.memory import Memory
from broker.contexts.preloaded import given, preloaded
from broker.contexts.settings import ContextSettings
from broker.contexts.storage import Storage
from broker.store.store import StoreUnavailable
from ngsi_ld.errors import NgsiLdError

logger = logging.getLogger(__name__)
_MOST_FAILURES = 1000

Held = tuple[Document, float]
"""A document and the Unix time until which it may be used without asking again."""


class Library:
    """The documents that @contexts are made of; `now` gives the Unix time."""

    def __init__(self, settings: ContextSettings, storage: Storage, now: Callable[[], float]) -> None:
        self._settings = settings
        self._storage = storage
        self._now = now
        self._fetcher = Fetcher(settings, now)
        self._flights: Flights[str, Held] = Flights()
        self._held: Memory[str, Held] = Memory(settings.memory_bytes)
        self._failures: dict[str, tuple[NgsiLdError, float]] = {}
        self.preloaded: dict[str, Document] = {}

    async def prepare(self) -> None:
        """Read what the operator brought along. Raises PreloadError."""
        documents = given(self._settings.documents, self._now())
        if self._settings.preload is not None:
            documents |= await asyncio.to_thread(preloaded, self._settings.preload, self._now())
        self.preloaded = documents

    async def close(self) -> None:
        """Stop what is being fetched."""
        await self._flights.close()
        await self._fetcher.close()

    async def get(self, tenant: str, url: str) -> Held:
        """The document at `url`.

        Raises LdContextNotAvailable where it cannot be had or belongs to another tenant, BadRequestData where what is
        there is no JSON-LD context, StoreUnavailable where it is stored here and the database is away.
        """
        document = self.preloaded.get(url)
        if document is not None:
            return document, document.fresh_until
        held = self._held.get(url)
        if held is None or held[1] <= self._now():
            held = await self._flights.join(url, lambda: self._had(url))
        if held[0].tenant not in (None, tenant):
            raise not_available(url, "this broker has no such context")
        return held

    async def reload(self, document: Document) -> None:
        """Fetch a document again and put it in the place of `document`, which stays where that fails.

        Raises LdContextNotAvailable, also for what is no JSON-LD context (5.13.5.4).
        """
        try:
            fetched = await self._fetcher.fetch(document.url)
        except NgsiLdError as error:
            raise not_available(document.url, error.detail) from error
        await self._storage.save(fetched, self._now())

    def forget(self, url: str) -> None:
        """Have no copy in memory any more, under whatever name of this broker it was asked for."""
        for key in [key for key, (document, _) in self._held.items() if url in (key, document.url)]:
            self._held.drop(key)
        self._failures.pop(url, None)

    async def _had(self, url: str) -> Held:
        path = urlsplit(url).path
        if path.startswith(PATH):
            local_id = path.removeprefix(PATH)
            tenant = owner(local_id)
            document = None if tenant is None else await self._storage.get(tenant, local_id)
            if document is not None:
                return self._hold(url, document)
            if url.startswith(f"{self._settings.public_url}{PATH}"):
                self.forget(url)
                raise not_available(url, "this broker has no such context")
        return await self._cached(url)

    async def _cached(self, url: str) -> Held:
        """The copy of the database while it is fresh, else what the server has now, else the copy although stale."""
        failure = self._failures.get(url)
        if failure is not None and failure[1] > self._now():
            raise NgsiLdError(failure[0].type, failure[0].detail)
        copy = await self._copy(url)
        if copy is not None and copy.fresh_until > self._now():
            return self._hold(url, copy)
        try:
            fetched = await self._fetcher.fetch(url, copy)
        except NgsiLdError as error:
            if copy is None:
                self._remember_failure(url, error)
                raise
            logger.warning("%s; the copy of before is used", error.detail)
            return self._hold(url, replace(copy, fresh_until=self._now() + self._settings.retry_after))
        self._failures.pop(url, None)
        try:
            await self._storage.save(fetched, self._now())
        except StoreUnavailable as error:
            logger.warning("The @context %s is not kept in the database: %s", url, error)
        return self._hold(url, fetched)

    async def _copy(self, url: str) -> Document | None:
        """What was fetched before: as the database has it, or as it is in memory while the database is away."""
        try:
            return await self._storage.get(None, cached_id(url))
        except StoreUnavailable as error:
            logger.warning("The database has no answer for the @context %s: %s", url, error)
            held = self._held.get(url)
            return held[0] if held is not None else None

    def _hold(self, url: str, document: Document) -> Held:
        held = document, min(document.fresh_until, self._now() + self._settings.recheck)
        self._held.put(url, held, _weight(document))
        return held

    def _remember_failure(self, url: str, error: NgsiLdError) -> None:
        if len(self._failures) >= _MOST_FAILURES:
            self._failures.clear()
        self._failures[url] = error, self._now() + self._settings.retry_after


def _weight(document: Document) -> int:
    """About how many bytes it takes in memory."""
    context = document.context
    entries = context if isinstance(context, list) else [context]
    return 500 + sum(250 * len(entry) for entry in entries if isinstance(entry, dict))
