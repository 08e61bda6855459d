"""Answers with temporal evolutions: of one entity, or a page of them, in every form (5.7.3, 5.7.4, 6.3.10)."""

from collections.abc import Mapping
from typing import Any

from broker.api.consumption import page_bounds, page_links, with_context
from broker.api.mapped import wants_map
from broker.api.mapped_temporal import (
    mapped_across,
    mapped_evolution,
    mapped_evolutions,
    mapped_evolutions_across,
)
from broker.api.media import JSON_LD
from broker.api.request import Request
from broker.api.response import Header, Response, dump
from broker.api.temporal_across import Across, Shown
from broker.api.temporal_query import (
    TemporalReading,
    body_parameters,
    reading_of,
)
from broker.history.aggregates import Periods
from broker.history.history import History, evolution
from broker.history.reading import Wanted
from broker.operations.temporal import Cut, Found, TemporalAsk, count, cut, one_entity, select
from ngsi_ld.context import Context
from ngsi_ld.errors import ErrorType, NgsiLdError, not_found
from ngsi_ld.names import checked_uri
from ngsi_ld.temporal import instants
from ngsi_ld.temporal.aggregation import Aggregation
from ngsi_ld.temporal.representation import (
    Evolution,
    Series,
    TemporalForm,
    render_aggregated,
    render_normalized,
    render_values,
)


def history_of(request: Request) -> History:
    """The history; OperationNotSupported where it is switched off."""
    history = request.services.history
    if history is None:
        raise NgsiLdError(ErrorType.OPERATION_NOT_SUPPORTED, "this broker keeps no history: BEFFROI_HISTORY is false")
    return history


async def retrieve(request: Request) -> Response:
    """Retrieve Temporal Evolution of an Entity (5.7.3)."""
    entity_id = checked_uri(request.ids[0], "the id in the path")
    history, context = history_of(request), await request.context()
    reading = reading_of(request, request.parameters, context, of_one=True)
    mapped: list[Header] = []
    if request.distributed:
        across = Across(request, context, reading, history)
        matches = across.of_entity(entity_id)
        if matches and wants_map(request, request.parameters):
            told, header = await mapped_across(request, context, across, matches)
            return await _told(request, context, reading, told, mapped=header)
        if matches:
            told, _ = await across.retrieve(entity_id, matches)
            return await _told(request, context, reading, told)
    if wants_map(request, request.parameters):
        entity, header = await mapped_evolution(request, context, lambda: history.entity(request.tenant, entity_id))
        mapped.append(header)
    else:
        entity = await history.entity(request.tenant, entity_id)
    required = reading.ask.required
    if required is not None and required.isdisjoint(one.partition("\n")[0] for one in entity.get("series", ())):
        raise not_found(f"the history of {entity_id} has none of the attributes that attrs names")
    # Whether there is something in the interval is seen by the aggregates themselves.
    present = reading.aggregation is not None
    found = await one_entity(history, request.tenant, entity, reading.ask, request.now, present=present)
    listed = [found] if found is not None else [Found(entity, [], [])]
    status, headers, shown = await _rendered(request, context, reading, listed)
    if not shown[0]:
        raise not_found(f"pick and omit leave nothing of the history of {entity_id}")
    return Response(status, dump(with_context(shown[0], request, context)), headers + mapped)


async def query(request: Request) -> Response:
    """Query Temporal Evolution of Entities (5.7.4)."""
    context = await request.context()
    reading = reading_of(request, request.parameters, context, of_one=False)
    return await _page(request, context, request.parameters, reading)


async def query_by_body(request: Request) -> Response:
    """The same with the query in the body (6.24)."""
    context = await request.context()
    parameters = request.parameters | body_parameters(request.body)
    return await _page(request, context, parameters, reading_of(request, parameters, context, of_one=False))


