"""Writes of one entity, divided among this broker and the sources that have some of it (4.3.6, 5.6, 6.3.17).

What goes where is said by `ngsi_ld.registration.distribution`. All parts are written at the same time, and what one
source does not take is said in the answer, without prejudice to what the others took.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from broker.federation import outcome
from broker.federation.caller import Caller
from broker.federation.forwarding import Parameters, segment
from broker.federation.outcome import Failure, Leg
from broker.federation.provision import Operation, Write
from broker.federation.registry import Registry
from broker.federation.remote import Answer, Remotes, Unanswered
from broker.history.history import History
from broker.store.store import Store, StoreUnavailable
from ngsi_ld.conformance import LATEST, conforming, conforming_instance
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.expansion import Fragment
from ngsi_ld.expiry import alive
from ngsi_ld.mutations import UpdateResult
from ngsi_ld.query.writing import Unwritable, written_types
from ngsi_ld.registration import distribution
from ngsi_ld.registration.distribution import Distribution, Local, Part
from ngsi_ld.registration.matching import Match, Wanted, any_of
from ngsi_ld.registration.registration import Registration
from ngsi_ld.registration.writing import written, written_instance, written_temporal
from ngsi_ld.temporal.expansion import EntityTemporal
from ngsi_ld.temporal.query import TemporalQuery

Content = Entity | Fragment | EntityTemporal
"""What a write brings."""

Subject = TypeVar("Subject", bound=Content)


_PASTS = (TemporalQuery(), TemporalQuery(timeproperty="modifiedAt"))
"""The past as sources tell of it: of what was observed, or of what was written (5.2.11)."""


class Failed(Exception):
    """A source could not be asked, or gave no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Done:
    """What was done: `partial` is the body of a 207 answer, None where all was; `created` what a source tells of it."""

    partial: dict[str, Any] | None
    created: bool = False


