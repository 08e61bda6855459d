"""Batches, divided among this broker and the sources that have some of their entities (5.6.7 to 5.6.10, 5.6.20).

Each source gets one batch with its parts of the entities if it takes such; otherwise one request for each entity, if
it takes the operation on one entity.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from broker.federation import outcome, provision, writes
from broker.federation.caller import Caller
from broker.federation.outcome import MULTI_STATUS, Failure, Leg
from broker.federation.provision import Operation, Write
from broker.federation.remote import Answer
from broker.federation.writes import Writes
from broker.operations.batch import BatchResult
from broker.store.store import StoreUnavailable
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.expansion import Fragment
from ngsi_ld.registration.distribution import Local, Part
from ngsi_ld.registration.registration import Registration

Subject = TypeVar("Subject", bound=Entity | Fragment)

_EXISTS = 409


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch operation: its name in 4.20, its path, and the operations on one entity that do the same, in order.

    After the first of `singles` was refused because the entity exists, the others are tried.
    """

    name: str
    path: str
    singles: tuple[Operation, ...]
    parameters: tuple[tuple[str, str], ...] = ()


_APPEND_ONLY = (("options", "noOverwrite"),)
_UPDATING = (("options", "update"),)

CREATE = Batch("createBatch", "/entityOperations/create", (provision.CREATE,))
UPSERT = {
    False: Batch("upsertBatch", "/entityOperations/upsert", (provision.CREATE, provision.REPLACE)),
    True: Batch(
        "upsertBatch", "/entityOperations/upsert", (provision.CREATE, provision.UPDATE), (("options", "update"),)
    ),
}
"""By whether entities that exist are updated, not replaced."""
UPDATE = {
    False: Batch("updateBatch", "/entityOperations/update", (provision.UPDATE,)),
    True: Batch("updateBatch", "/entityOperations/update", (provision.APPEND,), _APPEND_ONLY),
}
"""By whether attributes that exist are left as they are."""
MERGE = Batch("mergeBatch", "/entityOperations/merge", (provision.MERGE,))
DELETE = Batch("deleteBatch", "/entityOperations/delete", (provision.DELETE,))


@dataclass(frozen=True, slots=True)
class _Item:
    """The part of one entity that a source gets."""

    id: str
    subject: Entity | Fragment
    part: Part


