"""Entities from the queue to an NGSI-LD broker, by batch upsert (GS CIM 009 v1.9.1, 5.6.8 and 6.15)."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from adapters.counts import AdapterCounts
from adapters.dead_letter import DeadLetter, DeadLetters
from adapters.definition import Broker, Delivery
from adapters.freshness import Fresh, fresh
from adapters.history import History
from adapters.posting import Poster, reason
from adapters.queue import Queue, Queued, Sent

_REFUSALS = frozenset({400, 409, 422})
"""What the broker says of the data itself: halves are sent until the entity at fault is alone."""

_TOO_LONG = 413
"""The same, but the fault is the length: halves pass."""

_FINAL = frozenset({200, 201, 204, 207, _TOO_LONG}) | _REFUSALS


@dataclass(slots=True)
class _Outcome:
    """What became of a batch: the reasons of the entities refused, by id."""

    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Entities of the queue, and of them what is news to the broker."""

    taken: Sequence[Queued]
    news: dict[str, Fresh]

    @property
    def ids(self) -> frozenset[str]:
        """Of the entities."""
        return frozenset(each.entity_id for each in self.taken)


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
        self._waits = False
        self._history = History(broker, counts)
        self._url = f"{broker.url.rstrip('/')}/ngsi-ld/v1/entityOperations/upsert?options=update"

    async def run(self) -> None:
        """Sends until it is cancelled; a cancellation leaves what is not settled in the queue.

        While the broker has a batch, the one before is settled with the disk, and the next is made ready where the
        queue has a whole one: each of other entities, so that what is said of one entity stays in order.
        """
        timeout = aiohttp.ClientTimeout(total=self._broker.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._broker.request_headers()) as session:
            poster = Poster(session, self._delivery, self._counts)
            settling: asyncio.Task[None] | None = None
            unsettled: frozenset[str] = frozenset()
            ready: _Batch | None = None
            try:
                while True:
                    if ready is None:
                        if settling is not None:
                            await settling
                        unsettled = frozenset()
                        ready = await self._news(await self._queue.take(self._delivery.batch))
                    batch = ready
                    self._waits = True
                    following = asyncio.create_task(self._ahead(batch.ids | unsettled))
                    try:
                        sent = await self._deliver(poster, batch)
                        if settling is not None:
                            await settling
                        settling = asyncio.create_task(self._queue.settle(batch.taken, sent))
                        unsettled = batch.ids
                        if self._waits:
                            following.cancel()
                        await asyncio.wait((following,))
                    finally:
                        following.cancel()
                    ready = None if following.cancelled() else following.result()
            finally:
                if settling is not None:
                    await asyncio.wait((settling,))

    async def _ahead(self, under_way: Collection[str]) -> _Batch:
        """A whole batch of other entities, as soon as the queue has one."""
        taken = await self._queue.take(self._delivery.batch, without=under_way, least=self._delivery.batch)
        self._waits = False
        return await self._news(taken)

    async def _news(self, taken: Sequence[Queued]) -> _Batch:
        """What the broker does not know of these entities."""
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
            if part.entity is not None or part.past is not None:
                news[each.entity_id] = part
        return _Batch(taken, news)

    async def _deliver(self, poster: Poster, batch: _Batch) -> dict[str, Sent]:
        """Sends a batch; what to remember of it, once it is settled. What is refused is in the dead letters."""
        news = batch.news
        entities = [part.entity for part in news.values() if part.entity is not None]
        late = [part.past for part in news.values() if part.past is not None]
        outcome = _Outcome()
        if entities:
            await self._send(poster, entities, outcome)
        refused_late = await self._history.send(poster, late) if late else {}
        letters = [
            DeadLetter("broker", why, news[entity_id].entity)
            for entity_id, why in outcome.refused.items()
            if entity_id in news
        ]
        past = [DeadLetter("history", why, news[entity_id].past) for entity_id, why in refused_late.items()]
        await self._dead.add(letters + past)
        self._counts.dead("broker").inc(len(letters))
        self._counts.dead("history").inc(len(past))
        self._counted(entities, len(entities) - len(letters))
        return {
            entity_id: part.sent
            for entity_id, part in news.items()
            if part.entity is not None and entity_id not in outcome.refused
        }

    async def _send(self, poster: Poster, entities: list[dict[str, Any]], outcome: _Outcome) -> None:
        status, answer = await poster.answer(self._url, entities, _FINAL, f"{len(entities)} entities")
        if status == _TOO_LONG or (status in _REFUSALS and not _has_errors(answer)):
            if len(entities) == 1:
                outcome.refused[entities[0]["id"]] = f"{status}: {reason(answer)}"
            else:
                await self._send_halves(poster, entities, outcome)
            return
        if not _has_errors(answer):
            return
        refused = _refused(answer)
        outcome.refused |= refused
        success = answer.get("success")
        if not isinstance(success, list):
            if refused:
                return
            success = []
        # what the broker does not speak of at all, it may not have: it is asked again about that alone
        silent = [each for each in entities if each["id"] not in refused and each["id"] not in success]
        if len(silent) == len(entities) == 1:
            outcome.refused[silent[0]["id"]] = f"{status}: {reason(answer.get('errors'))}"
        elif len(silent) == len(entities):
            await self._send_halves(poster, silent, outcome)
        elif silent:
            await self._send(poster, silent, outcome)

    async def _send_halves(self, poster: Poster, entities: list[dict[str, Any]], outcome: _Outcome) -> None:
        half = len(entities) // 2
        await self._send(poster, entities[:half], outcome)
        await self._send(poster, entities[half:], outcome)

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


def _has_errors(answer: Any) -> bool:
    """Whether an answer is a BatchOperationResult (5.2.16) with errors: of 207, of some brokers also of 200 or 400."""
    return isinstance(answer, dict) and isinstance(answer.get("errors"), list) and bool(answer["errors"])


def _refused(answer: Any) -> dict[str, str]:
    """The reason for each entity in the errors of a BatchOperationResult, whichever way a broker words it."""
    return {
        error["entityId"]: reason(error.get("error"))
        for error in answer["errors"]
        if isinstance(error, dict) and isinstance(error.get("entityId"), str)
    }
