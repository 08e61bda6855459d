"""Temporal consumption (5.7.3, 5.7.4): which entities and which of their instances a temporal query is answered with.

In the order of 5.7.4.4: the selectors choose entities; those stay that have an instance in the interval (S1), of which
instances `q` (S2) and the geo-query (S3) hold, and a scope of the interval that matches (S4). Then come the datasets,
the projection, and the limit on instances.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_

from broker.history.history import History, evolution
from broker.history.reading import Wanted, moment
from broker.history.rows import SCOPE, Document, Row, time_of
from broker.store.names import key
from ngsi_ld.entity import Entity
from ngsi_ld.query.matching import matches, selects
from ngsi_ld.query.paths import LinkedPath
from ngsi_ld.query.query import Query, paths
from ngsi_ld.query.scope_q import ScopeQuery
from ngsi_ld.temporal.query import TemporalQuery

_TOGETHER = 100
_ANY = 1


@dataclass(frozen=True, slots=True)
class TemporalAsk:
    """A temporal query whole: which entities, which time, and of their series (KEYs) which are shown.

    `shows` tells it of a KEY; `required` are those of `attrs`, one of which an entity must have; None: any.
    """

    query: Query
    time: TemporalQuery
    shows: Callable[[str], bool]
    required: frozenset[str] | None
    datasets: frozenset[str] | None
    limit: int
    descending: bool = False
    rows_too: bool = True
    """Whether the rows are shown; false where only aggregates are, or the number of entities."""
    aggregated: bool = False
    """Whether aggregates are asked for, which values that are kept as sums only count in."""


@dataclass(slots=True)
class Found:
    """An entity of the answer: its document, its shown rows, the KEYs of the series that have some."""

    entity: Document
    rows: list[Row]
    shown: list[str]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where instances were left out: those shown go from the earliest to the latest of these times."""

    earliest: int
    latest: int


async def select(history: History, tenant: str, ask: TemporalAsk, now: str, *, offset: int, limit: int) -> list[Found]:
    """The entities of a page, from `offset` on."""
    found: list[Found] = []
    async for batch in batches(history, tenant, ask, now, min(_TOGETHER, offset + limit)):
        passed = min(offset, len(batch))
        offset -= passed
        found += batch[passed:]
        if len(found) >= limit:
            break
    return found[:limit]


async def count(history: History, tenant: str, ask: TemporalAsk, now: str) -> int:
    """How many entities it is answered with."""
    number = 0
    async for batch in batches(history, tenant, with_(ask, rows_too=False), now, _TOGETHER):
        number += len(batch)
    return number


async def batches(history: History, tenant: str, ask: TemporalAsk, now: str, size: int) -> AsyncIterator[list[Found]]:
    """All entities of the answer, of so many that the selectors select at a time."""
    after: str | None = None
    while True:
        entities = await history.entities(tenant, ask.query, now, after=after, size=size, descending=ask.descending)
        if not entities:
            return
        some = entities
        if not ask.rows_too:
            present = await history.present(tenant, entities, Wanted(ask.time, ask.required, sums=ask.aggregated))
            some = [entity for entity in entities if entity["_id"] in present]
        tested = await asyncio.gather(
            *(one_entity(history, tenant, entity, ask, now, present=not ask.rows_too) for entity in some)
        )
        yield [one for one in tested if one is not None]
        after = entities[-1]["_id"]


async def one_entity(
    history: History, tenant: str, entity: Document, ask: TemporalAsk, now: str, *, present: bool = False
) -> Found | None:
    """The entity with what is shown of it; None where it is not among the answer.

    `present` tells that it is known to have an instance in the interval.
    """
    if ask.query.selectors and not any(
        selects(selector, Entity(entity["_id"], entity["types"])) for selector in ask.query.selectors
    ):
        return None
    if not await _holds(history, tenant, entity, ask.query, ask.time, now):
        return None
    valid: list[Row] | None = None
    if ask.query.scope_q is not None:
        valid = await _valid_scopes(history, tenant, entity, ask.query.scope_q, ask.time)
        if not valid:
            return None
    keys = {one.partition("\n")[0] for one in entity.get("series", ())}
    shown = {name for name in keys if ask.shows(name)}
    rows: list[Row] = []
    if shown and ask.rows_too:
        wanted = Wanted(
            ask.time,
            shown if valid is None else shown - {SCOPE},
            ask.datasets,
            None if valid is not None else ask.limit,
            latest=ask.time.last_n is not None,
        )
        rows = await history.rows(tenant, entity, wanted)
    if valid is not None:
        rows = _within(rows, valid, ask)
    if ask.datasets is not None:
        if ask.rows_too and not any(row["a"] != SCOPE for row in rows):
            return None
        of_datasets = Wanted(ask.time, shown - {SCOPE}, ask.datasets, sums=ask.aggregated)
        if not ask.rows_too and not await history.present(tenant, [entity], of_datasets):
            return None
    if not present and not _tells(rows, ask) and not await _has_instance(history, tenant, entity, ask):
        return None
    if valid is not None and ask.shows(SCOPE):
        rows += valid
    if not ask.rows_too:
        return Found(entity, [], sorted(shown))
    return Found(entity, rows, sorted({row["a"] for row in rows}))


