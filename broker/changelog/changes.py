"""What the change log hands to its consumers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import Timestamp

from ngsi_ld.entity import Entity

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EntityChange:
    """An entity was written: created (`before` is None), changed, or deleted (`after` is None).

    `cluster_time` orders the changes of the whole deployment; with tenant and id it names this change for ever. `at` is
    when it was written, by the clock of MongoDB.
    """

    tenant: str
    id: str
    before: Entity | None
    after: Entity | None
    cluster_time: Timestamp
    token: Document
    at: datetime


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """A document other than an entity was written, such as a subscription: as it was and as it is stored."""

    tenant: str
    collection: str
    id: str
    before: Document | None
    after: Document | None
    cluster_time: Timestamp
    token: Document


@dataclass(frozen=True, slots=True)
class Dropped:
    """A collection of a tenant, or all of them (`collection` is None), was dropped by an administrator."""

    tenant: str
    collection: str | None
    cluster_time: Timestamp
    token: Document


Change = EntityChange | DocumentChange | Dropped
