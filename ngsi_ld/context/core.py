"""The core @context of NGSI-LD v1.9 as data, and the JSON-LD document that it makes (4.4, annex B).

It is built in, never fetched, and stands for every version of the core, which since v1.3 did little but grow.
A word of the tables is a term, or `term=name` where the IRI does not end as the term is written.
"""

import re
from typing import Any

CORE_URL = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
"""What a client is shown as the core @context."""

NGSI_LD = "https://uri.etsi.org/ngsi-ld/"
GEOJSON = "https://purl.org/geojson/vocab#"
DEFAULT_VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
"""Where names go that no @context defines."""

_CORE_URL = re.compile(
    r"https?://(?:uri\.etsi\.org/ngsi-ld|forge\.etsi\.org)/(?:[^?#]*/)?ngsi-ld-core-context(?:-v\d+(?:\.\d+)*)?\.jsonld"
)

_NAMESPACES = {"ngsi-ld": NGSI_LD, "geojson": GEOJSON}
_KEYWORDS = {"id": "@id", "type": "@type"}
_ELSEWHERE = {
    "title": "http://purl.org/dc/terms/title",
    "description": "http://purl.org/dc/terms/description",
    "langString": "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString",
}

_PLAIN = {
    "attribute kinds": """Property GeoProperty Relationship LanguageProperty JsonProperty VocabProperty ListProperty
        ListRelationship TemporalProperty""",
    "data types": """Attribute AttributeList ContextSourceIdentity ContextSourceNotification ContextSourceRegistration
        EntityMap EntityType EntityTypeInfo EntityTypeList ExecutionResultDetails Notification Snapshot
        SnapshotNotification Subscription Date DateTime Time""",
    "entities and attributes": """location observationSpace operationSpace scope value=hasValue unitCode lang entity
        containedBy=isContainedBy previousValue=hasPreviousValue ngsildConformance""",
    "queries": """q scopeQ geoQ georel geoproperty temporalQ timerel timeproperty lastN csf idPattern
        attrs pick omit format sysAttrs join joinLevel=hasJoinLevel expandValues jsonKeys ordering collation
        aggrMethods aggrParams aggrPeriodDuration jsonldContext localOnly splitEntities=hasSplitEntities""",
    "types and attributes in use": "attributeCount attributeDetails entityCount",
    "subscriptions": """subscriptionName entities notification notificationTrigger notifierInfo receiverInfo
        key=hasKey endpoint uri accept showChanges throttling timeInterval timeout cooldown isActive status timesSent
        timesFailed triggerReason data""",
    "registrations": """registrationId registrationName information management managementInterval mode operations
        observationInterval refreshRate cacheDuration contextSourceAlias contextSourceInfo contextSourceUptime""",
    "results": "detail error errors reason resultStatus notUpdated updated unchanged",
    "entity maps and snapshots": """entityMapLifetime=hasEntityMapLifetime linkedMaps snapshotId snapshotLifetime
        snapshotPriority snapshotStatus""",
}

_GEOJSON = """Feature FeatureCollection GeometryCollection Point MultiPoint LineString MultiLineString Polygon
    MultiPolygon geometry properties"""

_TYPED = {
    "DateTime": """createdAt modifiedAt deletedAt expiresAt observedAt startAt endAt timeAt endTimeAt notifiedAt
        lastNotification lastSuccess lastFailure lastUsedAt contextSourceTimeAt""",
    "@id": """object=hasObject previousObject=hasPreviousObject datasetId instanceId entityId subscriptionId success
        tenant""",
    "@vocab": """vocab=hasVocab previousVocab=hasPreviousVocab objectType=hasObjectType valueType=hasValueType
        attributes attributeList attributeName attributeNames attributeTypes propertyNames relationshipNames typeList
        typeName typeNames watchedAttributes""",
    "@json": "json=hasJSON previousJson=hasPreviousJson contextSourceExtras problemDetails",
}
_CONTAINERS = {
    "@list": """valueList=hasValueList valueLists=hasValueLists values=hasValues objectList=hasObjectList
        objectLists=hasObjectLists objects=hasObjects previousValueList=hasPreviousValueList
        previousObjectList=hasPreviousObjectList jsons languageMaps=hasLanguageMaps vocabs=hasVocabs entityList orderBy
        avg distinctCount max min stddev sum sumsq totalCount
        snapshotQueries snapshotQueriesDetails snapshotTemporalQueries snapshotTemporalQueriesDetails""",
    "@language": "languageMap=hasLanguageMap previousLanguageMap=hasPreviousLanguageMap",
    "@index": "dataset=hasDataset entityMap=hasEntityMap",
}
_GEOJSON_CONTAINERS = {"@list": "bbox coordinates", "@set": "features"}

_PROOF = {
    "@id": "ngsi-ld:ngsildproof",
    "@context": [
        {
            "entityIdSealed": "ngsi-ld:entityIdSealed",
            "entityTypeSealed": {"@id": "ngsi-ld:entityTypeSealed", "@type": "@vocab"},
        },
        "https://w3id.org/security/data-integrity/v2",
    ],
}
"""The one scoped context of the core: what a signed attribute says of its proof."""


def _words(text: str, prefix: str) -> dict[str, str]:
    """`{"value": "ngsi-ld:hasValue"}` from `"value=hasValue"`."""
    pairs = (word.partition("=") for word in text.split())
    return {term: f"{prefix}:{name or term}" for term, _, name in pairs}


def _core_terms() -> dict[str, Any]:
    """Every term of the core but the scoped one, as JSON-LD defines terms."""
    terms: dict[str, Any] = {**_NAMESPACES, **_KEYWORDS, **_ELSEWHERE}
    for group in _PLAIN.values():
        terms |= _words(group, "ngsi-ld")
    terms |= _words(_GEOJSON, "geojson")
    for member, prefix, table in (
        ("@type", "ngsi-ld", _TYPED),
        ("@container", "ngsi-ld", _CONTAINERS),
        ("@container", "geojson", _GEOJSON_CONTAINERS),
    ):
        for keyword, words in table.items():
            terms |= {term: {"@id": iri, member: keyword} for term, iri in _words(words, prefix).items()}
    return terms


CORE_TERMS: dict[str, Any] = _core_terms() | {"ngsildproof": _PROOF["@id"], "@vocab": DEFAULT_VOCABULARY}
"""The core as an @context object for names alone: not protected, without the scope of `ngsildproof`."""

CORE_DOCUMENT: dict[str, Any] = {
    "@context": {"@version": 1.1, "@protected": True} | CORE_TERMS | {"ngsildproof": _PROOF},
}
"""The JSON-LD document of the core @context, as others may load it."""


def is_core_url(url: str) -> bool:
    """Whether it is a URL of the core @context, of any version, that the built-in one stands for."""
    return _CORE_URL.fullmatch(url) is not None