def cut(found: Sequence[Found], ask: TemporalAsk, most: int) -> Cut | None:
    """Leaves out of the answer what lies beyond the series that are cut off at `most` instances; None if none is.

    All series are shown for the same time then, so that a client which goes on from its end misses none (6.3.10).
    """
    latest, named = ask.time.last_n is not None, ask.time.timeproperty
    ends: list[int] = []
    for one in found:
        if len(one.rows) < most:
            continue
        by_series: dict[tuple[str, str | None], list[int]] = {}
        for row in one.rows:
            by_series.setdefault((row["a"], row.get("d")), []).append(moment(row, named))
        ends += [min(times) if latest else max(times) for times in by_series.values() if len(times) >= most]
    if not ends:
        return None
    end = max(ends) if latest else min(ends)
    times: list[int] = []
    for one in found:
        kept = [row for row in one.rows if (moment(row, named) >= end if latest else moment(row, named) <= end)]
        one.rows[:] = kept
        times += [moment(row, named) for row in kept]
    return Cut(min(times), max(times)) if times else None


def _tells(rows: list[Row], ask: TemporalAsk) -> bool:
    """Whether what is shown of an entity has an instance in the interval of an attribute that it must have (S1)."""
    return bool(rows) if ask.required is None else any(row["a"] in ask.required for row in rows)


async def _has_instance(history: History, tenant: str, entity: Document, ask: TemporalAsk) -> bool:
    if ask.time.timerel is None and ask.required is None:
        return True
    if ask.aggregated:
        return bool(await history.present(tenant, [entity], Wanted(ask.time, ask.required, sums=True)))
    return bool(await history.rows(tenant, entity, Wanted(ask.time, ask.required, limit=_ANY)))


async def _holds(history: History, tenant: str, entity: Document, query: Query, time: TemporalQuery, now: str) -> bool:
    if query.q is None and query.geo is None:
        return True
    names: set[str] = set()
    if query.q is not None:
        for path in paths(query.q):
            if not isinstance(path, LinkedPath) and path.names:
                names.add(key(path.names[0]))
    if query.geo is not None:
        names.add(key(query.geo.geoproperty))
    rows = [row for row in await history.rows(tenant, entity, Wanted(time, names)) if "x" not in row]
    past = evolution(entity, rows)
    tested = Entity(
        past.id, past.types, past.attributes, [], entity.get("createdAt", past.modified_at), past.modified_at
    )
    return matches(Query(q=query.q, geo=query.geo), tested, now)


async def _valid_scopes(
    history: History, tenant: str, entity: Document, scope_q: ScopeQuery, time: TemporalQuery
) -> list[Row]:
    """The matching scopes that were valid at some time of the interval, each with `until`, the end of its validity."""
    everything = TemporalQuery(timeproperty=time.timeproperty)
    rows = sorted(
        await history.rows(tenant, entity, Wanted(everything, {SCOPE})),
        key=lambda row: moment(row, time.timeproperty),
    )
    valid: list[Row] = []
    for number, row in enumerate(rows):
        since = moment(row, time.timeproperty)
        until = moment(rows[number + 1], time.timeproperty) if number + 1 < len(rows) else None
        if (time.end is not None and since >= time.end) or (
            time.start is not None and until is not None and until <= time.start
        ):
            continue
        if row["v"] and scope_q.matches(row["v"]):
            valid.append(row | {"until": until})
    return valid


def _within(rows: list[Row], valid: list[Row], ask: TemporalAsk) -> list[Row]:
    """The rows of the time in which a matching scope was valid, and of each series no more than the limit."""
    timeproperty = ask.time.timeproperty
    series: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        at = time_of(row, timeproperty)
        if at is not None and any(
            moment(scope, timeproperty) <= at and (scope["until"] is None or at < scope["until"]) for scope in valid
        ):
            series.setdefault((row["a"], row.get("d")), []).append(row)
    latest = ask.time.last_n is not None
    return [row for listed in series.values() for row in (listed[-ask.limit :] if latest else listed[: ask.limit])]
