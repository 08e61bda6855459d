"""The OpenAPI document of the API, made from the tables that the API itself is served from."""

from functools import cache
from typing import Any

from broker import version
from broker.api.endpoint import Endpoint, Resource
from broker.api.media import GEO_JSON
from broker.api.parameters import PARAMETERS
from broker.api.response import CONTEXT_REL, ROOT
from broker.api.routes import RESOURCES
from broker.api.schemas import SCHEMAS

_TITLES = {
    200: "What was asked for.",
    201: "Created; Location says where.",
    204: "Done.",
    206: "What was asked for in part: Content-Range says of which time.",
    207: "Done in part: each failure with its reason.",
}


@cache
def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Beffroi: NGSI-LD API",
            "version": version(),
            "description": "ETSI GS CIM 009 v1.9.1. Names are short or IRIs, by the @context that the request names.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ROOT}],
        "tags": [{"name": tag} for tag in dict.fromkeys(_tag(resource) for resource in RESOURCES)],
        "paths": {resource.path: _path(resource) for resource in RESOURCES},
        "components": {"schemas": SCHEMAS, "parameters": _components()},
    }


def _tag(resource: Resource) -> str:
    return resource.path.split("/")[1]


def _path(resource: Resource) -> dict[str, Any]:
    in_path = [
        {"name": segment[1:-1], "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for segment in resource.path.split("/")
        if segment.startswith("{")
    ]
    operations = {
        method.lower(): _operation(method, resource, endpoint)
        for method, endpoint in resource.methods.items()
        if endpoint.documented
    }
    headers = [{"$ref": f"#/components/parameters/{name}"} for name in ("NGSILD-Tenant", "NGSILD-Snapshot")]
    shared = [*in_path, *headers]
    return {"summary": resource.summary, "parameters": shared, **operations}


def _operation(method: str, resource: Resource, endpoint: Endpoint) -> dict[str, Any]:
    words = endpoint.operation.replace("@", "").split()
    operation: dict[str, Any] = {
        "operationId": words[0].lower() + "".join(word.capitalize() for word in words[1:]),
        "summary": f"{endpoint.operation} ({endpoint.clause})",
        "tags": [_tag(resource)],
        "parameters": [
            *({"$ref": f"#/components/parameters/{name}"} for name in sorted(endpoint.parameters)),
            *([{"$ref": "#/components/parameters/NGSILD-EntityMap"}] if "entityMap" in endpoint.parameters else ()),
            {"$ref": "#/components/parameters/Link"},
        ],
        "responses": {
            **{str(status): _response(status, method, endpoint) for status in endpoint.statuses},
            "default": {
                "description": "What is wrong, and what would be right.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
            },
        },
    }
    if endpoint.bodies:
        schema = {"$ref": f"#/components/schemas/{endpoint.schema}"}
        operation["requestBody"] = {
            "required": True,
            "content": {media_type: {"schema": schema} for media_type in endpoint.bodies},
        }
    return operation


def _response(status: int, method: str, endpoint: Endpoint) -> dict[str, Any]:
    response: dict[str, Any] = {"description": _TITLES[status]}
    if status == 201:
        response["headers"] = {"Location": {"schema": {"type": "string"}}}
    if status in (200, 206) and method in ("GET", "POST"):
        response["content"] = {
            media_type: {"schema": {"type": "object"} if media_type == GEO_JSON else {"type": ["object", "array"]}}
            for media_type in endpoint.answers
        }
    if status == 207:
        response["content"] = {"application/json": {"schema": {"type": "object"}}}
    return response


def _components() -> dict[str, Any]:
    queries: dict[str, Any] = {
        name: {
            "name": name,
            "in": "query",
            "description": one.description,
            "schema": one.schema,
            **({"style": "form", "explode": False} if one.schema["type"] == "array" else {}),
        }
        for name, one in PARAMETERS.items()
    }
    return queries | {
        "NGSILD-Tenant": {
            "name": "NGSILD-Tenant",
            "in": "header",
            "description": "The tenant; none is the default one.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 54},
        },
        "NGSILD-Snapshot": {
            "name": "NGSILD-Snapshot",
            "in": "header",
            "description": "The snapshot whose data it is about; none for that of the tenant.",
            "schema": {"type": "string", "format": "uri"},
        },
        "NGSILD-EntityMap": {
            "name": "NGSILD-EntityMap",
            "in": "header",
            "description": "The EntityMap, by its id or its place, whose entities it is about.",
            "schema": {"type": "string", "minLength": 1},
        },
        "Link": {
            "name": "Link",
            "in": "header",
            "description": f'The @context: `<URL>; rel="{CONTEXT_REL}"; type="application/ld+json"`.',
            "schema": {"type": "string"},
        },
    }
