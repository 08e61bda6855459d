"""The resource `/entityOperations/query` (6.23): Query Entities with a Query in the body (5.2.23)."""

from collections.abc import Callable, Mapping
from typing import Any

from broker.api.consumption import page_of_entities
from broker.api.endpoint import JSON_BODY, Endpoint, Resource
from broker.api.media import SPATIAL
from broker.api.parameters import JOINS, lifetime
from broker.api.query import PAGING_PARAMETERS, VIEW_OPTIONS, linking_of, query_of, view_of
from broker.api.request import Request
from broker.api.response import Response
from ngsi_ld.errors import bad_request_data, invalid_request
from ngsi_ld.names import checked_uri

_PARAMETERS = PAGING_PARAMETERS | {"local", "format", "options", "geometryProperty"}


async def _query(request: Request) -> Response:
    if not isinstance(request.body, dict):
        raise invalid_request("the body must be one JSON object, a Query")
    context = await request.context()
    parameters = request.parameters | parameters_of(request.body)
    settings = request.services.settings
    linking = linking_of(parameters, settings.max_join_level)
    query = query_of(parameters, context, linking, settings.collation)
    view = view_of(request, parameters, context, linking)
    return await page_of_entities(request, context, parameters, query, view, linking)


def parameters_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a Query as the parameters that they correspond to; BadRequestData for a wrong one."""
    if body.get("type") != "Query":
        raise bad_request_data(f'type must be "Query", not {body.get("type")!r}')
    parameters: dict[str, Any] = {}
    for member, value in body.items():
        if member == "type":
            continue
        read = _MEMBERS.get(member)
        if read is None:
            raise bad_request_data(f"a Query has no member {member!r}; it has {', '.join(_MEMBERS)}")
        parameters |= read(value, member)
    return parameters


def _text(value: Any, member: str) -> dict[str, Any]:
    if not isinstance(value, str) or not value:
        raise bad_request_data(f"{member} must be a text, not {value!r}")
    return {member: value}


def _texts(value: Any, member: str) -> dict[str, Any]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise bad_request_data(f"{member} must be a list of at least one text, not {value!r}")
    return {member: value}


def _comma_list(value: Any, member: str) -> dict[str, Any]:
    text: str = _text(value, member)[member]
    return {member: [part.strip() for part in text.split(",")]}


def _dataset_ids(value: Any, member: str) -> dict[str, Any]:
    texts: list[str] = _texts([value] if isinstance(value, str) else value, member)[member]
    return {member: frozenset(one if one == "@none" else checked_uri(one, member) for one in texts)}


def _entities(value: Any, member: str) -> dict[str, Any]:
    if not isinstance(value, list) or not value:
        raise bad_request_data(f"{member} must be a list of at least one entity selector")
    return {member: [_selector(one, f"{member}[{number}]") for number, one in enumerate(value)]}


def _selector(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or "type" not in value or not value.keys() <= {"id", "type", "idPattern"}:
        raise bad_request_data(f"{where} must be an object with type, and if wanted id or idPattern, not {value!r}")
    selector: dict[str, Any] = {}
    for name in ("type", "idPattern"):
        if name in value:
            selector |= _text(value[name], name)
    if "id" in value:
        ids = value["id"] if isinstance(value["id"], list) else [value["id"]]
        selector["id"] = [checked_uri(one, f"{where}.id") for one in ids]
        # 5.2.33: id takes precedence; as parameters of a GET both have to hold (5.7.2.4).
        selector.pop("idPattern", None)
    return selector


def _geo_query(value: Any, member: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= {"geometry", "coordinates", "georel", "geoproperty"}:
        raise bad_request_data(f"{member} must be an object with georel, geometry, coordinates and geoproperty")
    return {"georel": None, "geometry": None, "coordinates": None} | value


def _ordering(value: Any, member: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= {"orderBy", "collation", "coordinates", "geometry"}:
        raise bad_request_data(f"{member} must be an object with orderBy, collation, coordinates and geometry")
    named = {"collation": "collation", "coordinates": "orderFrom", "geometry": "orderGeometry"}
    return {named[name]: one for name, one in value.items() if name in named} | _texts(value.get("orderBy"), "orderBy")


def _join(value: Any, member: str) -> dict[str, Any]:
    if value not in JOINS:
        raise bad_request_data(f"{member} must be one of {', '.join(JOINS)}, not {value!r}")
    return {member: value}


def _join_level(value: Any, member: str) -> dict[str, Any]:
    if type(value) is not int or value < 1:
        raise bad_request_data(f"{member} must be a whole number from 1 on, not {value!r}")
    return {member: value}


def _uris(value: Any, member: str) -> dict[str, Any]:
    return {member: [checked_uri(one, member) for one in _texts(value, member)[member]]}


def _lifetime(value: Any, member: str) -> dict[str, Any]:
    return {member: lifetime(_text(value, member)[member], member)}


def _boolean(value: Any, member: str) -> dict[str, Any]:
    if not isinstance(value, bool):
        raise bad_request_data(f"{member} must be true or false, not {value!r}")
    return {member: value}


_MEMBERS: dict[str, Callable[[Any, str], dict[str, Any]]] = {
    "entities": _entities,
    "attrs": _texts,
    "pick": _texts,
    "omit": _texts,
    "q": _text,
    "geoQ": _geo_query,
    "scopeQ": _text,
    "csf": _text,
    "lang": _text,
    "datasetId": _dataset_ids,
    "expandValues": _comma_list,
    "jsonKeys": _comma_list,
    "ordering": _ordering,
    "splitEntities": _boolean,
    "join": _join,
    "joinLevel": _join_level,
    "containedBy": _uris,
    "entityMap": _boolean,
    "entityMapLifetime": _lifetime,
}


RESOURCES = (
    Resource(
        "/entityOperations/query",
        "Query Entities by a body",
        {
            "POST": Endpoint(
                "Query Entities via POST",
                "5.7.2",
                _query,
                _PARAMETERS,
                JSON_BODY,
                SPATIAL,
                (200, 201),
                options=VIEW_OPTIONS,
                schema="Query",
            )
        },
    ),
)
