"""What the change log hands to its consumers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from broker.store.documents import document, entity
from ngsi_ld.entity import Entity

Document = dict[str, Any]
Image = Document | RawBSONDocument


class EntityChange:
    """An entity was written: created (`before` is None), changed, or deleted (`after` is None).

    `types` are those before and after, as IRIs. `cluster_time` orders the changes of the whole deployment; with tenant
    and id it names this change for ever. `at` is when it was written, by the clock of MongoDB. The images become
    entities when they are first asked for: most changes concern nobody, which their types alone tell.
    """

    __slots__ = ("_after", "_before", "at", "cluster_time", "id", "tenant", "token", "types")

    def __init__(
        self,
        tenant: str,
        id: str,  # noqa: A002 - what the standard calls it
        types: list[str],
        before: Image | Entity | None,
        after: Image | Entity | None,
        cluster_time: Timestamp,
        token: Document,
        at: datetime,
    ) -> None:
        self.tenant = tenant
        self.id = id
        self.types = types
        self.cluster_time = cluster_time
        self.token = token
        self.at = at
        self._before = before
        self._after = after

    def documents(self) -> tuple[Document | None, Document | None]:
        """The entity before and after the change as the store keeps it: what a history takes as it is."""
        return _document(self._before), _document(self._after)

    @property
    def before(self) -> Entity | None:
        """The entity before the change."""
        self._before = before = _entity(self._before)
        return before

    @property
    def after(self) -> Entity | None:
        """The entity after the change."""
        self._after = after = _entity(self._after)
        return after


def _document(image: Image | Entity | None) -> Document | None:
    if isinstance(image, Entity):
        return document(image)
    return bson.decode(image.raw) if isinstance(image, RawBSONDocument) else image


def _entity(image: Image | Entity | None) -> Entity | None:
    if image is None or isinstance(image, Entity):
        return image
    return entity(bson.decode(image.raw) if isinstance(image, RawBSONDocument) else image)


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
