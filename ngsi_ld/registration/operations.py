"""The operations that a context source can be registered for, and their groups (4.20, tables 4.20-1 and 4.20-2)."""

from collections.abc import Iterable, Mapping

_TYPES = frozenset(
    {
        "retrieveEntityTypes",
        "retrieveEntityTypeDetails",
        "retrieveEntityTypeInfo",
        "retrieveAttrTypes",
        "retrieveAttrTypeDetails",
        "retrieveAttrTypeInfo",
    }
)
_SUBSCRIPTIONS = frozenset(
    {"createSubscription", "updateSubscription", "retrieveSubscription", "querySubscription", "deleteSubscription"}
)
_ENTITY_MAPS = frozenset({"retrieveEntityMap", "updateEntityMap", "deleteEntityMap", "createEntityMapQueryEntity"})
_RETRIEVE = frozenset({"retrieveEntity", "queryEntity"})
_UPDATE = frozenset({"updateEntity", "updateAttrs", "replaceEntity", "replaceAttrs"})
_IDENTITY = "retrieveContextSourceIdentity"

GROUPS: Mapping[str, frozenset[str]] = {
    "federationOps": _RETRIEVE | {"queryBatch", _IDENTITY} | _TYPES | _SUBSCRIPTIONS | _ENTITY_MAPS,
    "associationOps": _RETRIEVE | {"queryBatch", _IDENTITY} | _TYPES | _SUBSCRIPTIONS,
    "updateOps": _UPDATE,
    "retrieveOps": _RETRIEVE,
    "redirectionOps": _RETRIEVE
    | _UPDATE
    | {"createEntity", "appendAttrs", "deleteAttrs", "deleteEntity", "mergeEntity", "purgeEntity", _IDENTITY}
    | _TYPES
    | _ENTITY_MAPS,
}
"""The names that stand for several operations."""

OPERATIONS = (
    GROUPS["federationOps"]
    | GROUPS["redirectionOps"]
    | {"createBatch", "upsertBatch", "updateBatch", "deleteBatch", "mergeBatch"}
    | {"upsertTemporal", "appendAttrsTemporal", "deleteAttrsTemporal", "deleteTemporal"}
    | {"updateAttrInstanceTemporal", "deleteAttrInstanceTemporal"}
    | {"retrieveTemporal", "queryTemporal", "createEntityMapQueryTemporal"}
)
"""Every operation by its name."""

DEFAULT = "federationOps"


def named(names: Iterable[str]) -> frozenset[str]:
    """The operations that names of operations and groups stand for; KeyError with the first that is neither."""
    found: set[str] = set()
    for name in names:
        if name in GROUPS:
            found |= GROUPS[name]
        elif name in OPERATIONS:
            found.add(name)
        else:
            raise KeyError(name)
    return frozenset(found)
