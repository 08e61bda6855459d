"""Entities of one query as they come from each source, page by page in the order of their ids.

In that order the same entity of several sources comes up at the same moment, so that pages, offsets and counts over all
of them are exact without any source being read whole. A source that cannot give its entities in order is read whole,
up to a limit, and put in order here.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from broker.api.link import context_link
from broker.federation import asking
from broker.federation.consulting import INVALID, NO_RESPONSE, Consultation
from broker.federation.forwarding import Parameters
from broker.federation.remote import Answer
from broker.store.store import Position, Store
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.names import Names
from ngsi_ld.query.query import Query
from ngsi_ld.query.writing import Unwritable
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.narrowing import Part
from ngsi_ld.registration.registration import Mode

logger = logging.getLogger(__name__)

LARGEST_PAGE = 1000
_PATIENCE = 20
"""Pages of a source that bring nothing new, one after the other, until it is taken for one that gives no order."""

_UNORDERED = frozenset({400, 403, 422, 501})
"""What a source answers that does not order, or not so large a page."""


@dataclass(slots=True)
class Item:
    """An entity of a stream: its id, and what it is made from once it is needed."""

    id: str
    body: Any
    names: Names | None


class Stream:
    """What has come of one source and is not taken yet; `position` counts what was taken, and `taken` is
    the id of the last of it.

    `first_size` is how many it is asked for at first, where that is not what it is asked for later.
    """

    auxiliary = False

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.ended = False
        self.position = 0
        self.taken: str | None = None
        self.first_size: int | None = None

    async def fill(self, size: int, *, ids_only: bool) -> None:
        """Reads on: at least one more item, or the end."""
        raise NotImplementedError

    def entity(self, item: Item) -> Entity | None:
        """The entity of an item; None where it is not valid, or not the source's to have."""
        raise NotImplementedError

    def whole_again(self) -> None:
        """Forgets what was read by ids only, to read it whole."""
        self.items.clear()
        self.ended = False


class LocalStream(Stream):
    """The entities of this broker."""

    def __init__(self, store: Store, tenant: str, query: Query, now: str) -> None:
        super().__init__()
        self._store, self._tenant, self._query, self._now = store, tenant, query, now
        self._last: str | None = None

    async def fill(self, size: int, *, ids_only: bool) -> None:
        """See `Stream`."""
        after = None if self._last is None else Position("", self._last)
        found = await self._store.find(self._tenant, self._query, now=self._now, limit=size, after=after, bare=ids_only)
        self.items.extend([Item(one.id, one, None) for one in found])
        if found:
            self._last = found[-1].id
        self.ended = len(found) < size

    def entity(self, item: Item) -> Entity | None:
        """See `Stream`."""
        entity: Entity = item.body
        return entity

    def whole_again(self) -> None:
        """See `Stream`."""
        if self.items:
            super().whole_again()
            self._last = self.taken


