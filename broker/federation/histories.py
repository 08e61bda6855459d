"""Temporal evolutions over this broker and the context sources of a tenant (GS CIM 009 v1.9.1, 5.7.3, 5.7.4).

Sources are asked for the normalized representation of the same time; what is computed of it, how it is shown and how
much of it, is done when all parts are together. They come in the order of the entities' ids.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from broker.federation import asking
from broker.federation.asking import Asked
from broker.federation.caller import Caller
from broker.federation.consulting import INVALID, NO_RESPONSE, Consultation
from broker.federation.forwarding import Parameters, segment
from broker.federation.maps import HERE, mapped_ids
from broker.federation.registry import Registry
from broker.federation.remote import Answer, Remotes
from broker.federation.streams import Group, Item, OutOfOrder, SourceStream, Stream, groups, note_unordered
from broker.history.history import History, evolution
from broker.operations.temporal import Found, TemporalAsk, batches
from ngsi_ld.context import Context
from ngsi_ld.datetimes import parse_date_time
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError
from ngsi_ld.names import Names
from ngsi_ld.query.matching import matches
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.writing import Unwritable, written_names, written_q
from ngsi_ld.registration.matching import Match, Wanted
from ngsi_ld.registration.narrowing import Part, parts
from ngsi_ld.registration.registration import Mode, Registration
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.merging import merged_evolution
from ngsi_ld.temporal.query import TemporalQuery
from ngsi_ld.temporal.received import expand_evolution
from ngsi_ld.temporal.representation import Evolution

RETRIEVE, QUERY, CREATE_MAP = "retrieveTemporal", "queryTemporal", "createEntityMapQueryTemporal"

_PARTIAL = 206
_RANGE = re.compile(r"\S+ (\S+Z)-(\S+Z)/\S+")
_TOGETHER = 100


@dataclass(slots=True)
class Coverage:
    """Up to which instants sources have told all: where one had more to say than it would in one answer (206)."""

    ends: list[int] = field(default_factory=list)

    def note(self, answer: Answer) -> None:
        """Reads the Content-Range of a partial answer."""
        if answer.status == _PARTIAL:
            match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if match is not None and parse_date_time(match[2]) is not None:
                self.ends.append(instants.read(match[2]))


class LocalEvolutions(Stream):
    """The evolutions that this broker has."""

    def __init__(self, history: History, tenant: str, ask: TemporalAsk, now: str) -> None:
        super().__init__()
        self._batches = batches(history, tenant, ask, now, _TOGETHER)

    async def fill(self, size: int, *, ids_only: bool) -> None:
        """See `Stream`."""
        batch = await anext(self._batches, None)
        if batch is None:
            self.ended = True
        else:
            self.items.extend([Item(one.entity["_id"], one, None) for one in batch])


class SourceEvolutions(SourceStream):
    """The evolutions of one part of what a context source has.

    No parameter orders them; those of Beffroi come in the order of ids, and of others it is seen whether they do.
    """

    kind = ", temporal evolutions"

    def __init__(
        self,
        consultation: Consultation,
        match: Match,
        part: Part,
        conditions: Query,
        time: TemporalQuery,
        coverage: Coverage,
        most: int,
    ) -> None:
        super().__init__(consultation, match, part, conditions, most)
        self._time, self._coverage = time, coverage

    def _request(
        self, names: Names, *, paging: Parameters = (), ordered: bool = False, ids_only: bool = False
    ) -> Asked:
        parameters = [("attrs", written_names(self._part.attributes, names))] if self._part.attributes else []
        parameters += asking.conditions_of(self._part, self._conditions, names)
        return Asked("GET", "/temporal/entities", [*parameters, *_of_time(self._time), *paging])

    def _items(self, answer: Answer) -> list[Item]:
        self._coverage.note(answer)
        return super()._items(answer)

    @property
    def registration_id(self) -> str:
        """The id of the registration of the source."""
        return self._match.registration.id

    def evolution(self, item: Item) -> Evolution | None:
        """The evolution of an item; None where it is not valid, or not the source's to have."""
        if item.names is None:
            return None
        return _own(self._consultation, self._match.registration, [self._part], item.body, item.names)


class MappedEvolutions(SourceEvolutions):
    """The ids of an EntityMap that the source makes; where it makes none, those of its evolutions."""

    _asked_for_map = False

    async def fill(self, size: int, *, ids_only: bool) -> None:
        """See `Stream`."""
        if not self._asked_for_map:
            self._asked_for_map = True
            names = await self._consultation.names(self._match.registration)
            if names is not None:
                asked = self._request(names)
                path = "/temporal/entityMaps"
                ids = await mapped_ids(self._consultation, self._match, self._part, asked, path)
                if ids is not None:
                    self.items.extend([Item(one, None, None) for one in ids])
                    self.ended = True
                    return
        await super().fill(size, ids_only=ids_only)


