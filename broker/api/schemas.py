"""The data types of request bodies as JSON Schemas, for the OpenAPI document (5.2)."""

from typing import Any

from ngsi_ld.attributes import KINDS
from ngsi_ld.registration.operations import GROUPS, OPERATIONS
from ngsi_ld.registration.registration import Mode
from ngsi_ld.temporal.aggregation import METHODS
from ngsi_ld.temporal.query import TIME_PROPERTIES, TIMERELS

_URI = {"type": "string", "format": "uri", "examples": ["urn:ngsi-ld:Streetlight:1"]}
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT, "minItems": 1}
_ONE_OR_MORE_TEXTS = {"oneOf": [_TEXT, _TEXTS]}
_DATE_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d{1,6})?Z$"}
_DURATION = {"type": "string", "examples": ["PT1H"]}
_NUMBER_ABOVE_0 = {"type": "number", "exclusiveMinimum": 0}
_KEY_VALUES = {
    "type": "array",
    "items": {"type": "object", "properties": {"key": _TEXT, "value": _TEXT}, "required": ["key", "value"]},
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_ATTRIBUTE = {
    "description": "Normalized or concise: an object with the member of its kind, or a bare value.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": list(KINDS)},
        "value": {"description": "Of a Property or GeoProperty: any JSON but null."},
        "object": {"oneOf": [_URI, {"type": "array", "items": _URI, "minItems": 1}]},
        "languageMap": {"type": "object", "additionalProperties": _ONE_OR_MORE_TEXTS},
        "json": {},
        "vocab": _ONE_OR_MORE_TEXTS,
        "valueList": {"type": "array"},
        "objectList": {"type": "array", "items": {"type": "object", "properties": {"object": _URI}}},
        "unitCode": _TEXT,
        "observedAt": _DATE_TIME,
        "expiresAt": _DATE_TIME,
        "datasetId": _URI,
    },
}

_ENTITY_MEMBERS: dict[str, Any] = {
    "id": _URI,
    "type": _ONE_OR_MORE_TEXTS,
    "scope": _ONE_OR_MORE_TEXTS,
    "expiresAt": _DATE_TIME,
    "@context": {},
}
_ANY_ATTRIBUTE = {"anyOf": [_ref("Attribute"), {"type": "array"}, {"type": ["string", "number", "boolean"]}]}

_SELECTOR = {
    "type": "object",
    "properties": {"type": _TEXT, "id": {"oneOf": [_URI, {"type": "array", "items": _URI}]}, "idPattern": _TEXT},
    "required": ["type"],
}
_GEO_QUERY = {
    "type": "object",
    "properties": {
        "geometry": {"enum": ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"]},
        "coordinates": {"type": "array"},
        "georel": _TEXT,
        "geoproperty": _TEXT,
    },
    "required": ["geometry", "coordinates", "georel"],
}

_INTERVAL = {
    "type": "object",
    "properties": {"startAt": _DATE_TIME, "endAt": _DATE_TIME},
    "required": ["startAt"],
}
_PLACE = {
    "description": "A GeoJSON geometry.",
    "type": "object",
    "properties": {"type": _TEXT, "coordinates": {"type": "array"}},
    "required": ["type", "coordinates"],
}
_ENTITY_INFO = {
    "type": "object",
    "properties": {"type": _ONE_OR_MORE_TEXTS, "id": _URI, "idPattern": _TEXT},
    "minProperties": 1,
}
_REGISTRATION: dict[str, Any] = {
    "id": _URI,
    "type": {"const": "ContextSourceRegistration"},
    "registrationName": _TEXT,
    "description": _TEXT,
    "endpoint": {"type": "string", "format": "uri", "examples": ["https://broker.suippes.example"]},
    "information": {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {
                "entities": {"type": "array", "items": _ENTITY_INFO, "minItems": 1},
                "propertyNames": _TEXTS,
                "relationshipNames": _TEXTS,
            },
            "minProperties": 1,
        },
    },
    "mode": {"enum": [mode.value for mode in Mode]},
    "operations": {"type": "array", "items": {"enum": sorted({*GROUPS, *OPERATIONS})}, "minItems": 1},
    "contextSourceInfo": _KEY_VALUES,
    "contextSourceAlias": _TEXT,
    "tenant": _TEXT,
    "datasetId": _TEXTS,
    "scope": _ONE_OR_MORE_TEXTS,
    "location": _PLACE,
    "observationSpace": _PLACE,
    "operationSpace": _PLACE,
    "observationInterval": _INTERVAL,
    "managementInterval": _INTERVAL,
    "management": {
        "type": "object",
        "properties": {
            "localOnly": {"type": "boolean"},
            "timeout": _NUMBER_ABOVE_0,
            "cooldown": _NUMBER_ABOVE_0,
            "cacheDuration": _TEXT,
        },
    },
    "refreshRate": _TEXT,
    "expiresAt": _DATE_TIME,
    "@context": {},
}

