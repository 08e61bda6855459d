"""The queries of a snapshot (5.16.1.4): looked into when it is created, run in the background as those of clients."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace as with_
from typing import Any

from broker.api.media import JSON
from broker.api.query import linking_of, query_of, view_of
from broker.api.query_body import parameters_of
from broker.api.request import Request
from broker.api.temporal_across import Across
from broker.api.temporal_consumption import history_of
from broker.api.temporal_query import TemporalReading, body_parameters, reading_of
from broker.clock import now
from broker.federation.reads import Territory
from broker.history.copying import rows_of_evolution
from broker.history.rows import Document, Row
from broker.operations.linked import with_linked
from broker.operations.temporal import batches
from broker.services import Services
from broker.snapshots.preparation import Asked
from broker.store.store import Position, Reading
from ngsi_ld.context import Context
from ngsi_ld.entity import Entity
from ngsi_ld.errors import ErrorType, NgsiLdError, bad_request_data
from ngsi_ld.linked import Linking, Node, every
from ngsi_ld.query.query import Query
from ngsi_ld.representation import View, shown_attributes
from ngsi_ld.snapshot import QUERIES, TEMPORAL_QUERIES

_PAGE = 1000
_MOST_INSTANCES = 200_000
"""Of one attribute of one entity that a snapshot takes: they are in memory at a time."""


def check_queries(request: Request, body: Mapping[str, Any], context: Context) -> None:
    """BadRequestData that names the query that cannot be run."""
    for member, check in ((QUERIES, _reading), (TEMPORAL_QUERIES, _temporal_reading)):
        queries = body.get(member, ())
        for number, query in enumerate(queries if isinstance(queries, list) else ()):
            with _naming(f"{member}[{number}]"):
                check(request, query, context)


class QueryReader:
    """Runs the queries of snapshots; see `broker.snapshots.preparation.Reader`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def entities(self, asked: Asked) -> AsyncIterator[Sequence[Entity]]:
        """What Query Entities answers, all pages, with the projection of the query."""
        request = self._request(asked)
        context = await request.context()
        query, view, linking = _reading(request, asked.body, context)
        territory = request.territory(
            context,
            attributes=view.attributes,
            dataset_ids=view.dataset_ids,
            split=asked.body.get("splitEntities"),
        )
        most = self._services.settings.max_links
        async for page in self._pages(request, query, territory):
            nodes = [Node(one, view) for one in page]
            if linking is not None:
                nodes = await with_linked(territory, request.tenant, nodes, linking, request.now, most=most)
            yield [shown for node in every(nodes) if (shown := _projected(node, request.now)) is not None]

    async def evolutions(self, asked: Asked) -> AsyncIterator[tuple[Document, list[Row]]]:
        """The entities of the answer of Query Temporal Evolution, with their rows."""
        request = self._request(asked)
        history, context = history_of(request), await request.context()
        reading = _temporal_reading(request, asked.body, context)
        ask = with_(reading.ask, limit=reading.ask.time.last_n or _MOST_INSTANCES + 1)
        await history.begin(request.tenant)
        if request.distributed:
            split = asked.body.get("splitEntities")
            across = Across(request, context, with_(reading, ask=ask), history, split=split)
            if matches := across.of_query():
                async for past in across.evolutions(matches):
                    yield rows_of_evolution(past, request.now)
                return
        async for found in batches(history, request.tenant, ask, request.now, 1):
            for one in found:
                if ask.time.last_n is None:
                    _check_number(one.entity["_id"], one.rows)
                yield one.entity, one.rows

    async def _pages(self, request: Request, query: Query, territory: Reading) -> AsyncIterator[list[Entity]]:
        """All that the query selects: of the sources that it concerns too, and else of the store, which is quicker."""
        if isinstance(territory, Territory) and territory.reaches(query):
            page: list[Entity] = []
            async for one in territory.all(request.tenant, query):
                page.append(one)
                if len(page) == _PAGE:
                    yield page
                    page = []
            yield page
            return
        store, after = self._services.store, None
        while True:
            page = await store.find(request.tenant, query, now=request.now, limit=_PAGE, after=after)
            yield page
            if len(page) < _PAGE:
                return
            after = Position.after(page[-1])

    def _request(self, asked: Asked) -> Request:
        """The request that the query would be if a client sent it now; nobody's headers go with it."""
        return Request(
            services=self._services,
            method="POST",
            ids=[],
            tenant=asked.tenant,
            headers={},
            parameters={},
            path="/entityOperations/query",
            query_string="",
            accept=JSON,
            now=now(),
            body=asked.body,
            context_value=asked.context,
            warnings=asked.warnings,
        )


def _reading(request: Request, body: Any, context: Context) -> tuple[Query, View, Linking | None]:
    if not isinstance(body, dict):
        raise bad_request_data("it must be a JSON object, a Query")
    if "temporalQ" in body:
        raise bad_request_data(f"temporalQ makes it a query for {TEMPORAL_QUERIES}")
    parameters, settings = parameters_of(body), request.services.settings
    linking = linking_of(parameters, settings.max_join_level)
    query = query_of(parameters, context, linking)
    # Its data has no order, and no more than one language of it would be less than what can be asked of a snapshot.
    shown = {name: value for name, value in parameters.items() if name != "lang"}
    return with_(query, ordering=None), view_of(request, shown, context, linking), linking


def _temporal_reading(request: Request, body: Any, context: Context) -> TemporalReading:
    if not isinstance(body, dict):
        raise bad_request_data("it must be a JSON object, a Query")
    history_of(request)
    reading = reading_of(request, body_parameters(body), context, of_one=False)
    if reading.aggregation is not None:
        raise bad_request_data("a snapshot keeps instances: leave aggrParams out, and aggregate what you ask of it")
    return reading


def _projected(node: Node, at: str) -> Entity | None:
    """The entity with what its view shows; None where that is nothing."""
    entity, view = node.entity, node.view
    attributes = dict(shown_attributes(entity, view, at))
    if not attributes and view.pick is not None and view.pick.isdisjoint(("id", "type", "scope")):
        return None
    scoped = (view.pick is None or "scope" in view.pick) and (view.omit is None or "scope" not in view.omit)
    return with_(entity, attributes=attributes, scope=entity.scope if scoped else [])


def _check_number(entity_id: str, rows: Sequence[Row]) -> None:
    numbers: dict[tuple[str, str | None], int] = {}
    for row in rows:
        series = (row["a"], row.get("d"))
        numbers[series] = numbers.get(series, 0) + 1
    if max(numbers.values(), default=0) > _MOST_INSTANCES:
        raise NgsiLdError(
            ErrorType.TOO_MANY_RESULTS,
            f"an attribute of {entity_id} has more than {_MOST_INSTANCES} instances in the time asked for",
        )


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except NgsiLdError as error:
        raise NgsiLdError(error.type, f"{where}: {error.detail}") from None
