"""Reads by id of one tenant, in groups: one `$in` for all that wait."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pymongo
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from broker.store import documents
from broker.store.grouping import Groups, Turn
from broker.store.store import unavailable
from ngsi_ld.entity import Entity

Answer = asyncio.Future[Entity | None]


class Reads:
    """`get` for one tenant. At most `size` entities in a command and `in_flight` commands at once."""

    def __init__(
        self, entities: AsyncCollection[dict[str, Any]], *, size: int, in_flight: int, timeout_seconds: float
    ) -> None:
        self._entities = entities
        self._timeout = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._groups: Groups[Answer] = Groups(self._turn, size=size, in_flight=in_flight)

    def get(self, entity_id: str) -> Answer:
        """The entity, as it is at some moment after this call."""
        answer: Answer = self._loop.create_future()
        self._groups.add(entity_id, answer)
        return answer

    async def drained(self) -> None:
        """Wait until nothing is in flight."""
        await self._groups.drained()

    async def _turn(self, turn: Turn[Answer]) -> None:
        try:
            with pymongo.timeout(self._timeout):
                found = await self._entities.find({"_id": {"$in": list(turn)}}, batch_size=len(turn) + 1).to_list()
            entities = {stored["_id"]: documents.entity(stored) for stored in found}
        except Exception as error:
            for answers in turn.values():
                for answer in _unanswered(answers):
                    answer.set_exception(_unavailable(error))
                answers.clear()
            return
        for entity_id, answers in turn.items():
            entity = entities.get(entity_id)
            for answer in _unanswered(answers):
                answer.set_result(entity)
            answers.clear()


def _unanswered(answers: list[Answer]) -> Iterable[Answer]:
    return (answer for answer in answers if not answer.done())


def _unavailable(error: Exception) -> Exception:
    """One exception for each request: a shared one would gather the tracebacks of all."""
    return unavailable(error) if isinstance(error, PyMongoError) else error
