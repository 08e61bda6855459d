"""The operations that write, and how a context source is asked for each (4.20, 5.6, 6.4 to 6.7, 6.18 to 6.22)."""

from dataclasses import dataclass
from typing import Any

from broker.federation.forwarding import Parameters
from ngsi_ld.query.type_selection import TypeSelection


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation by its name in 4.20, and how a source is asked for it.

    `path` has the placeholders `{id}`, `{attribute}` and `{instance}`. `body`: what of the subject is sent. A part of
    what is done `by_attribute` is told in an UpdateResult; an operation on `one` attribute ends at the source that
    alone has it; one that `creates` makes nothing here of which all is elsewhere. `temporal`: it is on the past.
    """

    name: str
    method: str
    path: str
    body: str = "entity"
    by_attribute: bool = False
    one: bool = False
    creates: bool = False
    temporal: bool = False


CREATE = Operation("createEntity", "POST", "/entities", creates=True)
REPLACE = Operation("replaceEntity", "PUT", "/entities/{id}")
MERGE = Operation("mergeEntity", "PATCH", "/entities/{id}")
DELETE = Operation("deleteEntity", "DELETE", "/entities/{id}", body="")
APPEND = Operation("appendAttrs", "POST", "/entities/{id}/attrs/", by_attribute=True)
UPDATE = Operation("updateEntity", "PATCH", "/entities/{id}/attrs/", by_attribute=True)
PARTIAL_UPDATE = Operation("updateAttrs", "PATCH", "/entities/{id}/attrs/{attribute}", "instance", True, True)
REPLACE_ATTRIBUTE = Operation("replaceAttrs", "PUT", "/entities/{id}/attrs/{attribute}", "instance", True, True)
DELETE_ATTRIBUTE = Operation("deleteAttrs", "DELETE", "/entities/{id}/attrs/{attribute}", "", True, True)
SET_VALUE = Operation("updateAttrs", "PUT", "/entities/{id}/attrs/{attribute}/value", "value", True, True)

_PAST = "/temporal/entities"

UPSERT_TEMPORAL = Operation("upsertTemporal", "POST", _PAST, creates=True, temporal=True)
DELETE_TEMPORAL = Operation("deleteTemporal", "DELETE", f"{_PAST}/{{id}}", body="", temporal=True)
APPEND_TEMPORAL = Operation("appendAttrsTemporal", "POST", f"{_PAST}/{{id}}/attrs/", by_attribute=True, temporal=True)
DELETE_ATTRIBUTE_TEMPORAL = Operation(
    "deleteAttrsTemporal", "DELETE", f"{_PAST}/{{id}}/attrs/{{attribute}}", "", True, True, temporal=True
)
UPDATE_INSTANCE = Operation(
    "updateAttrInstanceTemporal",
    "PATCH",
    f"{_PAST}/{{id}}/attrs/{{attribute}}/{{instance}}",
    "instance",
    True,
    True,
    temporal=True,
)
DELETE_INSTANCE = Operation(
    "deleteAttrInstanceTemporal",
    "DELETE",
    f"{_PAST}/{{id}}/attrs/{{attribute}}/{{instance}}",
    "",
    True,
    True,
    temporal=True,
)


@dataclass(frozen=True, slots=True)
class Write:
    """One write: the operation on the entity `id`, of one of the `types` if asked for.

    `attribute` is the IRI of the one that the path names, `value` the bare value for it, `instance` the id of one of
    its past. `parameters` are those of the request that say how it is written, such as `options=noOverwrite`.
    """

    operation: Operation
    id: str
    types: TypeSelection | None = None
    attribute: str = ""
    dataset_id: str | None = None
    value: Any = None
    parameters: Parameters = ()
    instance: str = ""
