"""The resource /jsonldContexts: add, list, serve, delete and reload (GS CIM 009 v1.9.1, 5.13, 6.29, 6.30)."""

import hashlib
import math
import uuid
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from broker.contexts.documents import PATH, Document, Kind, cached_id, not_available, owner
from broker.contexts.library import Library
from broker.contexts.preloaded import PreloadError
from broker.contexts.settings import ContextSettings
from broker.contexts.storage import Storage, Stored
from ngsi_ld.context import CORE_DOCUMENT, CORE_URL, compile_context, is_core_url, references
from ngsi_ld.datetimes import format_date_time
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data, invalid_request, not_found

_OWN_KINDS = (Kind.HOSTED, Kind.IMPLICIT)


class JsonldContexts:
    """The stored @contexts as clients see them.

    Hosted and ImplicitlyCreated ones belong to a tenant and can be read by whoever knows their URL; Cached ones, what
    was preloaded and the core are everybody's.
    """

    def __init__(
        self,
        settings: ContextSettings,
        storage: Storage,
        library: Library,
        now: Callable[[], float],
        *,
        flush: Callable[[], Awaitable[None]],
        forget: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._library = library
        self._now = now
        self._flush = flush
        self._forget = forget
        self._started = now()
        self._hosted: dict[str, float] = {}

    async def add(self, tenant: str, body: Any) -> str:
        """Store the @context of a JSON object as Hosted; gives the path for the Location header (5.13.2).

        Raises InvalidRequest where there is no @context, BadRequestData where it is not JSON-LD. What it refers to is
        not fetched yet.
        """
        if not isinstance(body, dict) or "@context" not in body:
            raise invalid_request("The body must be a JSON object with a member @context")
        value = body["@context"]
        compile_context(value, {url: {"@context": {}} for url in references(value)}, max_terms=self._settings.max_terms)
        document = self._document(tenant, uuid.uuid4().hex, Kind.HOSTED, value)
        await self._storage.save(document, self._now())
        return PATH + document.local_id

    async def host(self, tenant: str, value: Any) -> str:
        """The URL under which this broker serves an @context value, stored as ImplicitlyCreated when first needed."""
        digest = hashlib.sha256(tenant.encode() + b"\0" + orjson.dumps(value)).hexdigest()[:32]
        document = self._document(tenant, digest, Kind.IMPLICIT, value)
        if self._hosted.get(document.local_id, 0.0) <= self._now():
            if len(self._hosted) >= self._settings.max_cached:
                self._hosted.clear()
            await self._storage.save(document, self._now())
            self._hosted[document.local_id] = self._now() + self._settings.recheck
        return document.url

    async def list(self, tenant: str, kind: str | None = None, *, details: bool = False) -> list[Any]:
        """The URLs of the stored @contexts of one kind or of all, or with `details` an object for each (5.13.3).

        Raises BadRequestData for an unknown kind.
        """
        if kind is not None and kind not in list(Kind):
            raise bad_request_data(f"kind must be one of {', '.join(Kind)}, not {kind!r}")
        await self._flush()
        kinds = list(Kind) if kind is None else [Kind(kind)]
        stored = await self._storage.list(tenant, [each for each in kinds if each in _OWN_KINDS])
        if Kind.CACHED in kinds:
            fetched = await self._storage.list(None, [Kind.CACHED])
            stored += [each for each in fetched if self._built_in_one(each.document.url) is None]
            stored += [Stored(each, 0, None) for each in self._built_in()]
        return [self._details(each) if details else each.document.url for each in stored]

    async def serve(self, tenant: str, identifier: str, *, details: bool = False) -> dict[str, Any]:
        """`{"@context": …}`, or with `details` what is known of it; `identifier` may be a Cached one's URL (5.13.4).

        Raises ResourceNotFound, and OperationNotSupported for the content of a Cached one.
        """
        await self._flush()
        stored = await self._found(tenant, identifier, reading=True)
        if stored is None:
            raise _unknown(identifier)
        if details:
            return self._details(stored)
        if stored.document.kind is Kind.CACHED:
            raise NgsiLdError(
                ErrorType.OPERATION_NOT_SUPPORTED,
                f"{stored.document.url} is a Cached @context, which this broker uses and does not serve: "
                "get it from there, or ask for details=true",
            )
        return {"@context": stored.document.context}

    async def delete(self, tenant: str, identifier: str, *, reload: bool = False) -> None:
        """Delete a stored @context, or with `reload` fetch a Cached one anew in its place (5.13.5).

        Raises ResourceNotFound, BadRequestData for what cannot be deleted or reloaded, LdContextNotAvailable where
        reloading fails; what is stored stays then.
        """
        if (document := self._built_in_one(identifier)) is not None:
            if document.url == CORE_URL and not reload:
                raise bad_request_data(f"{document.url} is a part of this broker and cannot be deleted")
            # What the operator brought along is read again, as what was fetched is fetched again when it is used.
            await self._reload_built_in()
            return
        await self._flush()
        stored = await self._found(tenant, identifier, reading=False)
        if reload:
            if stored is None or stored.document.kind is not Kind.CACHED:
                raise bad_request_data(f"Only a Cached @context can be reloaded, and {identifier!r} is none")
            await self._library.reload(stored.document)
        elif stored is None or not await self._storage.delete(stored.document.tenant, stored.document.local_id):
            raise _unknown(identifier)
        self._hosted.pop(stored.document.local_id, None)
        self._forget(stored.document.url)

    async def _reload_built_in(self) -> None:
        """Read what was preloaded again, in this worker: the others do so when they start."""
        urls = list(self._library.preloaded)
        try:
            await self._library.prepare()
        except PreloadError as error:
            raise not_available("that was preloaded", str(error)) from error
        for url in urls:
            self._forget(url)

    async def _found(self, tenant: str, identifier: str, *, reading: bool) -> Stored | None:
        """By local identifier or the URL it was fetched from; one of another tenant is not there.

        Who reads without a tenant follows a link, and its identifier says whose it is. Reading counts as a use.
        """
        if (document := self._built_in_one(identifier)) is not None:
            return Stored(document, 0, None)
        of = owner(identifier)
        places: list[tuple[str | None, str]] = [(None, cached_id(identifier) if of is None else identifier)]
        if of is not None and (of == tenant or (reading and not tenant)):
            places.append((of, identifier))
        for place, local_id in places:
            if reading:
                stored = await self._storage.use(place, local_id, self._now())
            else:
                document = await self._storage.get(place, local_id)
                stored = None if document is None else Stored(document, 0, None)
            if stored is not None:
                return stored
        return None

    def _document(self, tenant: str, name: str, kind: Kind, value: Any) -> Document:
        local_id = f"{tenant}.{name}" if tenant else name
        return Document(f"{self._settings.public_url}{PATH}{local_id}", local_id, kind, value, self._now(), tenant)

    def _built_in(self) -> Iterable[Document]:
        core = Document(CORE_URL, cached_id(CORE_URL), Kind.CACHED, CORE_DOCUMENT["@context"], self._started)
        return [*self._library.preloaded.values(), core]

    def _built_in_one(self, identifier: str) -> Document | None:
        url = CORE_URL if is_core_url(identifier) else identifier
        return next((each for each in self._built_in() if url in (each.url, each.local_id)), None)

    def _details(self, stored: Stored) -> dict[str, Any]:
        """What 5.13.3.5 says of a stored @context."""
        document = stored.document
        details: dict[str, Any] = {
            "URL": document.url,
            "localId": document.local_id,
            "kind": document.kind.value,
            "createdAt": _date_time(document.created_at),
        }
        if document.fresh_until < math.inf:
            details["expiresAt"] = _date_time(document.fresh_until)
        if stored.last_usage is not None:
            details["lastUsage"] = _date_time(stored.last_usage)
        if self._built_in_one(document.url) is None:
            return details | {"numberOfHits": stored.hits}
        return details | {"extraInfo": "it comes with this broker and is never fetched"}


def _unknown(identifier: str) -> NgsiLdError:
    return not_found(f"There is no stored @context {identifier!r}")


def _date_time(instant: float) -> str:
    return format_date_time(datetime.fromtimestamp(instant, UTC))