class SourceStream(Stream):
    """The entities of one part of what a context source has."""

    kind = ""
    """What sets what is asked for apart from entities, which a source may order and that not."""

    def __init__(
        self,
        consultation: Consultation,
        match: Match,
        part: Part,
        conditions: Query,
        most: int,
        *,
        in_order: bool = True,
    ) -> None:
        super().__init__()
        self.auxiliary = match.registration.mode is Mode.AUXILIARY
        self._consultation, self._match, self._part, self._conditions = consultation, match, part, conditions
        self._most = most
        self._place = f"{match.registration.id}{self.kind}"
        self._ordered = in_order and asking.orders(match.registration) and not _is_unordered(self._place)
        self._read = 0
        self._last = ""
        self._fruitless = 0

    async def fill(self, size: int, *, ids_only: bool) -> None:
        """See `Stream`. Raises OutOfOrder where a source that should gives no order."""
        names = await self._consultation.names(self._match.registration)
        if names is None:
            self.ended = True
            return
        try:
            if self._ordered:
                await self._page(names, min(size, LARGEST_PAGE), ids_only=ids_only)
            else:
                await self._all(names)
        except Unwritable as error:
            self.ended = True
            self._consultation.warn(self._match.registration, NO_RESPONSE, f"it cannot be asked: {error}")

    def entity(self, item: Item) -> Entity | None:
        """See `Stream`."""
        if item.names is None:
            return None
        registration = self._match.registration
        entity = self._consultation.entity(registration, item.body, item.names)
        if entity is None:
            return None
        own = self._part.own(entity)
        if own is None:
            self._consultation.warn_foreign(registration, entity.id)
        return own

    def whole_again(self) -> None:
        """See `Stream`."""
        if self._ordered:
            super().whole_again()
            self._read, self._last = self.position, self.taken or ""

    def _request(
        self, names: Names, *, paging: Parameters = (), ordered: bool = False, ids_only: bool = False
    ) -> asking.Asked:
        return asking.query(
            self._match, self._part, self._conditions, names, paging=paging, ordered=ordered, ids_only=ids_only
        )

    async def _page(self, names: Names, size: int, *, ids_only: bool) -> None:
        """The next page. It begins with what was read last, so that what others write meanwhile makes no gap.

        An entity that is made before our place moves it back: we see some again, and pass over them. One that is
        deleted moves it on: we do not see the last one again, and go back to where we do.
        """
        registration, start = self._match.registration, max(0, self._read - 1)
        size = min(size + 1, LARGEST_PAGE) if start else size
        while True:
            paging = [("limit", str(size)), ("offset", str(start))] if start else [("limit", str(size))]
            asked = self._request(names, paging=paging, ordered=True, ids_only=ids_only)
            answer = await self._consultation.ask(
                registration, asked.method, asked.path, asked.parameters, asked.body, refusals=_UNORDERED
            )
            if answer is None:
                self.ended = True
                return
            if answer.status in _UNORDERED or self._fruitless > _PATIENCE:
                raise OutOfOrder(self._place)
            items = self._items(answer)
            if any(one.id >= following.id for one, following in pairwise(items)):
                raise OutOfOrder(self._place)
            if not start or (items and items[0].id <= self._last):
                break
            start = max(0, start - (len(items) or size))
            self._fruitless += 1
        self._read = start + len(items)
        self.ended = not items or (len(items) < size and next_page(answer) is None)
        new = [one for one in items if one.id > self._last]
        self._fruitless = 0 if new else self._fruitless + 1
        if new:
            self._last = new[-1].id
            self.items.extend(new)

    async def _all(self, names: Names) -> None:
        """Every page, by the links from each to the next; the query of a link is what is taken of it."""
        asked = self._request(names)
        registration, parameters = self._match.registration, list(asked.parameters)
        found: list[Item] = []
        self.ended = True
        while True:
            answer = await self._consultation.ask(registration, asked.method, asked.path, parameters, asked.body)
            if answer is None:
                break
            items = self._items(answer)
            found += items
            following = next_page(answer)
            if following is None or not items or following == parameters:
                break
            if len(found) >= self._most:
                raise NgsiLdError(
                    ErrorType.TOO_MANY_RESULTS,
                    f"the context source {registration.id} has more than {self._most} entities for this query, and "
                    "does not say that it can give them in order (ngsildConformance 1.9 in its contextSourceInfo): ask "
                    "for less of it",
                )
            parameters = following
        self.items.extend(sorted(found, key=lambda item: item.id))

    def _items(self, answer: Answer) -> list[Item]:
        """The entities of an answer; a single one stands for a list of one."""
        body = [answer.body] if isinstance(answer.body, dict) else answer.body
        if not isinstance(body, list):
            self._consultation.warn(self._match.registration, INVALID, "its answer is not a list of entities")
            return []
        items = []
        for number, one in enumerate(body):
            entity_id = one.get("id", one.get("@id")) if isinstance(one, dict) else None
            if isinstance(entity_id, str):
                items.append(Item(entity_id, one, answer.context_of(number)))
            else:
                self._consultation.warn(self._match.registration, INVALID, "its answer has an entity without an id")
        return items


class OutOfOrder(Exception):
    """A source does not give its entities in the order of their ids, though by its version it can."""


_FORGOTTEN_SECONDS = 600.0
_unordered: dict[str, float] = {}


def note_unordered(found: OutOfOrder) -> None:
    """The source of the registration that is named is read like an older one, for ten minutes."""
    logger.warning("the source of %s does not give its entities in order, and is read whole for a while", found)
    _unordered[str(found)] = time.monotonic() + _FORGOTTEN_SECONDS


def _is_unordered(place: str) -> bool:
    until = _unordered.get(place)
    if until is not None and until < time.monotonic():
        del _unordered[place]
        return False
    return until is not None


def next_page(answer: Answer) -> list[tuple[str, str]] | None:
    """The query parameters of the page that a Link header leads to, None where there is none."""
    get_all = getattr(answer.headers, "getall", None)
    for header in get_all("Link", ()) if get_all else ():
        target = context_link(header, "next")
        if target is not None:
            return parse_qsl(urlsplit(target).query, keep_blank_values=True)
    return None


async def filled(streams: Sequence[Stream], size: int, *, ids_only: bool = False) -> None:
    """Reads on, at once, in all streams of which nothing is left."""
    # The local one, which is the first, last: sources are at work meanwhile.
    empty = [one for one in reversed(streams) if not one.items and not one.ended]
    fills = [one.fill(one.first_size or size, ids_only=ids_only) for one in empty]
    for one in empty:
        one.first_size = None
    if len(fills) == 1:
        await fills[0]
    else:
        await asyncio.gather(*fills)


Group = list[tuple[Stream, Item]]
"""What all streams have of one entity."""


async def groups(streams: Sequence[Stream], size: int, *, ids_only: bool = False) -> AsyncIterator[Group]:
    """The entities in the order of their ids, each with all that the streams have of it; of `size` at a time."""
    while True:
        # A fill may bring nothing and not be the end.
        while any(not one.items and not one.ended for one in streams):
            await filled(streams, size, ids_only=ids_only)
        heads = [one for one in streams if one.items]
        if not heads:
            return
        lowest = min([one.items[0].id for one in heads])
        group: Group = []
        for stream in heads:
            items = stream.items
            while items and items[0].id == lowest:
                group.append((stream, items.popleft()))
                stream.position += 1
                stream.taken = lowest
        yield group
