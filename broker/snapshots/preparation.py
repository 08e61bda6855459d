"""What fills a snapshot: the results of its queries (5.16.1.4), or the data of the snapshot that it is a clone of.

A query that fails is told of in the details, and the others go on. When the database is away the whole is tried again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pymongo import AsyncMongoClient
from pymongo.errors import DocumentTooLarge

from broker.history.copying import Copying
from broker.history.history import History
from broker.history.rows import Document as HistoryDocument
from broker.history.rows import Row
from broker.snapshots.records import Document, Records, snapshot_of
from broker.store.indexes import Indexes
from broker.store.staging import Staging
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data, not_found
from ngsi_ld.snapshot import QUERIES, TEMPORAL_QUERIES, Details, Status, outcome

_LOOK_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Asked:
    """A query of a snapshot: its body, the tenant that it asks, the @context of its names.

    `warnings` takes what context sources did not do.
    """

    tenant: str
    body: Mapping[str, Any]
    context: str
    warnings: list[str] = field(default_factory=list)


class Reader(Protocol):
    """How queries are run: as Query Entities and Query Temporal Evolution are, all pages."""

    def entities(self, asked: Asked) -> AsyncIterator[Sequence[Entity]]:
        """What Query Entities answers, with the projection of the query."""
        ...

    def evolutions(self, asked: Asked) -> AsyncIterator[tuple[HistoryDocument, list[Row]]]:
        """Each entity of the answer of Query Temporal Evolution, and its rows; several times where it has many."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """How a preparation ended."""

    status: Status
    details: Details = ()
    temporal_details: Details = ()


class Preparation:
    """Fills snapshots; `most` entities and as many evolutions in one."""

    def __init__(
        self,
        client: AsyncMongoClient[Document],
        indexes: Indexes,
        records: Records,
        history: tuple[History, Copying] | None,
        reader: Reader,
        *,
        most: int,
    ) -> None:
        self._client = client
        self._indexes = indexes
        self._records = records
        self._history = history
        self._reader = reader
        self._most = most

    async def run(self, document: Document) -> Result:
        """Prepares the snapshot of a document, from the beginning, whatever was done of it before."""
        space = f"@{document['_id']}"
        staging = Staging(self._client, self._indexes, space)
        await self._begin(staging, space)
        source = document["work"].get("source")
        result = await self._query(staging, space, document) if source is None else await self._clone(staging, source)
        if result.status is Status.FAILURE:
            # What a query brought before it failed is not its result.
            await self._begin(staging, space)
        await staging.finish()
        return result

    async def _begin(self, staging: Staging, space: str) -> None:
        await staging.begin()
        if self._history is not None:
            await self._history[1].furnish(space)

    async def _query(self, staging: Staging, space: str, document: Document) -> Result:
        members = snapshot_of(document).members
        details, temporal_details = [], []
        for body in members.get(QUERIES, ()):
            asked = Asked(document["t"], body, document["context"])
            details.append(await self._result(asked, self._entities(staging, asked)))
        for number, body in enumerate(members.get(TEMPORAL_QUERIES, ())):
            asked = Asked(document["t"], body, document["context"])
            temporal_details.append(await self._result(asked, self._evolutions(space, asked, again=number > 0)))
        return Result(outcome([*details, *temporal_details]), details, temporal_details)

    async def _result(self, asked: Asked, running: Awaitable[int]) -> dict[str, Any]:
        try:
            number = await running
        except DocumentTooLarge:
            error = bad_request_data("an entity that several sources have parts of is larger than 16 MB")
            return {"resultStatus": Status.FAILURE.value, "problemDetails": error.problem_details()}
        except NgsiLdError as error:
            return {"resultStatus": Status.FAILURE.value, "problemDetails": error.problem_details()}
        result: dict[str, Any] = {"resultStatus": (Status.SUCCESS if number else Status.EMPTY).value}
        if asked.warnings:
            result["problemDetails"] = {
                "type": "about:blank",
                "title": "Some context sources did not answer",
                "detail": "; ".join(asked.warnings),
            }
        return result

    async def _entities(self, staging: Staging, asked: Asked) -> int:
        number = 0
        async for batch in self._reader.entities(asked):
            if batch:
                number += len(batch)
                await staging.add(batch)
                if await staging.size() > self._most:
                    raise self._too_many()
        return number

    async def _evolutions(self, space: str, asked: Asked, *, again: bool) -> int:
        if self._history is None:
            raise NgsiLdError(ErrorType.OPERATION_NOT_SUPPORTED, "this broker keeps no history")
        found: set[str] = set()
        async for entity, rows in self._reader.evolutions(asked):
            found.add(entity["_id"])
            if len(found) > self._most:
                raise self._too_many()
            await self._history[1].add(space, entity, rows, again=again)
        return len(found)

    def _too_many(self) -> NgsiLdError:
        return NgsiLdError(ErrorType.TOO_MANY_RESULTS, f"a snapshot may have {self._most} entities at most")

    async def _clone(self, staging: Staging, token: str) -> Result:
        """5.16.2.4: the data of another snapshot, once that is prepared."""
        while True:
            source = await self._records.with_token(token)
            if source is None:
                gone = not_found("the snapshot to clone was deleted before it was copied")
                return Result(Status.FAILURE, [{"resultStatus": "failure", "problemDetails": gone.problem_details()}])
            if source["status"] != Status.PREPARING.value:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        if self._history is not None:
            await self._history[0].begin(f"@{token}")
        await staging.copy(f"@{token}")
        return Result(Status.SUCCESS)
