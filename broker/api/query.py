"""What is asked of entities and how they are shown, read from query parameters or from a Query body (6.4.3.2, 5.2.23).

Both come to the same: a body's members are named and read as the parameters are.
"""

from collections.abc import Mapping
from dataclasses import replace as with_
from typing import Any

from broker.api.media import GEO_JSON
from broker.api.request import Request
from ngsi_ld.context import Context
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.linked import Join, Linking
from ngsi_ld.query.geo import GeoQuery, parse_geo_query
from ngsi_ld.query.language import parse_languages
from ngsi_ld.query.ordering import Ordering, parse_order_by
from ngsi_ld.query.patterns import parse_pattern
from ngsi_ld.query.projection import Projection, parse_attrs, parse_projection
from ngsi_ld.query.q import parse_q
from ngsi_ld.query.query import EntitySelector, Query
from ngsi_ld.query.scope_q import parse_scope_q
from ngsi_ld.query.type_selection import TypeSelection, parse_type_selection
from ngsi_ld.representation import Form, View

SELECTION_PARAMETERS = frozenset(
    {"id", "type", "idPattern", "q", "expandValues", "jsonKeys", "scopeQ", "csf", "local"}
    | {"georel", "geometry", "coordinates", "geoproperty"}
)
"""What selects entities, in a query and in a purge."""

PAGING_PARAMETERS = frozenset({"limit", "offset", "count", "cursor"})

JOIN_PARAMETERS = frozenset({"join", "joinLevel", "containedBy"})
"""Which linked entities come with an entity (4.5.23)."""

VIEW_PARAMETERS = JOIN_PARAMETERS | frozenset(
    {"attrs", "pick", "omit", "lang", "datasetId", "format", "options", "geometryProperty"}
)
"""How an entity is shown, and what with it."""

ORDERING_PARAMETERS = frozenset({"orderBy", "collation", "orderFrom", "orderGeometry"})

MAP_PARAMETERS = frozenset({"entityMap", "entityMapLifetime"})
"""Whether an EntityMap is made, and for how long (5.5.14)."""

QUERY_PARAMETERS = SELECTION_PARAMETERS | PAGING_PARAMETERS | ORDERING_PARAMETERS | MAP_PARAMETERS | {"splitEntities"}
"""What Query Entities takes besides the view."""

_NO_JOIN = "@none"
_FORMS = {form.value: form for form in Form}
_FORM_WORDS = frozenset(_FORMS)

VIEW_OPTIONS = _FORM_WORDS | {"sysAttrs"}
"""The keywords of `options` in operations that show entities."""


def type_selection(parameters: Mapping[str, Any], context: Context) -> TypeSelection | None:
    """The types that an entity must have; None for any."""
    return parse_type_selection(parameters["type"], context) if "type" in parameters else None


def linking_of(parameters: Mapping[str, Any], most_levels: int) -> Linking | None:
    """The linked entities that are asked for, None for none; BadRequestData where more levels than the broker takes."""
    join = parameters.get("join", _NO_JOIN)
    if join == _NO_JOIN:
        for name in ("joinLevel", "containedBy"):
            if name in parameters:
                raise invalid_request(f"{name} goes with join=inline or join=flat only")
        return None
    levels = parameters.get("joinLevel", 1)
    if levels > most_levels:
        raise bad_request_data(f"joinLevel must be {most_levels} at most, not {levels}")
    return Linking(Join(join), levels, frozenset(parameters.get("containedBy", ())))


def query_of(
    parameters: Mapping[str, Any], context: Context, linking: Linking | None = None, collation: str = ""
) -> Query:
    """The query that parameters state; BadRequestData for one that is too wide or too deep (5.7.2.4).

    `collation` orders texts where the parameters name none (4.23.1).
    """
    selectors = parameters.get("entities")
    if selectors is None and not parameters.keys().isdisjoint(("type", "id", "idPattern")):
        selectors = [parameters]
    every_type = any(selector.get("type") == "*" for selector in selectors or ())
    if every_type and parameters.get("local") is False:
        raise bad_request_data("type=* asks this broker only, which local=false contradicts")
    query = Query(
        selectors=tuple(_selector(one, context) for one in selectors or ()),
        attributes=parse_attrs(parameters["attrs"], context) if "attrs" in parameters else frozenset(),
        q=_q(parameters, context),
        scope_q=parse_scope_q(parameters["scopeQ"]) if "scopeQ" in parameters else None,
        geo=_geo(parameters, context),
        ordering=_ordering(parameters, context, collation) if "orderBy" in parameters else None,
        csf=parse_q(parameters["csf"], context, parameter="csf") if "csf" in parameters else None,
        local=every_type,
    )
    if query.link_depth:
        _check_depth("q", query.link_depth, linking)
    if not (query.is_narrow or every_type or parameters.get("local")):
        raise bad_request_data(
            "the query is too wide: give a type, attrs, q, or a geo-query; or local=true to ask this broker only"
        )
    return query


