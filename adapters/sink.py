"""Entities from the queue to an NGSI-LD broker, by batch upsert (GS CIM 009 v1.9.1, 5.6.8 and 6.15)."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from adapters.backoff import Backoff
from adapters.counts import AdapterCounts
from adapters.dead_letter import DeadLetter, DeadLetters
from adapters.definition import Broker, Delivery
from adapters.freshness import Fresh, fresh
from adapters.queue import Queue, Queued

_log = logging.getLogger("beffroi.adapter.sink")

_REFUSALS = frozenset({400, 409, 422})
"""What the broker says of the data itself: halves are sent until the entity at fault is alone."""

_TOO_LONG = 413
"""The same, but the fault is the length: halves pass."""


@dataclass(slots=True)
class _Outcome:
    """What became of a batch: the reasons of the entities refused, by id."""

    refused: dict[str, str] = field(default_factory=dict)


class Sink:
    """Sends what the queue holds, oldest first, one batch at a time, for as long as it runs.

    A broker that is away, overloaded or wrongly addressed (401, 403, 404, 429, 5xx …) is tried again with back-off and
    nothing leaves the queue. An entity it refuses goes to the dead letters with its reason, and the rest goes on.
    """

    def __init__(
        self,
        broker: Broker,
        delivery: Delivery,
        queue: Queue,
        dead: DeadLetters,
        counts: AdapterCounts,
        static: frozenset[tuple[str, str]],
    ) -> None:
        self._broker = broker
        self._delivery = delivery
        self._queue = queue
        self._dead = dead
        self._counts = counts
        self._static = static
        self._url = f"{broker.url.rstrip('/')}/ngsi-ld/v1/entityOperations/upsert?options=update"

    async def run(self) -> None:
        """Sends until it is cancelled; a cancellation leaves what is not settled in the queue."""
        timeout = aiohttp.ClientTimeout(total=self._broker.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._broker.request_headers()) as session:
            while True:
                taken = await self._queue.take(self._delivery.batch)
                await self._deliver(session, taken)

    async def _deliver(self, session: aiohttp.ClientSession, taken: Sequence[Queued]) -> None:
        now = time.time()
        known = await self._queue.sent(each.entity_id for each in taken)
        news: dict[str, Fresh] = {}
        for each in taken:
            entity = orjson.loads(each.body)
            part = fresh(entity, known.get(each.entity_id, {}), self._static, now, self._delivery.refresh_static)
            self._counts.late.inc(part.late)
            self._counts.duplicates.inc(part.duplicates)
            if part.entity is None:
                self._counts.skipped.inc()
            else:
                news[each.entity_id] = part
        entities = [part.entity for part in news.values() if part.entity is not None]
        outcome = _Outcome()
        if entities:
            await self._send(session, entities, outcome)
        letters = [
            DeadLetter("broker", reason, news[entity_id].entity)
            for entity_id, reason in outcome.refused.items()
            if entity_id in news
        ]
        await self._dead.add(letters)
        await self._queue.settle(
            taken, {entity_id: part.sent for entity_id, part in news.items() if entity_id not in outcome.refused}
        )
        self._counts.dead("broker").inc(len(letters))
        self._counted(entities, len(entities) - len(letters))

    async def _send(self, session: aiohttp.ClientSession, entities: list[dict[str, Any]], outcome: _Outcome) -> None:
        status, answer = await self._answer(session, entities)
        if status == 207:
            outcome.refused |= _refused(answer)
        elif status in _REFUSALS or status == _TOO_LONG:
            if len(entities) == 1:
                outcome.refused[entities[0]["id"]] = f"{status}: {_reason(answer)}"
                return
            half = len(entities) // 2
            await self._send(session, entities[:half], outcome)
            await self._send(session, entities[half:], outcome)

    async def _answer(self, session: aiohttp.ClientSession, entities: list[dict[str, Any]]) -> tuple[int, Any]:
        """The broker's final word on a batch: its status and JSON; tried again for as long as it has none."""
        backoff = Backoff(self._delivery.retry_first, self._delivery.retry_most)
        body = orjson.dumps(entities)
        while True:
            wait = 0.0
            try:
                async with session.post(self._url, data=body) as response:
                    answer = _parsed(await response.read())
                    if response.status in (200, 201, 204, 207, _TOO_LONG) or response.status in _REFUSALS:
                        return response.status, answer
                    fault = f"{response.status}: {_reason(answer)}"
                    wait = _retry_after(response.headers)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                fault = str(error) or "no answer in time"
            self._counts.failures.inc()
            delay = max(wait, backoff.next())
            _log.warning("%s did not take %d entities (%s); again in %.1f s", self._url, len(entities), fault, delay)
            await asyncio.sleep(delay)

    def _counted(self, entities: list[dict[str, Any]], sent: int) -> None:
        if not sent:
            return
        self._counts.sent.inc(sent)
        self._counts.last_sent.set_to_current_time()
        times = (
            attribute["observedAt"]
            for entity in entities
            for attribute in entity.values()
            if isinstance(attribute, dict) and "observedAt" in attribute
        )
        newest = max(times, default=None)
        if newest is not None:
            self._counts.lag.set((datetime.now(UTC) - datetime.fromisoformat(newest)).total_seconds())


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def _refused(answer: Any) -> dict[str, str]:
    """From a BatchOperationResult (5.2.16): the reason for each entity that is in `errors`."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    return {
        error["entityId"]: _reason(error.get("error"))
        for error in errors or ()
        if isinstance(error, dict) and isinstance(error.get("entityId"), str)
    }


def _reason(problem: Any) -> str:
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or problem.get("type") or problem)
    return str(problem) if problem else "no reason given"


def _retry_after(headers: Mapping[str, str]) -> float:
    text = headers.get("Retry-After", "")
    return min(float(text), 3600.0) if text.isdecimal() else 0.0
