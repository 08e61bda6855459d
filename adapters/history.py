"""Late data into the history of a broker, where it does not touch the current state (GS CIM 009 v1.9.1, 5.6.11: create
or update the temporal evolution of an entity).

A broker without a temporal API, or with its history switched off, is asked again every ten minutes; late data that came
meanwhile is counted as dropped.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.counts import AdapterCounts
from adapters.definition import Broker
from adapters.posting import Poster, reason

_log = logging.getLogger("beffroi.adapter.history")

_TAKEN = frozenset({200, 201, 204})
_MISSING = frozenset({404, 405, 406, 415, 501})
_REFUSED = frozenset({400, 409, 413, 422})

_NOT_SUPPORTED = "OperationNotSupported"
"""The end of the error type by which a broker says that it keeps no history."""

_AGAIN = 600.0
_AT_ONCE = 8
_MEMBERS = ("id", "type", "scope")


class History:
    """Sends late attributes, a request for each entity, several at once."""

    def __init__(self, broker: Broker, counts: AdapterCounts) -> None:
        self._url = f"{broker.url.rstrip('/')}/ngsi-ld/v1/temporal/entities/"
        self._counts = counts
        self._again = 0.0

    async def send(self, poster: Poster, entities: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Sends entities (normalized, only what is late); what the broker refuses, by id, with its reason."""
        refused: dict[str, str] = {}
        limit = asyncio.Semaphore(_AT_ONCE)

        async def one(entity: Mapping[str, Any]) -> None:
            async with limit:
                why = await self._one(poster, entity)
            if why is not None:
                refused[entity["id"]] = why

        await asyncio.gather(*(one(entity) for entity in entities))
        return refused

    async def _one(self, poster: Poster, entity: Mapping[str, Any]) -> str | None:
        number = sum(name not in _MEMBERS for name in entity)
        if time.monotonic() < self._again:
            self._counts.late_dropped.inc(number)
            return None
        final = _TAKEN | _MISSING | _REFUSED
        status, answer = await poster.answer(self._url, evolution(entity), final, "late data")
        if status in _TAKEN:
            self._counts.late_recorded.inc(number)
            return None
        kind = answer.get("type") if isinstance(answer, dict) else None
        if status in _MISSING or str(kind).endswith(_NOT_SUPPORTED):
            if time.monotonic() >= self._again:
                _log.warning("%s answers %d: late data is dropped, for it would overwrite newer", self._url, status)
                self._again = time.monotonic() + _AGAIN
            self._counts.late_dropped.inc(number)
            return None
        return f"{status}: {reason(answer)}"


def evolution(entity: Mapping[str, Any]) -> dict[str, Any]:
    """The temporal representation of an entity: each attribute a list of one instance."""
    return {name: value if name in _MEMBERS else [value] for name, value in entity.items()}