class Batches:
    """Divides batches among the store of this broker and the sources that are registered."""

    def __init__(self, asked: Writes) -> None:
        self._writes = asked

    async def run(
        self,
        caller: Caller,
        batch: Batch,
        subjects: Sequence[Subject],
        local: Callable[[Sequence[Subject]], Awaitable[BatchResult]],
    ) -> BatchResult:
        """Writes each part where it belongs, `local` what is left of the subjects here; the outcomes of all parts."""
        groups: dict[str, list[_Item]] = {}
        looped: list[_Item] = []
        here: list[Subject] = []
        may_miss: set[str] = set()
        first = batch.singles[0]
        asked = [Write(first, subject.id or "") for subject in subjects]
        for subject, write, (matches, looping) in zip(
            subjects, asked, await self._writes.matches(caller, asked, subjects), strict=True
        ):
            division = writes.divided(first, subject, [*matches, *looping])
            for part in division.parts:
                item = _Item(write.id, writes.reduced(subject, part), part)
                if part.match in looping:
                    looped.append(item)
                else:
                    groups.setdefault(part.match.registration.id, []).append(item)
            if division.local is not Local.NONE:
                here.append(writes.remaining(subject, division))
                if division.local is Local.IF_THERE:
                    may_miss.add(write.id)
        result, sent = await asyncio.gather(
            self._here(here, may_miss, local),
            asyncio.gather(*[self._send(caller, batch, group) for group in groups.values()]),
        )
        for item in looped:
            registration = item.part.match.registration
            sent.append([(item.id, outcome.failed(registration, (), outcome.looped(registration)), False)])
        for entity_id, leg, created in chain.from_iterable(sent):
            if leg.succeeded:
                result.success.append(entity_id)
                if created:
                    result.created.append(entity_id)
            result.told += [outcome.listed(entity_id, failure, leg) for failure in leg.failures]
        result.success = list(dict.fromkeys(result.success))
        result.created = list(dict.fromkeys(result.created))
        return result

    async def _here(
        self,
        subjects: Sequence[Subject],
        may_miss: set[str],
        local: Callable[[Sequence[Subject]], Awaitable[BatchResult]],
    ) -> BatchResult:
        try:
            result = await local(subjects) if subjects else BatchResult()
        except StoreUnavailable as error:
            problem = Failure.of(error)
            lost = Leg(None, succeeded=False)
            return BatchResult(told=[outcome.listed(subject.id or "", problem, lost) for subject in subjects])
        result.errors = [
            (entity_id, error)
            for entity_id, error in result.errors
            if not (entity_id in may_miss and error.type is ErrorType.RESOURCE_NOT_FOUND)
        ]
        return result

    async def _send(self, caller: Caller, batch: Batch, items: list[_Item]) -> list[tuple[str, Leg, bool]]:
        """What became of the parts of one source: id, outcome, and whether it was created there."""
        match = items[0].part.match
        registration = match.registration
        if match.supports(batch.name):
            return await self._send_batch(caller, batch, registration, items)
        singles = [one for one in batch.singles if match.supports(one.name)]
        if not singles:
            if not registration.mode.proxied:
                return []
            conflict = outcome.conflict(registration, batch.name)
            return [(item.id, outcome.failed(registration, (), conflict), False) for item in items]
        turns: dict[str, list[_Item]] = {}
        for item in items:
            turns.setdefault(item.id, []).append(item)
        # Those that wait for others of the same batch do not use up the time that the source has.
        limit = asyncio.Semaphore(self._writes.at_once)

        async def in_turn(same: list[_Item]) -> list[tuple[str, Leg, bool]]:
            async with limit:
                return [await self._send_single(caller, batch, item) for item in same]

        return [one for told in await asyncio.gather(*map(in_turn, turns.values())) for one in told]

    async def _send_batch(
        self, caller: Caller, batch: Batch, registration: Registration, items: list[_Item]
    ) -> list[tuple[str, Leg, bool]]:
        ids = [item.id for item in items]
        try:
            answer = await self._writes.ask(
                caller,
                registration,
                "POST",
                lambda _: batch.path,
                lambda _: batch.parameters,
                lambda context: [
                    item.id if batch is DELETE else writes.entity_body(item.subject, item.part, context)
                    for item in items
                ],
            )
        except writes.Failed as error:
            return [(entity_id, outcome.failed(registration, (), error.failure), False) for entity_id in ids]
        return _told(registration, ids, answer)

    async def _send_single(self, caller: Caller, batch: Batch, item: _Item) -> tuple[str, Leg, bool]:
        """One entity by the operations that the source takes: the first, or the next if the entity exists there."""
        match = item.part.match
        operations = [one for one in batch.singles if match.supports(one.name)]
        for operation in operations:
            parameters = _APPEND_ONLY if operation is provision.APPEND else ()
            leg = await self._writes.send(
                caller, Write(operation, item.id, parameters=parameters), item.subject, item.part
            )
            exists = any(failure.problem.get("status") == _EXISTS for failure in leg.failures)
            if not (operation.creates and exists and len(batch.singles) > 1):
                return item.id, leg, operation.creates and leg.succeeded
        error = NgsiLdError(
            ErrorType.OPERATION_NOT_SUPPORTED,
            f"it exists at the source of {match.registration.id}, which takes no operation to change it",
        )
        return item.id, outcome.failed(match.registration, (), Failure.of(error)), False


def _told(registration: Registration, ids: Sequence[str], answer: Answer) -> list[tuple[str, Leg, bool]]:
    """What the answer to a batch tells of each entity."""
    body: Any = answer.body
    if answer.status == MULTI_STATUS and isinstance(body, Mapping):
        errors = _errors(registration, body.get("errors"))
        success = set(_texts(body.get("success")))
        return [
            (
                entity_id,
                Leg(
                    registration.id,
                    succeeded=entity_id in success or entity_id not in errors,
                    failures=errors.get(entity_id, []),
                ),
                False,
            )
            for entity_id in dict.fromkeys(ids)
        ]
    if not 200 <= answer.status < 300 or answer.status == MULTI_STATUS:
        failure = outcome.refused(registration, answer)
        return [(entity_id, outcome.failed(registration, (), failure), False) for entity_id in ids]
    # 201 lists those that were created; a source that lists none has created all that it got.
    created = set(_texts(body)) or set(ids) if answer.status == 201 else set()
    return [(entity_id, Leg(registration.id), entity_id in created) for entity_id in ids]


def _errors(registration: Registration, entries: Any) -> dict[str, list[Failure]]:
    errors: dict[str, list[Failure]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, Mapping) and isinstance(entry.get("entityId"), str):
            problem = entry.get("error")
            failure = outcome.told_by(registration, problem if isinstance(problem, dict) else {})
            errors.setdefault(entry["entityId"], []).append(failure)
    return errors


def _texts(value: Any) -> Iterable[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
