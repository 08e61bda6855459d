"""Change streams over all of the broker's databases: opened at a position, their events decoded.

Tenants come and go while the broker runs, so one stream watches the whole deployment and MongoDB filters by database
and collection. Images of the document before and after the change come with each event: the collections have
`changeStreamPreAndPostImages` enabled.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import bson
from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.change_stream import AsyncChangeStream

from broker.changelog.changes import Change, Document, DocumentChange, Dropped, EntityChange, Image
from broker.changelog.position import Position
from broker.store.tenants import DEFAULT_DATABASE, ENTITIES, tenant_of

logger = logging.getLogger(__name__)

_WRITES = ("insert", "update", "replace", "delete")
_DROPS = ("drop", "dropDatabase")
_BEFORE = "fullDocumentBeforeChange"
_TIMESTAMP_MARK = 0x82
"""First byte of a resume token's data: what follows are the seconds and the counter of the cluster time, big-endian."""


async def open_stream(
    client: AsyncMongoClient[Any],
    collections: Sequence[str],
    position: Position,
    *,
    wait_milliseconds: int = 500,
) -> AsyncChangeStream[Document]:
    """The changes of these collections in the databases of all tenants, from the position on.

    A position is that of a stream with the entities in it. MongoDB resumes after a change only where it passes the
    stream's own filter ("the resume token was not found"), so that a stream without them begins at the position's time
    and passes over what is not later than its token: tokens are in the order of the log.

    Raises pymongo's OperationFailure with `history_lost` where MongoDB has forgotten the changes after the position.
    """
    resumed = position.token if ENTITIES in collections else None
    start = position.start if position.token is None else token_time(position.token)
    later = {} if position.token is None or resumed else {"_id._data": {"$gt": position.token["_data"]}}
    pipeline: list[Document] = [
        {
            "$match": {
                **later,
                "ns.db": {"$regex": f"^{DEFAULT_DATABASE}(-|$)"},
                "$or": [
                    {"operationType": {"$in": _WRITES}, "ns.coll": {"$in": collections}},
                    {"operationType": {"$in": _DROPS}},
                ],
            }
        },
        # Flat, and with the types of an entity beside its images: a change that concerns nobody is told by these few
        # members. What changed inside the document is told by the images; without it large events stay below 16 MB.
        {
            "$project": {
                "operation": "$operationType",
                "database": "$ns.db",
                "collection": "$ns.coll",
                "id": "$documentKey._id",
                "types": {"$setUnion": [{"$ifNull": [f"${one}.types", []]} for one in ("fullDocument", _BEFORE)]},
                "clusterTime": 1,
                "wallTime": 1,
                "fullDocument": 1,
                _BEFORE: 1,
            }
        },
    ]
    return await client.watch(
        pipeline,
        full_document="whenAvailable",
        full_document_before_change="whenAvailable",
        resume_after=resumed,
        start_at_operation_time=None if resumed else start,
        max_await_time_ms=wait_milliseconds,
    )


def token_time(token: Document) -> Timestamp | None:
    """The cluster time in a resume token: every change before it has been seen; None if the token cannot be read."""
    try:
        data = bytes.fromhex(token["_data"][:18])
    except (KeyError, TypeError, ValueError):
        return None
    if len(data) < 9 or data[0] != _TIMESTAMP_MARK:
        return None
    return Timestamp(int.from_bytes(data[1:5], "big"), int.from_bytes(data[5:9], "big"))


def decode(event: Image) -> Change | None:
    """The change that an event of the stream tells of; None, and an error in the log, where its image is missing.

    That happens only where someone switched the images of a collection off.
    """
    database = event["database"]
    tenant = tenant_of(database)
    if tenant is None:
        return None
    cluster_time: Timestamp = event["clusterTime"]
    operation = event["operation"]
    token = plain(event["_id"])
    if operation in _DROPS:
        return Dropped(tenant, event.get("collection"), cluster_time, token)
    collection = event["collection"]
    before, after = event.get(_BEFORE), event.get("fullDocument")
    if (before is None and operation != "insert") or (after is None and operation != "delete"):
        logger.error(
            "a change of %s in %s.%s is lost: changeStreamPreAndPostImages is off", event["id"], database, collection
        )
        return None
    if collection == ENTITIES:
        at = event["wallTime"].replace(tzinfo=UTC)
        return EntityChange(tenant, event["id"], event["types"], before, after, cluster_time, token, at)
    return DocumentChange(
        tenant,
        collection,
        event["id"],
        None if before is None else plain(before),
        None if after is None else plain(after),
        cluster_time,
        token,
    )


def plain(document: Mapping[str, Any]) -> Document:
    """A document of the stream as a dictionary."""
    return bson.decode(document.raw) if isinstance(document, RawBSONDocument) else dict(document)