@dataclass(frozen=True, slots=True)
class Past:
    """What all sources have of an entity; `here` is what this broker has.

    `sources` are those that have some: the ids of their registrations, and @none for this broker.
    """

    evolution: Evolution
    here: Found | None
    sources: tuple[str, ...]


class Histories:
    """The past of a tenant's entities wherever it is, for one request."""

    def __init__(self, history: History, registry: Registry, remotes: Remotes, caller: Caller, *, most: int) -> None:
        self._history, self._registry, self._caller = history, registry, caller
        self._consultation = Consultation(remotes, caller)
        self._most = most
        self.coverage = Coverage()

    @property
    def maps(self) -> dict[str, str]:
        """The EntityMaps of the sources, see `Caller`."""
        return self._caller.maps

    def of_entity(self, entity_id: str, ask: TemporalAsk) -> list[Match]:
        """The registrations whose sources may have something of an entity."""
        wanted = Wanted((entity_id,), attributes=self._attributes(), dataset_ids=self._caller.dataset_ids)
        return [match for match in self._concerned(replace(wanted, temporal=ask.time)) if match.supports(RETRIEVE)]

    def of_query(self, ask: TemporalAsk) -> list[Match]:
        """The registrations whose sources take part in a query."""
        query, found = ask.query, dict[str, Match]()
        for selector in () if query.local else query.selectors or (EntitySelector(),):
            wanted = Wanted(
                selector.ids,
                selector.id_pattern,
                selector.types,
                query.attributes,
                self._caller.dataset_ids,
                temporal=ask.time,
                geo=query.geo,
                scope_q=query.scope_q,
                csf=query.csf,
            )
            for match in self._concerned(wanted):
                known = found.get(match.registration.id)
                united = match.information if known is None else (*known.information, *match.information)
                found[match.registration.id] = replace(match, information=tuple(dict.fromkeys(united)))
        return [match for match in found.values() if match.supports(QUERY)]

    async def retrieve(
        self, entity_id: str, ask: TemporalAsk, found: Sequence[Match], here: Found | None
    ) -> Past | None:
        """All of an entity's past; None where nobody has any."""
        told = await asyncio.gather(*[self._retrieved(match, entity_id, ask.time) for match in found])
        versions = [] if here is None else [evolution(here.entity, here.rows, here.shown)]
        auxiliary: list[Evolution] = []
        for match, one in zip(found, told, strict=True):
            if one is not None:
                (auxiliary if match.registration.mode is Mode.AUXILIARY else versions).append(one)
        if not versions and not auxiliary:
            return None
        had = [match.registration.id for match, one in zip(found, told, strict=True) if one is not None]
        sources = had if here is None else [HERE, *had]
        return Past(merged_evolution(versions, auxiliary, ask.time.timeproperty), here, tuple(sources))

    async def candidates(self, ask: TemporalAsk, found: Sequence[Match], *, most: int) -> dict[str, tuple[str, ...]]:
        """The entities that may be among the answer, in the order of ids, with the sources that have them (5.14.5.4).

        Sources that make EntityMaps of their own make one, which the caller then knows. TooManyResults beyond `most`.
        """
        while True:
            ids: dict[str, tuple[str, ...]] = {}
            try:
                async for group in groups(self._streams(ask, found, mapped=True), _TOGETHER, ids_only=True):
                    ids[group[0][1].id] = _sources(group)
                    if len(ids) > most:
                        raise NgsiLdError(ErrorType.TOO_MANY_RESULTS, f"more than {most} entities: narrow the query")
            except OutOfOrder as out_of_order:
                note_unordered(out_of_order)
            else:
                return ids

    def _streams(self, ask: TemporalAsk, found: Sequence[Match], *, mapped: bool = False) -> list[Stream]:
        query = ask.query
        # Filters on what only all parts together have are for when they are together (5.7.4.4).
        split = self._is_split(query)
        conditions = Query() if split else query
        local = replace(ask, query=Query(selectors=query.selectors), shows=_all) if split else ask
        streams: list[Stream] = [LocalEvolutions(self._history, self._caller.tenant, local, self._caller.now)]
        for match in found:
            several = parts(match.information, query.selectors, query.attributes)
            # A source that is asked several times would make several maps, of which there is room for one (5.2.39).
            maps = mapped and len(several) == 1 and match.supports(CREATE_MAP)
            stream = MappedEvolutions if maps else SourceEvolutions
            for part in several:
                asked = replace(part, attributes=part.registered or frozenset()) if split else part
                if asking.is_wide(asked, conditions):
                    asked = replace(asked, attributes=query.named_attributes)
                streams.append(
                    stream(self._consultation, match, asked, conditions, ask.time, self.coverage, self._most)
                )
        return streams

    async def query(self, ask: TemporalAsk, found: Sequence[Match], *, size: int = _TOGETHER) -> AsyncIterator[Past]:
        """Every entity that is among the answer, in the order of ids; sources are asked for `size` at a time."""
        last, split = "", self._is_split(ask.query)
        while True:
            try:
                async for group in groups(self._streams(ask, found), min(size, _TOGETHER)):
                    entity_id = group[0][1].id
                    past = self._past(group, ask.time.timeproperty) if entity_id > last else None
                    if past is not None and not (split and not self._passes(past.evolution, ask.query)):
                        yield past
                        last = entity_id
            except OutOfOrder as out_of_order:
                # Once more, from where we were.
                note_unordered(out_of_order)
                self.coverage.ends.clear()
            else:
                return

    def _past(self, group: Group, timeproperty: str) -> Past | None:
        """What all have of an entity; None where it comes to nothing."""
        here: Found | None = None
        versions: list[Evolution] = []
        auxiliary: list[Evolution] = []
        for stream, item in group:
            if isinstance(stream, SourceEvolutions):
                one = stream.evolution(item)
                if one is not None:
                    (auxiliary if stream.auxiliary else versions).append(one)
            else:
                here = item.body
                versions.insert(0, evolution(item.body.entity, item.body.rows, item.body.shown))
        if not versions and not auxiliary:
            return None
        return Past(merged_evolution(versions, auxiliary, timeproperty), here, _sources(group))

    def _passes(self, past: Evolution, query: Query) -> bool:
        entity = Entity(past.id, past.types, past.attributes, [], past.created_at, past.modified_at)
        scopes = [scope for one in past.scope or () for scope in one["value"]]
        if query.scope_q is not None and not query.scope_q.matches(scopes):
            return False
        if query.attributes and query.attributes.isdisjoint(past.attributes):
            return False
        return matches(Query(q=query.q, geo=query.geo), entity, self._caller.now)

    async def _retrieved(self, match: Match, entity_id: str, time: TemporalQuery) -> Evolution | None:
        registration = match.registration
        names = await self._consultation.names(registration)
        wanted = parts(match.information, (EntitySelector(ids=(entity_id,)),), self._attributes())
        if names is None or not wanted:
            return None
        attributes = frozenset().union(*[part.attributes for part in wanted])
        attrs = [("attrs", written_names(attributes, names))] if all(part.attributes for part in wanted) else []
        path = f"/temporal/entities/{segment(entity_id)}"
        answer = await self._consultation.ask(registration, "GET", path, [*attrs, *_of_time(time)])
        if answer is None:
            return None
        self.coverage.note(answer)
        return _own(self._consultation, registration, wanted, answer.body, answer.context)

    def _is_split(self, query: Query) -> bool:
        return self._caller.split or not self._is_writable(query)

    def _is_writable(self, query: Query) -> bool:
        try:
            if query.q is not None:
                written_q(query.q, self._caller.context)
        except Unwritable:
            return False
        return True

    def _attributes(self) -> frozenset[str]:
        return self._caller.attributes or frozenset()

    def _concerned(self, wanted: Wanted) -> list[Match]:
        caller = self._caller
        found = self._registry.matching(caller.tenant, wanted, caller.now, () if caller.looped else caller.via)
        looping = found if caller.looped else self._registry.looping(caller.tenant, wanted, caller.now, caller.via)
        for match in looping:
            self._consultation.warn(match.registration, NO_RESPONSE, "a loop: the request has come through it already")
        return [] if caller.looped else found


