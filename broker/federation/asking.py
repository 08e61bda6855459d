"""The requests that ask a context source for entities: by id, by a query, by a query in a body (5.7.1, 5.7.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from broker.federation.forwarding import Parameters, segment
from ngsi_ld.names import Names
from ngsi_ld.query.paths import Path
from ngsi_ld.query.q import And, Exists, Or
from ngsi_ld.query.query import EntitySelector, Query, named_attributes
from ngsi_ld.query.writing import written_geo, written_names, written_q, written_scope_q, written_types
from ngsi_ld.registration.matching import Match
from ngsi_ld.registration.narrowing import Part
from ngsi_ld.registration.registration import Registration

RETRIEVE, QUERY, QUERY_BATCH = "retrieveEntity", "queryEntity", "queryBatch"

_SYS_ATTRS = ("options", "sysAttrs")
_SINCE_ORDERING = (1, 9)
_COUNTED = frozenset({"limit", "offset", "count", "options"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str
    path: str
    parameters: Parameters
    body: dict[str, Any] | None = None


def orders(registration: Registration) -> bool:
    """Whether the source says that it speaks a version that knows orderBy, pick and limits of any page (4.23)."""
    return registration.conformance is not None and registration.conformance >= _SINCE_ORDERING


def is_queried(match: Match) -> bool:
    """Whether the source takes queries in either way."""
    return match.supports(QUERY) or match.supports(QUERY_BATCH)


def retrieval(match: Match, entity_id: str, part: Part, names: Names) -> Asked | None:
    """The request for one entity, as a query of it where the source takes only those; None where it takes neither."""
    if match.supports(RETRIEVE):
        attrs = [("attrs", written_names(part.attributes, names))] if part.attributes else []
        return Asked("GET", f"/entities/{segment(entity_id)}", [*attrs, _SYS_ATTRS])
    if not is_queried(match):
        return None
    return query(
        match, replace(part, selector=replace(part.selector, ids=(entity_id,), id_pattern=None)), Query(), names
    )


def query(
    match: Match,
    part: Part,
    conditions: Query,
    names: Names,
    *,
    paging: Parameters = (),
    ordered: bool = False,
    ids_only: bool = False,
) -> Asked:
    """The request for the entities of a part that satisfy q, scopeQ and geo of `conditions`.

    Raises Unwritable where they cannot be said in these names.
    """
    parameters = [("attrs", written_names(part.attributes, names))] if part.attributes else []
    parameters += conditions_of(part, conditions, names)
    if ids_only:
        # attrs cannot go with pick; as a filter it is said by q (4.9).
        parameters = [pair for pair in parameters if pair[0] != "attrs"]
        if part.attributes:
            parameters = _with_existence(parameters, part.attributes, conditions, names)
        parameters.append(("pick", "id,type"))
    else:
        parameters.append(_SYS_ATTRS)
    if ordered:
        parameters.append(("orderBy", "id"))
    parameters += paging
    return Asked("GET", "/entities", parameters) if match.supports(QUERY) else _in_body(part.selector, parameters)


def conditions_of(part: Part, conditions: Query, names: Names) -> list[tuple[str, str]]:
    """The parameters that say which entities of a part satisfy q, scopeQ and geo of `conditions`; raises Unwritable."""
    selector = part.selector
    parameters: list[tuple[str, str]] = []
    if selector.ids:
        parameters.append(("id", ",".join(selector.ids)))
    if selector.id_pattern is not None:
        parameters.append(("idPattern", selector.id_pattern.text))
    if selector.types is not None:
        parameters.append(("type", written_types(selector.types, names)))
    if conditions.q is not None:
        parameters.append(("q", written_q(conditions.q, names)))
    if conditions.scope_q is not None:
        parameters.append(("scopeQ", written_scope_q(conditions.scope_q)))
    if conditions.geo is not None:
        parameters += written_geo(conditions.geo, names)
    return parameters


def is_wide(part: Part, conditions: Query) -> bool:
    """Whether the request would name neither type nor attribute nor place, which a source refuses (5.7.2.4)."""
    return not (
        part.selector.types is not None
        or part.attributes
        or conditions.geo is not None
        or named_attributes(conditions.q)
    )


def _with_existence(
    parameters: Sequence[tuple[str, str]], attributes: frozenset[str], conditions: Query, names: Names
) -> list[tuple[str, str]]:
    terms = tuple([Exists(Path((name,))) for name in sorted(attributes)])
    exists = terms[0] if len(terms) == 1 else Or(terms)
    whole = exists if conditions.q is None else And((conditions.q, exists))
    return [*(pair for pair in parameters if pair[0] != "q"), ("q", written_q(whole, names))]


def _in_body(selector: EntitySelector, parameters: Sequence[tuple[str, str]]) -> Asked:
    """The same as a Query in a body (5.2.23)."""
    given = {name: value for name, value in parameters if name not in _COUNTED}
    selected: dict[str, Any] = {"type": given.pop("type", "*")}
    if given.pop("id", None) is not None:
        selected["id"] = selector.ids[0] if len(selector.ids) == 1 else list(selector.ids)
    if (pattern := given.pop("idPattern", None)) is not None:
        selected["idPattern"] = pattern
    body: dict[str, Any] = {"type": "Query", "entities": [selected]}
    for name in ("attrs", "pick"):
        if name in given:
            body[name] = given.pop(name).split(",")
    if "orderBy" in given:
        body["ordering"] = {"orderBy": [given.pop("orderBy")]}
    geo = {name: given.pop(name) for name in ("georel", "geometry", "coordinates", "geoproperty") if name in given}
    if geo:
        body["geoQ"] = geo
    return Asked("POST", "/entityOperations/query", [pair for pair in parameters if pair[0] in _COUNTED], body | given)