class Writes:
    """Divides writes among the store, or the history, of this broker and the sources that are registered."""

    def __init__(self, store: Store, registry: Registry, remotes: Remotes, history: History | None = None) -> None:
        self._store = store
        self._registry = registry
        self._remotes = remotes
        self._history = history

    @property
    def at_once(self) -> int:
        """How many requests one source answers at a time."""
        return self._remotes.at_once

    async def write(
        self,
        caller: Caller,
        write: Write,
        subject: Subject,
        local: Callable[[Subject], Awaitable[UpdateResult | None]],
    ) -> Done:
        """Writes each part where it belongs; `local` writes what is left of the subject here.

        Raises NgsiLdError where nothing was done for one reason: 404, 409, 502, 504 or 508 of a source, or any error
        of the local part.
        """
        ((matches, looping),) = await self.matches(caller, [write], [subject])
        division = divided(write.operation, subject, [*matches, *looping])
        legs: list[Awaitable[Leg | None]] = [
            _looped(part) if part.match in looping else self.send(caller, write, reduced(subject, part), part)
            for part in division.parts
            if is_asked(write.operation, part.match)
        ]
        if division.local is not Local.NONE:
            legs.append(_here(remaining(subject, division), division, local))
        done = [leg for leg in await asyncio.gather(*legs) if leg is not None]
        partial = outcome.combined(write.id, done, by_attribute=write.operation.by_attribute)
        return Done(partial, created=any(leg.created for leg in done))

    async def matches(
        self, caller: Caller, asked: Sequence[Write], subjects: Sequence[Content]
    ) -> list[tuple[list[Match], list[Match]]]:
        """For each write the registrations that are concerned, and those that alone have it and would be a loop."""
        wanted = [_wanted(write, subject) for write, subject in zip(asked, subjects, strict=True)]
        temporal = bool(asked) and asked[0].operation.temporal
        found = [self._found(caller, one, temporal=temporal) for one in wanted]
        # Where the request does not tell of which types an entity is, what is here of it does, if anything is.
        unsure = [n for n, one in enumerate(wanted) if one.types is None and any(map(_depends_on_types, found[n]))]
        if unsure:
            here = await self._types_here(caller, list({asked[n].id for n in unsure}), temporal=temporal)
            for n in unsure:
                stored = here.get(asked[n].id)
                known = [*(stored or ()), *subjects[n].types]
                typed = self._found(caller, replace(wanted[n], types=any_of(known)), temporal=temporal) if known else []
                # What is not here may have other types than those that a fragment adds.
                if typed or stored:
                    found[n] = typed
        return [without_loops(caller, one) for one in found]

    def _found(self, caller: Caller, wanted: Wanted, *, temporal: bool) -> list[Match]:
        if not temporal:
            return self._registry.matching(caller.tenant, wanted, caller.now)
        found: dict[str, Match] = {}
        for past in _PASTS:
            for match in self._registry.matching(caller.tenant, replace(wanted, temporal=past), caller.now):
                found.setdefault(match.registration.id, match)
        return list(found.values())

    async def _types_here(self, caller: Caller, ids: Sequence[str], *, temporal: bool) -> dict[str, list[str]]:
        """The types of those entities that are here, or whose history is."""
        if not temporal:
            stored = await self._store.get_many(caller.tenant, ids)
            return {one.id: one.types for one in stored.values() if alive(one, caller.now) is not None}
        known: dict[str, list[str]] = {}
        if self._history is not None:
            for entity_id in ids:
                with suppress(NgsiLdError):
                    known[entity_id] = (await self._history.entity(caller.tenant, entity_id))["types"]
        return known

    async def send(self, caller: Caller, write: Write, subject: Content, part: Part) -> Leg:
        """Has a source write its part, which the subject has been reduced to."""
        registration, operation = part.match.registration, write.operation
        if not part.match.supports(operation.name):
            return outcome.failed(registration, part.attributes, outcome.conflict(registration, operation.name))
        try:
            answer = await self.ask(
                caller,
                registration,
                operation.method,
                lambda context: path_for(write, context),
                lambda context: parameters_for(write, context),
                lambda context: body_for(write, subject, part, context),
            )
        except Failed as error:
            return outcome.failed(registration, part.attributes, error.failure)
        return outcome.answered(registration, part.attributes, answer)

    async def ask(
        self,
        caller: Caller,
        registration: Registration,
        method: str,
        path: Callable[[Context], str],
        parameters: Callable[[Context], Parameters],
        body: Callable[[Context], Any],
    ) -> Answer:
        """The answer of a source to a request that is written with its @context; raises Failed."""
        try:
            context = await self._remotes.context(caller, registration)
            return await self._remotes.ask(
                caller, registration, method, path(context), parameters(context), body(context), reads=False
            )
        except Unanswered as error:
            raise Failed(outcome.unanswered(registration, error)) from error
        except Unwritable as error:
            raise Failed(outcome.unanswered(registration, Unanswered("refused", str(error)))) from error
        except (NgsiLdError, StoreUnavailable) as error:
            # The @context that the names are written with could not be hosted.
            raise Failed(Failure.of(error)) from error


def is_asked(operation: Operation, match: Match) -> bool:
    """Whether a source has a say: one that has the data besides others, and not the operation, is left out."""
    return match.registration.mode.proxied or match.supports(operation.name)


def path_for(write: Write, context: Context) -> str:
    """The path at the source, with the attribute's name in the @context that the source reads it with."""
    attribute = segment(context.term(write.attribute)) if write.attribute else ""
    return write.operation.path.format(id=segment(write.id), attribute=attribute, instance=segment(write.instance))


def parameters_for(write: Write, context: Context) -> Parameters:
    """The parameters at the source."""
    if write.types is None:
        return write.parameters
    return [("type", written_types(write.types, context)), *write.parameters]


