"""How a query is answered by several sources: who is asked what, and what is tested when it is together (5.7.2.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from broker.federation import asking
from ngsi_ld.names import Names
from ngsi_ld.query.ordering import BY_ID
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.writing import Unwritable, written_q, written_types
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.narrowing import Part, parts

_NOBODY = "urn:ngsi-ld:null"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A source of a query that was chosen beforehand (an EntityMap), and the ids asked of it; the store if no match."""

    match: Match | None
    ids: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """How a query is answered: what the store and the sources are asked, and what is tested when it is together."""

    local: Query
    remote: Query
    test: Query | None
    streams: list[tuple[Match, Part]] = field(default_factory=list)


def plan_of(
    query: Query, found: Sequence[Match], chosen: Sequence[Chosen] | None, *, split: bool, names: Names
) -> Plan:
    """The plan of a query for the sources of these registrations, or for the `chosen` ones.

    With `split`, entities are in parts at several sources, and conditions on what only all parts together have are
    tested when they are together; so are those that follow links, and those that cannot be said in these names.
    """
    split = split or query.link_depth > 0 or not _is_writable(query, names)
    conditions = Query() if split else query
    local = Query(selectors=query.selectors, ordering=BY_ID) if split else replace(query, ordering=BY_ID, csf=None)
    asked = [(match, query.selectors) for match in found]
    if chosen is not None:
        asked = [(one.match, _of(one.ids, query.selectors)) for one in chosen if one.match is not None]
        here = [one for source in chosen if source.match is None for one in source.ids]
        local = replace(local, selectors=_of(tuple(here), query.selectors))
    plan = Plan(local, conditions, replace(query, csf=None) if split else None)
    for match, selectors in asked:
        for part in parts(match.information, selectors, query.attributes):
            if split:
                part = replace(part, attributes=part.registered or frozenset())
                if asking.is_wide(part, conditions):
                    part = replace(part, attributes=query.named_attributes)
            plan.streams.append((match, part))
    return plan


def _of(ids: tuple[str, ...], selectors: Sequence[EntitySelector]) -> tuple[EntitySelector, ...]:
    """The selectors for these ids only, as far as they select any of them."""
    narrowed = []
    for one in selectors or (EntitySelector(),):
        kept = tuple([each for each in ids if not one.ids or each in one.ids])
        # An id that nothing has: no ids would be any.
        narrowed.append(replace(one, ids=kept or (_NOBODY,)))
    return tuple(narrowed)


def _is_writable(query: Query, names: Names) -> bool:
    try:
        if query.q is not None:
            written_q(query.q, names)
        for selector in query.selectors:
            if selector.types is not None:
                written_types(selector.types, names)
    except Unwritable:
        return False
    return True
