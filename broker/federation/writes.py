"""Writes of one entity, divided among this broker and the sources that have some of it (4.3.6, 5.6, 6.3.17).

What goes where is said by `ngsi_ld.registration.distribution`. All parts are written at the same time, and what one
source does not take is said in the answer, without prejudice to what the others took.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from broker.federation import outcome
from broker.federation.caller import Caller
from broker.federation.forwarding import Parameters, segment
from broker.federation.outcome import Failure, Leg
from broker.federation.registry import Registry
from broker.federation.remote import Answer, Remotes, Unanswered
from broker.store.store import Store, StoreUnavailable
from ngsi_ld.conformance import LATEST, conforming, conforming_instance
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.expansion import Fragment
from ngsi_ld.expiry import alive
from ngsi_ld.mutations import UpdateResult
from ngsi_ld.query.type_selection import TypeSelection
from ngsi_ld.query.writing import Unwritable, written_types
from ngsi_ld.registration import distribution
from ngsi_ld.registration.distribution import Distribution, Local, Part
from ngsi_ld.registration.matching import Match, Wanted, any_of
from ngsi_ld.registration.registration import Registration
from ngsi_ld.registration.writing import written, written_instance

Subject = TypeVar("Subject", bound=Entity | Fragment)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation by its name in 4.20, and how a source is asked for it.

    `path` has the placeholders `{id}` and `{attribute}`. `body`: what of the subject is sent. A part of
    what is done `by_attribute` is told in an UpdateResult; an operation on `one` attribute ends at the source that
    alone has it; one that `creates` makes nothing here of which all is elsewhere.
    """

    name: str
    method: str
    path: str
    body: str = "entity"
    by_attribute: bool = False
    one: bool = False
    creates: bool = False


CREATE = Operation("createEntity", "POST", "/entities", creates=True)
REPLACE = Operation("replaceEntity", "PUT", "/entities/{id}")
MERGE = Operation("mergeEntity", "PATCH", "/entities/{id}")
DELETE = Operation("deleteEntity", "DELETE", "/entities/{id}", body="")
APPEND = Operation("appendAttrs", "POST", "/entities/{id}/attrs/", by_attribute=True)
UPDATE = Operation("updateEntity", "PATCH", "/entities/{id}/attrs/", by_attribute=True)
PARTIAL_UPDATE = Operation("updateAttrs", "PATCH", "/entities/{id}/attrs/{attribute}", "instance", True, True)
REPLACE_ATTRIBUTE = Operation("replaceAttrs", "PUT", "/entities/{id}/attrs/{attribute}", "instance", True, True)
DELETE_ATTRIBUTE = Operation("deleteAttrs", "DELETE", "/entities/{id}/attrs/{attribute}", "", True, True)
SET_VALUE = Operation("updateAttrs", "PUT", "/entities/{id}/attrs/{attribute}/value", "value", True, True)


@dataclass(frozen=True, slots=True)
class Write:
    """One write: the operation on the entity `id`, of one of the `types` if asked for.

    `attribute` is the IRI of the one that the path names, `value` the bare value for it. `parameters` are those of the
    request that say how it is written, such as `options=noOverwrite`.
    """

    operation: Operation
    id: str
    types: TypeSelection | None = None
    attribute: str = ""
    dataset_id: str | None = None
    value: Any = None
    parameters: Parameters = ()


class Failed(Exception):
    """A source could not be asked, or gave no answer."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Writes:
    """Divides writes among the store of this broker and the sources that are registered."""

    def __init__(self, store: Store, registry: Registry, remotes: Remotes) -> None:
        self._store = store
        self._registry = registry
        self._remotes = remotes

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
    ) -> dict[str, Any] | None:
        """Writes each part where it belongs; `local` writes what is left of the subject here.

        Gives the body of the 207 answer where something was not done, None where all was. Raises NgsiLdError where
        nothing was done for one reason: 404, 409, 502, 504 or 508 of a source, or any error of the local part.
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
        done = await asyncio.gather(*legs)
        return outcome.combined(
            write.id, [leg for leg in done if leg is not None], by_attribute=write.operation.by_attribute
        )

    async def matches(
        self, caller: Caller, asked: Sequence[Write], subjects: Sequence[Entity | Fragment]
    ) -> list[tuple[list[Match], list[Match]]]:
        """For each write the registrations that are concerned, and those that alone have it and would be a loop."""
        wanted = [_wanted(write, subject) for write, subject in zip(asked, subjects, strict=True)]
        found = [self._registry.matching(caller.tenant, one, caller.now) for one in wanted]
        # Where the request does not tell of which types an entity is, what is here of it does, if anything is.
        unsure = [n for n, one in enumerate(wanted) if one.types is None and any(map(_depends_on_types, found[n]))]
        if unsure:
            stored = await self._store.get_many(caller.tenant, list({asked[n].id for n in unsure}))
            for n in unsure:
                here = alive(stored.get(asked[n].id), caller.now)
                known = [*(here.types if here else ()), *subjects[n].types]
                if known:
                    typed = replace(wanted[n], types=any_of(known))
                    found[n] = self._registry.matching(caller.tenant, typed, caller.now)
        return [without_loops(caller, one) for one in found]

    async def send(self, caller: Caller, write: Write, subject: Entity | Fragment, part: Part) -> Leg:
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
    return write.operation.path.format(id=segment(write.id), attribute=attribute)


def parameters_for(write: Write, context: Context) -> Parameters:
    """The parameters at the source."""
    if write.types is None:
        return write.parameters
    return [("type", written_types(write.types, context)), *write.parameters]


def body_for(write: Write, subject: Entity | Fragment, part: Part, context: Context) -> Any:
    """The body for a source: of the version that it speaks, named by the @context that it reads."""
    kind = write.operation.body
    if kind == "value":
        return write.value
    if kind == "instance":
        (instance,) = subject.attributes[write.attribute]
        version = part.match.registration.conformance or LATEST
        return written_instance(conforming_instance(instance, version, context), context)
    return entity_body(subject, part, context) if kind else None


def entity_body(subject: Entity | Fragment, part: Part, context: Context) -> dict[str, Any]:
    """An entity, or a fragment, for a source."""
    return written(conforming(subject, part.match.registration.conformance or LATEST, context), context)


def divided(operation: Operation, subject: Entity | Fragment, matches: Sequence[Match]) -> Distribution:
    """What of the subject goes to which source, and whether anything is left to write here."""
    if operation.one:
        return distribution.of_attribute(next(iter(subject.attributes)), matches)
    if not operation.body:
        return distribution.of_entity(matches)
    division = distribution.of_attributes(subject.attributes, matches)
    if division.local is Local.IF_THERE:
        left = not operation.creates
        if isinstance(subject, Fragment):
            left = subject.scope is not None or subject.expires_at is not None
        if not left:
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


def _wanted(write: Write, subject: Entity | Fragment) -> Wanted:
    types = any_of(subject.types) if write.types is None and isinstance(subject, Entity) else write.types
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