def body_for(write: Write, subject: Content, part: Part, context: Context) -> Any:
    """The body for a source: of the version that it speaks, named by the @context that it reads."""
    kind = write.operation.body
    if kind == "value":
        return write.value
    if kind == "instance":
        (instance,) = subject.attributes[write.attribute]
        version = part.match.registration.conformance or LATEST
        return written_instance(conforming_instance(instance, version, context), context)
    return entity_body(subject, part, context) if kind else None


def entity_body(subject: Content, part: Part, context: Context) -> dict[str, Any]:
    """An entity, a fragment, or instances of its past, for a source."""
    version = part.match.registration.conformance or LATEST
    if isinstance(subject, EntityTemporal):
        attributes = {
            name: [conforming_instance(one, version, context) for one in instances]
            for name, instances in subject.attributes.items()
        }
        return written_temporal(replace(subject, attributes=attributes), context)
    return written(conforming(subject, version, context), context)


def divided(operation: Operation, subject: Content, matches: Sequence[Match]) -> Distribution:
    """What of the subject goes to which source, and whether anything is left to write here."""
    if operation.one:
        return distribution.of_attribute(next(iter(subject.attributes)), matches)
    if not operation.body:
        return distribution.of_entity(matches)
    division = distribution.of_attributes(subject.attributes, matches)
    if division.local is Local.IF_THERE:
        left = isinstance(subject, Entity)
        if isinstance(subject, Fragment):
            left = subject.scope is not None or subject.expires_at is not None
        elif isinstance(subject, EntityTemporal):
            left = bool(subject.scope)
        if operation.creates or not left:
            return replace(division, local=Local.NONE)
    return division


def reduced(subject: Subject, part: Part) -> Subject:
    """The subject with what concerns a source."""
    attributes = {name: one for name, one in subject.attributes.items() if name in part.attributes}
    return replace(subject, attributes=attributes, types=distribution.types_for(part.match, subject.types))


def remaining(subject: Subject, division: Distribution) -> Subject:
    """The subject with what is left for this broker."""
    if len(division.remaining) == len(subject.attributes):
        return subject
    attributes = {name: one for name, one in subject.attributes.items() if name in division.remaining}
    return replace(subject, attributes=attributes)


def _wanted(write: Write, subject: Content) -> Wanted:
    # An entity that is brought whole tells its types; a fragment names those that are to be added.
    whole = isinstance(subject, Entity) or write.operation.creates
    types = any_of(subject.types) if write.types is None and whole else write.types
    datasets = frozenset(() if write.dataset_id is None else (write.dataset_id,))
    return Wanted((write.id,), types=types, attributes=frozenset(subject.attributes), dataset_ids=datasets)


def _depends_on_types(match: Match) -> bool:
    return any(entity.types for information in match.information for entity in information.entities)


def without_loops(caller: Caller, found: list[Match]) -> tuple[list[Match], list[Match]]:
    """Those of the registrations that may be asked, and those that alone have the data and would be a loop."""
    passed = [one for one in found if caller.looped or one.registration.alias in caller.via]
    if not passed:
        return found, []
    return [one for one in found if one not in passed], [one for one in passed if one.registration.mode.proxied]


async def _looped(part: Part) -> Leg:
    registration = part.match.registration
    return outcome.failed(registration, part.attributes, outcome.looped(registration))


async def _here(
    subject: Subject, division: Distribution, local: Callable[[Subject], Awaitable[UpdateResult | None]]
) -> Leg | None:
    """Writes what is left here; None where all is elsewhere and nothing is here."""
    try:
        return outcome.done_here(division.remaining, await local(subject))
    except NgsiLdError as error:
        if division.local is Local.IF_THERE and error.type is ErrorType.RESOURCE_NOT_FOUND:
            return None
        return outcome.failed(None, division.remaining, Failure.of(error))
    except StoreUnavailable as error:
        return outcome.failed(None, division.remaining, Failure.of(error))