async def _page(
    request: Request, context: Context, parameters: Mapping[str, Any], reading: TemporalReading
) -> Response:
    history, ask = history_of(request), reading.ask
    limit, offset = page_bounds(request)
    await history.begin(request.tenant)
    if request.distributed:
        across = Across(request, context, reading, history, split=parameters.get("splitEntities"))
        matches = across.of_query()
        if matches and wants_map(request, parameters):
            everyone = await mapped_evolutions_across(request, context, parameters, across, matches)
            counted = bool(request.parameters.get("count"))
            told, more, number = await everyone.page(limit=limit, offset=offset, counted=counted)
            counts = [(b"ngsild-results-count", str(number).encode())] if counted else []
            links = page_links(request, limit, offset, {"offset": offset + limit} if more else None)
            response = await _told(request, context, reading, told, [*counts, *links], mapped=everyone.header)
            response.status = 201 if everyone.created and response.status == 200 else response.status
            return response
        if matches:
            counted = bool(request.parameters.get("count"))
            told, more, number = await across.page(matches, limit=limit, offset=offset, counted=counted)
            counts = [(b"ngsild-results-count", str(number).encode())] if counted else []
            links = page_links(request, limit, offset, {"offset": offset + limit} if more else None)
            return await _told(request, context, reading, told, [*counts, *links])
    mapped = None
    if wants_map(request, parameters):
        mapped = await mapped_evolutions(request, context, parameters, history, ask)
    found: list[Found] = []
    # One more than the page tells whether there is a next one.
    if limit and mapped is not None:
        found = await mapped.select(offset=offset, limit=limit + 1)
    elif limit:
        found = await select(history, request.tenant, ask, request.now, offset=offset, limit=limit + 1)
    status, headers, shown = await _rendered(request, context, reading, found[:limit])
    if mapped is not None:
        headers.append(mapped.header)
        status = 201 if mapped.created and status == 200 else status
    if request.parameters.get("count"):
        number = await (mapped.count() if mapped else count(history, request.tenant, ask, request.now))
        headers.append((b"ngsild-results-count", str(number).encode()))
    headers += page_links(request, limit, offset, {"offset": offset + limit} if len(found) > limit else None)
    shown = [one for one in shown if one]
    if request.accept == JSON_LD:
        shown = [with_context(one, request, context) for one in shown]
    return Response(status, dump(shown), headers)


async def _told(
    request: Request,
    context: Context,
    reading: TemporalReading,
    told: Shown,
    others: list[Header] | None = None,
    *,
    mapped: Header | None = None,
) -> Response:
    """The answer with evolutions of several brokers: one, or a page where there are `others`, its headers.

    `mapped` is the header that tells of an EntityMap.
    """
    headers = [*await request.answer_headers(context), *(others or ()), *([] if mapped is None else [mapped])]
    if told.cut is not None:
        headers.append((b"content-range", _content_range(reading.ask, told.cut).encode()))
    status = 200 if told.cut is None else 206
    if others is None:
        if not told.evolutions[0]:
            raise not_found("pick and omit leave nothing of the history")
        return Response(status, dump(with_context(told.evolutions[0], request, context)), headers)
    shown = [one for one in told.evolutions if one]
    if request.accept == JSON_LD:
        shown = [with_context(one, request, context) for one in shown]
    return Response(status, dump(shown), headers)


async def _rendered(
    request: Request, context: Context, reading: TemporalReading, found: list[Found]
) -> tuple[int, list[Header], list[dict[str, Any]]]:
    """The status, 206 where instances were left out, the headers, and the evolutions as JSON."""
    headers = await request.answer_headers(context)
    ask = reading.ask
    if reading.aggregation is not None:
        return 200, headers, await _aggregated(request, context, reading, reading.aggregation, found)
    left_out = cut(found, ask, request.services.settings.max_temporal_instances)
    if left_out is not None:
        headers.append((b"content-range", _content_range(ask, left_out).encode()))
    shown = []
    for one in found:
        if reading.form is TemporalForm.TEMPORAL_VALUES:
            past = evolution(one.entity, one.rows, one.shown, values_at=ask.time.timeproperty)
            shown.append(render_values(past, context, reading.view, ask.time.timeproperty))
        else:
            past = evolution(one.entity, one.rows, one.shown)
            shown.append(render_normalized(past, context, reading.view))
    return (200 if left_out is None else 206), headers, shown


async def _aggregated(
    request: Request, context: Context, reading: TemporalReading, aggregation: Aggregation, found: list[Found]
) -> list[dict[str, Any]]:
    ask = reading.ask
    names = {name for one in found for name in one.shown}
    aggregates: dict[str, dict[Series, Periods]] = {}
    if names:
        aggregates = await history_of(request).aggregates(
            request.tenant,
            [one.entity for one in found],
            Wanted(ask.time, names, ask.datasets),
            aggregation,
            request.services.settings.max_aggregation_periods,
        )
    return [
        render_aggregated(
            _without_instances(one),
            aggregates.get(one.entity["_id"], {}),
            aggregation.methods,
            context,
            reading.view,
        )
        for one in found
    ]


def _without_instances(one: Found) -> Evolution:
    return evolution(one.entity, [])


def _content_range(ask: TemporalAsk, shown: Cut) -> str:
    """The Content-Range of an answer with some instances left out (6.3.10): what time it covers."""
    time = ask.time
    if time.last_n is not None:
        start, end, size = time.end if time.end is not None else shown.latest, shown.earliest, str(time.last_n)
    else:
        start, end, size = time.start if time.start is not None else shown.earliest, shown.latest, "*"
    return f"date-time {instants.show(start)}-{instants.show(end)}/{size}"
