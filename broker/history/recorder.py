"""Recording: the consumer of the change log that writes down what became of every attribute, exactly once.

A change becomes one document of the rows that it brought, whose `_id` names the change; what the log hands over again
after a crash is there already. That it is written in one insert for a whole batch is what recording costs a writer.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from broker.changelog.changes import Change, DocumentChange, Dropped, EntityChange
from broker.changelog.position import Lease, Position
from broker.history.collections import LAZY, Collections, recorded_id
from broker.history.marks import FORGOTTEN, MARKS
from broker.history.packing import Packer
from broker.history.rows import Document, changed_rows, series
from ngsi_ld.datetimes import format_date_time

logger = logging.getLogger(__name__)

_DUPLICATE_KEY = 11000
_KNOWN_ENTITIES = 100_000


class Recorder:
    """The consumer; `packer` packs what it recorded while this process follows the log."""

    def __init__(self, collections: Collections, packer: Packer) -> None:
        self._collections = collections
        self._packer = packer
        self._known: OrderedDict[tuple[str, str], set[str]] = OrderedDict()

    async def begin(self, position: Position, lease: Lease) -> None:
        """See `Consumer`."""
        self._known.clear()
        self._packer.start(lease)

    async def end(self) -> None:
        """See `Consumer`."""
        await self._packer.stop()

    async def handle(self, changes: Sequence[Change]) -> None:
        """See `Consumer`."""
        logs: dict[str, list[Document]] = {}
        entities: dict[str, list[UpdateOne]] = {}
        for change in changes:
            if isinstance(change, EntityChange):
                self._take(change, logs.setdefault(change.tenant, []), entities.setdefault(change.tenant, []))
            elif isinstance(change, DocumentChange):
                if change.collection == MARKS and change.after is not None and change.after.get("k") == FORGOTTEN:
                    self._known.pop((change.after["tenant"], change.after["e"]), None)
            elif isinstance(change, Dropped):
                # What came before goes with it: to write it would make the tenant's database anew.
                logs.pop(change.tenant, None)
                entities.pop(change.tenant, None)
                self._collections.forget(change.tenant)
                self._known.clear()
        for tenant, documents in logs.items():
            await self._write(tenant, documents, entities.get(tenant, []))

    def _take(self, change: EntityChange, logs: list[Document], entities: list[UpdateOne]) -> None:
        before, after = change.documents()
        at = format_date_time(change.at)
        rows = changed_rows(before, after, at, change.cluster_time.inc)
        if rows:
            logs.append({"_id": recorded_id(change.id, change.cluster_time), "e": change.id, "r": rows})
        known = self._known.get((change.tenant, change.id))
        if after is None:
            entities.append(UpdateOne({"_id": change.id}, {"$set": {"deletedAt": at, "modifiedAt": at}}))
            self._known.pop((change.tenant, change.id), None)
            return
        keys = {series(row) for row in rows}
        if known is not None and before is not None and keys <= known and before["types"] == after["types"]:
            return
        entities.append(
            UpdateOne(
                {"_id": change.id},
                {
                    "$setOnInsert": {"createdAt": after["createdAt"]},
                    "$set": {"modifiedAt": after["modifiedAt"]},
                    "$addToSet": {"types": {"$each": after["types"]}, "series": {"$each": sorted(keys)}},
                    "$unset": {"deletedAt": ""},
                },
                upsert=True,
            )
        )
        self._known[change.tenant, change.id] = keys | (known or set())
        while len(self._known) > _KNOWN_ENTITIES:
            self._known.popitem(last=False)

    async def _write(self, tenant: str, logs: list[Document], entities: list[UpdateOne]) -> None:
        if not (logs or entities):
            return
        await self._collections.make(tenant)
        if logs:
            try:
                await self._collections.log(tenant).with_options(write_concern=LAZY).insert_many(logs, ordered=False)
            except BulkWriteError as error:
                if any(one["code"] != _DUPLICATE_KEY for one in error.details["writeErrors"]):
                    raise
        if entities:
            await self._collections.entities(tenant).with_options(write_concern=LAZY).bulk_write(entities)
