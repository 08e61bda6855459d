"""What the rest of the broker asks for: the compiled form of an @context value (GS CIM 009 v1.9.1, 5.5.5 and 6.3.5)."""

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from pymongo.asynchronous.database import AsyncDatabase

from broker.contexts.documents import Document
from broker.contexts.flights import Flights
from broker.contexts.jsonld_contexts import JsonldContexts
from broker.contexts.library import Library
from broker.contexts.memory import Memory
from broker.contexts.settings import ContextSettings
from broker.contexts.storage import Storage, Usage
from broker.store.store import StoreUnavailable
from ngsi_ld.context import CORE, Context, compile_context, references
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data

logger = logging.getLogger(__name__)

_BASE_TERMS = 250
"""What a compiled context weighs besides its own terms: it holds those of the core too."""


@dataclass(slots=True)
class _Compiled:
    """A compiled context, the documents it was made from, until when they may be used, and its uses not yet stored."""

    context: Context
    documents: tuple[Document, ...]
    until: float
    owner: str | None
    uses: int = 0
    last: float = 0.0


class Contexts:
    """The @contexts of a broker; `stored` is the API's way to those that it stores (5.13).

    `database` gives the database of a tenant, `""` being the default one. `now` gives the Unix time. `home` gives the
    tenant whose @contexts hold where the data is not a tenant's own, but that of a snapshot.
    """

    def __init__(
        self,
        settings: ContextSettings,
        database: Callable[[str], AsyncDatabase[dict[str, Any]]],
        now: Callable[[], float] = time.time,
        home: Callable[[str], str] = str,
    ) -> None:
        self._settings = settings
        self._home = home
        self._now = now
        self._storage = Storage(database, settings)
        self._library = Library(settings, self._storage, now)
        self._compiled: Memory[str | bytes, _Compiled] = Memory(settings.memory_terms)
        self._flights: Flights[tuple[str, str | bytes], _Compiled] = Flights()
        self.stored = JsonldContexts(settings, self._storage, self._library, now, flush=self.flush, forget=self._forget)

    async def start(self) -> None:
        """Read what is preloaded and prepare the database. Raises PreloadError."""
        await self._library.prepare()
        await self._storage.prepare()

    async def close(self) -> None:
        """Store how contexts were used and close connections."""
        await self._flights.close()
        await self._library.close()
        await self.flush()

    def known(self, tenant: str, value: Any) -> Context | None:
        """The compiled context if it is at hand and fresh, without waiting; None means: `resolve` it."""
        if value is None:
            value = self._settings.default
            if value is None:
                return CORE
        compiled = self._compiled.get(value if type(value) is str else _digest(value))
        if compiled is None:
            return None
        now = self._now()
        if compiled.until <= now or (compiled.owner is not None and compiled.owner != self._home(tenant)):
            return None
        compiled.uses += 1
        compiled.last = now
        return compiled.context

    async def resolve(self, tenant: str, value: Any) -> Context:
        """The compiled form of an @context value: a URL, an object, a list of those, or None for the default one.

        Raises LdContextNotAvailable where a document cannot be had, BadRequestData where it is not JSON-LD or has
        scoped contexts; both name the document or the term.
        """
        context = self.known(tenant, value)
        if context is not None:
            return context
        if value is None:
            value = self._settings.default
        key = value if type(value) is str else _digest(value)
        tenant = self._home(tenant)
        compiled = await self._flights.join((tenant, key), lambda: self._compile(tenant, key, value))
        compiled.uses += 1
        compiled.last = self._now()
        return compiled.context

    async def host(self, tenant: str, context: Context) -> str:
        """A URL for a Link header that stands for `context`; it is stored as ImplicitlyCreated if it has none."""
        return context.link or await self.stored.host(self._home(tenant), context.source)

    async def flush(self) -> None:
        """Add the uses counted here to what is stored."""
        await self._record([usage for _, compiled in self._compiled.items() for usage in _taken_usage(compiled)])

    async def _compile(self, tenant: str, key: str | bytes, value: Any) -> _Compiled:
        try:
            async with asyncio.timeout(self._settings.timeout):
                found = await self._documents(tenant, value)
        except TimeoutError:
            raise NgsiLdError(
                ErrorType.LD_CONTEXT_NOT_AVAILABLE,
                f"The documents of the @context cannot be had within {self._settings.timeout:g} s",
            ) from None
        documents = tuple(document for document, _ in found.values())
        owners = [document.tenant for document in documents if document.tenant is not None]
        before = self._compiled.get(key)
        context = before.context if before is not None and _same(before.documents, documents) else None
        if context is None:
            context = await asyncio.to_thread(
                compile_context,
                value,
                {url: {"@context": document.context} for url, (document, _) in found.items()},
                max_objects=self._settings.max_objects,
                max_terms=self._settings.max_terms,
            )
        if before is not None:
            await self._record(_taken_usage(before))
        compiled = _Compiled(
            context,
            documents,
            until=min((until for _, until in found.values()), default=math.inf),
            owner=owners[0] if owners else None,
        )
        self._compiled.put(key, compiled, _BASE_TERMS + context.size)
        return compiled

    async def _documents(self, tenant: str, value: Any) -> dict[str, tuple[Document, float]]:
        """Every document that the value refers to, directly or not, by URL, each once."""
        found: dict[str, tuple[Document, float]] = {}
        missing = references(value)
        for _ in range(self._settings.max_depth + 1):
            if not missing:
                return found
            if len(found) + len(missing) > self._settings.max_documents:
                raise bad_request_data(f"The @context refers to more than {self._settings.max_documents} documents")
            got = await asyncio.gather(*(self._library.get(tenant, url) for url in missing))
            found |= zip(missing, got, strict=True)
            wanted = dict.fromkeys(url for document, _ in got for url in references(document.context))
            missing = [url for url in wanted if url not in found]
        raise bad_request_data(f"The @context refers to documents more than {self._settings.max_depth} deep")

    async def _record(self, usages: list[Usage]) -> None:
        """Counts are worth no failure: what cannot be stored now is lost."""
        try:
            if usages:
                await self._storage.record(usages)
        except StoreUnavailable as error:
            logger.warning("The uses of @contexts are not counted: %s", error)

    def _forget(self, url: str) -> None:
        """Have no copy of the document at `url` any more, nor what was made from it."""
        self._library.forget(url)
        made = [key for key, each in self._compiled.items() if any(document.url == url for document in each.documents)]
        for key in made:
            self._compiled.drop(key)


def _digest(value: Any) -> bytes:
    return hashlib.blake2b(orjson.dumps(value), digest_size=16).digest()


def _same(before: tuple[Document, ...], after: tuple[Document, ...]) -> bool:
    return [(each.url, each.context) for each in before] == [(each.url, each.context) for each in after]


def _taken_usage(compiled: _Compiled) -> list[Usage]:
    uses, compiled.uses = compiled.uses, 0
    return [Usage(document, uses, compiled.last) for document in compiled.documents] if uses else []