def _sources(group: Group) -> tuple[str, ...]:
    """Who has something of the entity of a group."""
    named = [one.registration_id if isinstance(one, SourceEvolutions) else HERE for one, _ in group]
    return tuple(dict.fromkeys(named))


def _own(
    consultation: Consultation, registration: Registration, wanted: Sequence[Part], body: object, names: Context | Names
) -> Evolution | None:
    """The evolution that a source has sent, as far as it is registered for it."""
    try:
        past = expand_evolution(body, names)
    except NgsiLdError as error:
        consultation.warn(registration, INVALID, f"an evolution of its answer is not valid: {error.detail}")
        return None
    entity = Entity(past.id, past.types, past.attributes)
    for part in wanted:
        own = part.own(entity)
        if own is not None:
            return replace(past, attributes=own.attributes)
    consultation.warn_foreign(registration, past.id)
    return None


def _of_time(time: TemporalQuery) -> list[tuple[str, str]]:
    """The parameters of a temporal query, and that system times are told."""
    parameters: list[tuple[str, str]] = []
    if time.timerel is not None:
        first = time.end if time.timerel == "before" else time.start
        parameters += [("timerel", time.timerel), ("timeAt", instants.show(first or 0))]
        if time.timerel == "between":
            parameters.append(("endTimeAt", instants.show(time.end or 0)))
    if time.timeproperty != "observedAt" or (time.filtered and time.timerel is None):
        parameters.append(("timeproperty", time.timeproperty))
    if time.last_n is not None:
        parameters.append(("lastN", str(time.last_n)))
    return [*parameters, ("options", "sysAttrs")]


def _all(_: str) -> bool:
    return True