def view_of(request: Request, parameters: Mapping[str, Any], context: Context, linking: Linking | None = None) -> View:
    """How the request wants entities shown."""
    words = parameters.get("options", frozenset())
    if "attrs" in parameters and ("pick" in parameters or "omit" in parameters):
        raise bad_request_data("attrs goes with neither pick nor omit, which replace it")
    if "geometryProperty" in parameters and request.accept != GEO_JSON:
        raise bad_request_data(f"geometryProperty needs an answer in {GEO_JSON}")
    view = View(
        form=_form(parameters, words),
        sys_attrs="sysAttrs" in words,
        attributes=parse_attrs(parameters["attrs"], context) if "attrs" in parameters else None,
        dataset_ids=parameters.get("datasetId"),
        languages=parse_languages(parameters["lang"]) if "lang" in parameters else None,
    )
    if "pick" not in parameters and "omit" not in parameters:
        return view
    pick = _projection(parameters, "pick", context, linking)
    omit = _projection(parameters, "omit", context, linking)
    return _projected(view, pick, omit, context)


def _projected(view: View, pick: Projection | None, omit: Projection | None, context: Context) -> View:
    """The view with its members named, and those of the entities that it leads to (4.21).

    What stands before braces is the linking entity's own: `omit=a{b}` leaves `a`, and takes `b` from what it leads to.
    """
    omitted = {name for name, linked in omit.members.items() if linked is None} if omit else set()
    if pick and (both := pick.members.keys() & omitted):
        raise bad_request_data(f"pick and omit both name {', '.join(sorted(context.term(one) for one in both))}")
    linked: dict[str, View] = {}
    for name in {name for one in (pick, omit) if one for name, within in one.members.items() if within is not None}:
        inner = (pick.linked(name) if pick else None, omit.linked(name) if omit else None)
        linked[name] = _projected(with_(view, attributes=None), *inner, context)
    return with_(view, pick=pick.members.keys() if pick else None, omit=omitted or None, linked=linked)


def _form(parameters: Mapping[str, Any], words: frozenset[str]) -> Form:
    if "format" in parameters:
        if parameters["format"] not in _FORMS:
            raise invalid_request(f"format must be one of {', '.join(_FORMS)}, not {parameters['format']!r}")
        return _FORMS[parameters["format"]]
    forms = words & _FORM_WORDS
    if len(forms) > 1 and forms != {"simplified", "keyValues"}:
        raise invalid_request(f"options asks for several forms, {', '.join(sorted(forms))}; ask for one")
    return _FORMS[next(iter(forms))] if forms else Form.NORMALIZED


def _selector(parameters: Mapping[str, Any], context: Context) -> EntitySelector:
    pattern = parameters.get("idPattern")
    return EntitySelector(
        types=type_selection(parameters, context),
        ids=tuple(parameters.get("id", ())),
        id_pattern=None if pattern is None else parse_pattern(pattern, "idPattern"),
    )


def _q(parameters: Mapping[str, Any], context: Context) -> Any:
    if "q" not in parameters:
        for name in ("expandValues", "jsonKeys"):
            if name in parameters:
                raise bad_request_data(f"{name} says how q compares, but there is no q")
        return None
    return parse_q(
        parameters["q"],
        context,
        expand_values=frozenset(parameters.get("expandValues", ())),
        json_keys=frozenset(parameters.get("jsonKeys", ())),
    )


def _ordering(parameters: Mapping[str, Any], context: Context, collation: str) -> Ordering:
    ordering = parse_order_by(
        parameters["orderBy"],
        context,
        collation=parameters.get("collation"),
        order_from=parameters.get("orderFrom"),
        order_geometry=parameters.get("orderGeometry"),
    )
    # Ids, types and instants have the same order by any collation, and distances are no texts.
    of_texts = all(not term.by_distance for term in ordering.terms) and any(
        term.path.names and term.path.member is None for term in ordering.terms
    )
    return with_(ordering, collation=collation) if collation and of_texts and ordering.collation is None else ordering


def _geo(parameters: Mapping[str, Any], context: Context) -> GeoQuery | None:
    if parameters.keys().isdisjoint(("georel", "geometry", "coordinates")):
        return None
    return parse_geo_query(
        context,
        georel=parameters.get("georel"),
        geometry=parameters.get("geometry"),
        coordinates=parameters.get("coordinates"),
        geoproperty=parameters.get("geoproperty"),
    )


def _projection(
    parameters: Mapping[str, Any], name: str, context: Context, linking: Linking | None
) -> Projection | None:
    if name not in parameters:
        return None
    projection = parse_projection(parameters[name], context, name)
    if projection.depth:
        _check_depth(name, projection.depth, linking)
    return projection


def _check_depth(name: str, depth: int, linking: Linking | None) -> None:
    if linking is None:
        raise bad_request_data(f"{name} reaches into linked entities, which needs join=inline or join=flat")
    if depth > linking.levels:
        raise bad_request_data(f"{name} follows {depth} links, but joinLevel is {linking.levels}")
