"""Temporal evolutions that context sources have a part in: selected, merged, and shown as those of this broker are."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from broker.api.mapped import with_ids
from broker.api.request import Request
from broker.api.temporal_query import TemporalReading
from broker.federation.histories import Histories, Past
from broker.history.history import History
from broker.operations.temporal import Cut, Found, cut, one_entity
from broker.store.names import key
from ngsi_ld.context import Context
from ngsi_ld.entity import Attributes
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data, not_found
from ngsi_ld.registration.matching import Match
from ngsi_ld.temporal.computing import aggregates_of
from ngsi_ld.temporal.merging import latest, moment
from ngsi_ld.temporal.representation import (
    Evolution,
    TemporalForm,
    render_aggregated,
    render_normalized,
    render_values,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """The evolutions of an answer as JSON, and what of their time was left out."""

    evolutions: list[dict[str, Any]]
    cut: Cut | None


class Across:
    """One request to read evolutions over several brokers."""

    def __init__(
        self,
        request: Request,
        context: Context,
        reading: TemporalReading,
        history: History,
        *,
        split: bool | None = None,
    ) -> None:
        self._request, self._context, self._reading, self._history = request, context, reading, history
        services = request.services
        caller = request.caller(context)
        view = reading.view
        caller.attributes = None if view.attributes is None else frozenset(view.attributes)
        caller.dataset_ids = frozenset(view.dataset_ids or ())
        if split is not None:
            caller.split = split
        self._histories = Histories(
            history, services.registry, services.remotes, caller, most=services.settings.federation_entities
        )
        # What is computed is computed of all rows.
        self._ask = replace(reading.ask, rows_too=True, aggregated=False)

    def of_entity(self, entity_id: str) -> list[Match]:
        """The registrations that a retrieval concerns."""
        return self._histories.of_entity(entity_id, self._ask)

    def of_query(self) -> list[Match]:
        """The registrations that a query concerns; BadRequestData for an order that only this broker can give."""
        found = self._histories.of_query(self._ask)
        if found and self._ask.descending:
            raise bad_request_data("orderBy=id;desc is for what this broker itself has, which local=true asks for")
        return found

    @property
    def maps(self) -> dict[str, str]:
        """The EntityMaps of the sources."""
        return self._histories.maps

    async def candidates(self, found: Sequence[Match], *, most: int) -> dict[str, tuple[str, ...]]:
        """The entities that may be among the answer, with their sources."""
        return await self._histories.candidates(self._ask, found, most=most)

    async def named(self, ids: Sequence[str], found: Sequence[Match]) -> dict[str, Past]:
        """Those of the entities that are among the answer, asked of these sources."""
        ask = replace(self._ask, query=with_ids(self._ask.query, ids))
        return {past.evolution.id: past async for past in self._histories.query(ask, found)}

    async def evolutions(self, found: Sequence[Match]) -> AsyncIterator[Evolution]:
        """The whole answer of a query, in the order of ids; what a source left out of it is told as a warning."""
        async for past in self._histories.query(self._ask, found):
            yield self._narrowed(past.evolution)
        if self._histories.coverage.ends:
            self._request.warnings.append("a context source has more instances than it tells in one answer")

    def shown(self, pages: list[Past]) -> Shown:
        """Evolutions as the answer has them."""
        return self._shown(pages)

    async def retrieve(self, entity_id: str, found: Sequence[Match]) -> tuple[Shown, tuple[str, ...]]:
        """The past of one entity, and who has some of it; ResourceNotFound where nobody has."""
        known, here = None, None
        try:
            known = await self._history.entity(self._request.tenant, entity_id)
            here = await one_entity(self._history, self._request.tenant, known, self._ask, self._request.now)
        except NgsiLdError as error:
            if error.type is not ErrorType.RESOURCE_NOT_FOUND:
                raise
        if here is None and known is not None:
            here = Found(known, [], [])
        past = await self._histories.retrieve(entity_id, self._ask, found, here)
        if past is None:
            raise not_found(f"there is no history of {entity_id}")
        required = self._reading.view.attributes
        if required is not None and not any(past.evolution.attributes.get(name) for name in required):
            raise not_found(f"the history of {entity_id} has none of the attributes that attrs names")
        return self._shown([past]), past.sources

    async def page(self, found: Sequence[Match], *, limit: int, offset: int, counted: bool) -> tuple[Shown, bool, int]:
        """A page, whether there is more, and if `counted` how many there are in all."""
        pages: list[Past] = []
        number = 0
        size = offset + limit + 1
        async for past in self._histories.query(self._ask, found, size=size):
            number += 1
            if offset < number <= offset + limit:
                pages.append(past)
            elif number > offset + limit and not counted:
                break
        return self._shown(pages), number > offset + limit and limit > 0, number

    def _shown(self, pages: list[Past]) -> Shown:
        reading, settings = self._reading, self._request.services.settings
        timeproperty = self._ask.time.timeproperty
        kept = [self._narrowed(past.evolution) for past in pages]
        kept, left_out = self._cut(pages, kept, settings.max_temporal_instances)
        if reading.aggregation is not None:
            if left_out is not None:
                raise NgsiLdError(
                    ErrorType.TOO_COMPLEX_QUERY,
                    "there are too many instances at several sources to compute this of: ask for less time",
                )
            shown = [
                render_aggregated(
                    replace(one, attributes={}, scope=None),
                    aggregates_of(one, self._ask.time, reading.aggregation, settings.max_aggregation_periods),
                    reading.aggregation.methods,
                    self._context,
                    reading.view,
                )
                for one in kept
            ]
        elif reading.form is TemporalForm.TEMPORAL_VALUES:
            shown = [render_values(one, self._context, reading.view, timeproperty) for one in kept]
        else:
            shown = [render_normalized(one, self._context, reading.view) for one in kept]
        return Shown(shown, left_out)

    def _narrowed(self, past: Evolution) -> Evolution:
        """What the request wants of an evolution: attributes, datasets, time, and the last so many instances."""
        ask = self._ask
        attributes: Attributes = {}
        for name, instances in past.attributes.items():
            if not ask.shows(key(name)):
                continue
            wanted = [
                one
                for one in instances
                if (ask.datasets is None or one.get("datasetId", "@none") in ask.datasets) and self._is_asked(one)
            ]
            if wanted or not instances:
                attributes[name] = wanted
        narrowed = replace(past, attributes=attributes)
        return narrowed if ask.time.last_n is None else latest(narrowed, ask.time.timeproperty, ask.time.last_n)

    def _is_asked(self, instance: Any) -> bool:
        text = instance.get(self._ask.time.timeproperty)
        return self._ask.time.includes(moment(instance, self._ask.time.timeproperty) if text else None)

    def _cut(self, pages: list[Past], kept: list[Evolution], most: int) -> tuple[list[Evolution], Cut | None]:
        """All for the same time, which those have told that would not tell everything (6.3.10)."""
        time = self._ask.time
        last = time.last_n is not None
        ends = list(self._histories.coverage.ends)
        here = cut([past.here for past in pages if past.here is not None], self._ask, most)
        if here is not None:
            ends.append(here.earliest if last else here.latest)
        for one in kept:
            for instances in one.attributes.values():
                if len(instances) > most:
                    times = [at for each in instances if (at := moment(each, time.timeproperty)) is not None]
                    ends.append(times[-most] if last else times[most - 1])
        if not ends:
            return kept, None
        end = max(ends) if last else min(ends)
        within = []
        times = []
        for one in kept:
            attributes: Attributes = {}
            for name, instances in one.attributes.items():
                attributes[name] = []
                for each in instances:
                    at = moment(each, time.timeproperty)
                    if at is None or (at >= end if last else at <= end):
                        attributes[name].append(each)
                        times += [] if at is None else [at]
            within.append(replace(one, attributes=attributes))
        return within, Cut(min(times, default=end), max(times, default=end))