_SNAPSHOT_MEMBERS: dict[str, Any] = {
    "type": {"const": "Snapshot"},
    "snapshotLifetime": _DURATION,
    "snapshotPriority": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5},
    "endpoint": _URI,
    "receiverInfo": _KEY_VALUES,
    "@context": {},
}

SCHEMAS: dict[str, dict[str, Any]] = {
    "Attribute": _ATTRIBUTE,
    "AttributeFragment": {**_ATTRIBUTE, "minProperties": 1},
    "Entity": {
        "type": "object",
        "properties": _ENTITY_MEMBERS,
        "required": ["id", "type"],
        "additionalProperties": _ANY_ATTRIBUTE,
    },
    "EntityFragment": {"type": "object", "properties": _ENTITY_MEMBERS, "additionalProperties": _ANY_ATTRIBUTE},
    "Entities": {"type": "array", "items": _ref("Entity"), "minItems": 1},
    "Value": {"description": "Any JSON but null, such as 21.5."},
    "EntityTemporal": {
        "description": "An entity each of whose attributes is a list of its instances, each with its time.",
        "type": "object",
        "properties": _ENTITY_MEMBERS | {"scope": {}},
        "additionalProperties": {"anyOf": [_ref("Attribute"), {"type": "array", "items": _ref("Attribute")}]},
    },
    "EntityIds": {"type": "array", "items": _URI, "minItems": 1},
    "Query": {
        "type": "object",
        "properties": {
            "type": {"const": "Query"},
            "entities": {"type": "array", "items": _SELECTOR, "minItems": 1},
            "attrs": _TEXTS,
            "pick": _TEXTS,
            "omit": _TEXTS,
            "q": _TEXT,
            "geoQ": _GEO_QUERY,
            "scopeQ": _TEXT,
            "csf": _TEXT,
            "lang": _TEXT,
            "datasetId": _TEXTS,
            "expandValues": _TEXT,
            "jsonKeys": _TEXT,
            "ordering": {"type": "object", "properties": {"orderBy": _TEXTS}, "required": ["orderBy"]},
            "join": {"enum": ["inline", "flat", "@none"]},
            "joinLevel": {"type": "integer", "minimum": 1},
            "containedBy": {"type": "array", "items": _URI, "minItems": 1},
            "splitEntities": {"type": "boolean"},
            "entityMap": {"type": "boolean"},
            "entityMapLifetime": _DURATION,
        },
        "required": ["type"],
    },
    "EntityMapFragment": {
        "description": "Of an EntityMap only its expiry can be changed.",
        "type": "object",
        "properties": {"id": _URI, "type": {"const": "EntityMap"}, "expiresAt": _DATE_TIME, "@context": {}},
    },
    "TemporalQuery": {
        "description": "A Query with the time that is asked for.",
        "type": "object",
        "properties": {
            "type": {"const": "Query"},
            "entities": {"type": "array", "items": _SELECTOR, "minItems": 1},
            "attrs": _TEXTS,
            "q": _TEXT,
            "geoQ": _GEO_QUERY,
            "scopeQ": _TEXT,
            "temporalQ": {
                "type": "object",
                "properties": {
                    "timerel": {"enum": [*TIMERELS]},
                    "timeAt": _DATE_TIME,
                    "endTimeAt": _DATE_TIME,
                    "timeproperty": {"enum": [*TIME_PROPERTIES]},
                    "lastN": {"type": "integer", "minimum": 1},
                },
                "required": ["timerel", "timeAt"],
            },
            "aggrParams": {
                "type": "object",
                "properties": {
                    "aggrMethods": {"type": "array", "items": {"enum": [*METHODS]}, "minItems": 1},
                    "aggrPeriodDuration": _TEXT,
                },
                "required": ["aggrMethods"],
            },
        },
        "required": ["type", "temporalQ"],
    },
    "Subscription": {
        "type": "object",
        "properties": {
            "id": _URI,
            "type": {"const": "Subscription"},
            "entities": {"type": "array", "items": _SELECTOR, "minItems": 1},
            "watchedAttributes": _TEXTS,
            "notificationTrigger": _TEXTS,
            "timeInterval": _NUMBER_ABOVE_0,
            "throttling": _NUMBER_ABOVE_0,
            "q": _TEXT,
            "geoQ": _GEO_QUERY,
            "scopeQ": _TEXT,
            "lang": _TEXT,
            "datasetId": _TEXTS,
            "expiresAt": _DATE_TIME,
            "isActive": {"type": "boolean"},
            "subscriptionName": _TEXT,
            "description": _TEXT,
            "notification": {
                "type": "object",
                "properties": {
                    "attributes": _TEXTS,
                    "pick": _TEXTS,
                    "omit": _TEXTS,
                    "format": {"enum": ["normalized", "concise", "simplified", "keyValues"]},
                    "sysAttrs": {"type": "boolean"},
                    "showChanges": {"type": "boolean"},
                    "endpoint": {
                        "type": "object",
                        "properties": {
                            "uri": _URI,
                            "accept": {"enum": ["application/json", "application/ld+json", "application/geo+json"]},
                            "timeout": _NUMBER_ABOVE_0,
                            "cooldown": _NUMBER_ABOVE_0,
                            "receiverInfo": _KEY_VALUES,
                            "notifierInfo": _KEY_VALUES,
                        },
                        "required": ["uri"],
                    },
                },
                "required": ["endpoint"],
            },
            "@context": {},
        },
        "required": ["type", "notification"],
    },
    "ContextSourceRegistration": {
        "description": "A source, what it has, and what it may be asked. Other members are properties of the source.",
        "type": "object",
        "properties": _REGISTRATION,
        "required": ["type", "endpoint", "information"],
    },
    "ContextSourceRegistrationFragment": {"type": "object", "properties": _REGISTRATION},
    "Notification": {
        "type": "object",
        "properties": {
            "id": _URI,
            "type": {"const": "Notification"},
            "subscriptionId": _URI,
            "notifiedAt": _DATE_TIME,
            "data": {"type": ["array", "object"]},
        },
        "required": ["id", "type", "subscriptionId", "data"],
    },
    "Snapshot": {
        "description": "What is to be in a snapshot, for how long, and who is told when it is ready.",
        "type": "object",
        "properties": {
            "id": _URI,
            **_SNAPSHOT_MEMBERS,
            "snapshotQueries": {"type": "array", "items": _ref("Query"), "minItems": 1},
            "snapshotTemporalQueries": {"type": "array", "items": _ref("TemporalQuery"), "minItems": 1},
        },
        "required": ["type"],
        "anyOf": [{"required": ["snapshotQueries"]}, {"required": ["snapshotTemporalQueries"]}],
    },
    "SnapshotFragment": {"type": "object", "properties": {"id": _URI, **_SNAPSHOT_MEMBERS}},
    "Context": {"type": "object", "properties": {"@context": {}}, "required": ["@context"]},
    "ProblemDetails": {
        "type": "object",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "detail": {"type": "string"},
            "status": {"type": "integer"},
        },
        "required": ["type", "title", "detail"],
    },
}
"""By the names that endpoints give in `schema`; JSON Pointer escapes are not needed for any of them."""
