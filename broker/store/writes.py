"""Mutations of one tenant's entities, in groups: one read for those not known, one bulk of compare-and-swaps.

A compare-and-swap is an update that names the version it is based on. In a bulk, MongoDB counts the updates that
matched nothing but does not say which they were. So each is an upsert that would insert a member `ghost`, which the
collection's validator forbids: the one that matches nothing fails by itself, at its index (code 121; a create whose
id is taken fails with 11000), and its request alone is tried again on what is then stored. Verified on MongoDB 6.0.5.

An outcome that is not known, because the connection broke or the primary stepped down, is looked up: the entity is
read, and is either as it was before the write, or as the write would have made it, or the request is told that
nobody knows.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bson
import pymongo
from bson.raw_bson import RawBSONDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError

from broker.store import documents
from broker.store.grouping import Groups, Turn
from broker.store.indexes import NOT_INDEXABLE, Indexes
from broker.store.recent import Recent
from broker.store.store import Mutation, StoreUnavailable, Written, unavailable
from broker.store.tenants import ENTITIES, Database, furnish
from ngsi_ld.entity import Entity
from ngsi_ld.errors import NgsiLdError, bad_request_data

logger = logging.getLogger(__name__)

MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
"""MongoDB's limit."""

_MAX_COMMAND_BYTES = 8 * 1024 * 1024
_MAX_CONFLICTS = 100
_MAX_DOUBTS = 3
_GHOST = 121
_CONFLICTS = frozenset({_GHOST, 11000})
_TOO_LARGE = frozenset({15, 10334, 17419, 17420})  # nested too deep; larger than 16 MB, at different moments
_MEMBERS = {"insert": "documents", "update": "updates", "delete": "deletes"}
_WRITE_CONCERN = {"w": "majority", "j": True}


class Outcomes:
    """What became of the mutations of one call, each at its place; `done` when all are known."""

    __slots__ = ("_open", "done", "results")

    def __init__(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        self.results: list[Written | Exception] = [_UNKNOWN] * number
        self.done: asyncio.Future[None] = loop.create_future()
        self._open = number

    def settle(self, place: int, result: Written | Exception) -> None:
        """One is known."""
        self.results[place] = result
        self._open -= 1
        if not self._open and not self.done.done():
            self.done.set_result(None)


_UNKNOWN = RuntimeError("the outcome is not known yet")


@dataclass(slots=True, eq=False)
class Request:
    """One mutation of one entity, on its way to its place in the outcomes."""

    mutation: Mutation
    outcomes: Outcomes
    place: int
    deadline: float
    conflicts: int = 0
    plain_geo: bool = False
    doubts: int = 0
    doubtful: "_Write | None" = None

    def settle(self, result: Written | Exception) -> None:
        """It has its outcome."""
        self.outcomes.settle(self.place, result)


@dataclass(slots=True, eq=False)
class _Write:
    kind: str
    request: Request
    id: str
    before: Entity | None
    after: Entity | None
    operation: RawBSONDocument


class Writes:
    """`mutate` for one tenant. At most `size` entities in a turn and `in_flight` turns at once."""

    def __init__(
        self,
        tenant: str,
        database: Database,
        indexes: Indexes,
        recent: Recent,
        *,
        size: int,
        in_flight: int,
        timeout_seconds: float,
    ) -> None:
        self._tenant = tenant
        self._database = database
        self._entities = database[ENTITIES]
        self._raw: AsyncCollection[Any] = database.get_collection(
            ENTITIES, codec_options=bson.CodecOptions(document_class=RawBSONDocument)
        )
        self._indexes = indexes
        self._recent = recent
        self._timeout = timeout_seconds
        self._loop = asyncio.get_running_loop()
        self._groups: Groups[Request] = Groups(self._turn, size=size, in_flight=in_flight)

    def mutate(self, mutations: Sequence[tuple[str, Mutation]]) -> Outcomes:
        """Begin the mutations, of entities by id. Those of one entity are done in order, each a write of its own."""
        outcomes = Outcomes(len(mutations), self._loop)
        deadline = self._loop.time() + 2 * self._timeout
        for place, (entity_id, mutation) in enumerate(mutations):
            self._groups.add(entity_id, Request(mutation, outcomes, place, deadline))
        return outcomes

    async def drained(self) -> None:
        """Wait until nothing is in flight."""
        await self._groups.drained()

    async def _turn(self, turn: Turn[Request]) -> None:
        try:
            self._drop_late(turn)
            with pymongo.timeout(self._timeout):
                writes = await self._prepare(turn)
                parts = list(_parts(writes))
                if len(parts) == 1:
                    await self._write(turn, *parts[0])
                elif parts:
                    await asyncio.gather(*[self._write(turn, kind, part) for kind, part in parts])
        except Exception as error:
            if not isinstance(error, PyMongoError):
                logger.exception("a group of writes failed")
            for requests in turn.values():
                for request in requests:
                    request.settle(unavailable(error))
                requests.clear()

    def _drop_late(self, turn: Turn[Request]) -> None:
        """Those who gave up waiting, or have waited long enough, before anything was written for them."""
        now = self._loop.time()
        for requests in turn.values():
            if requests[0].deadline < now or any(request.outcomes.done.done() for request in requests):
                for request in requests:
                    if request.deadline < now:
                        request.settle(StoreUnavailable("the database does not answer in time"))
                requests[:] = [r for r in requests if r.deadline >= now and not r.outcomes.done.done()]

    async def _prepare(self, turn: Turn[Request]) -> list[_Write]:
        """For each entity the first write that its mutations want; those before it that want none are settled."""
        writes: list[_Write] = []
        unread: list[str] = []
        for entity_id, requests in turn.items():
            if requests:
                write = self._guessed(entity_id, requests[0])
                writes.append(write) if write else unread.append(entity_id)
        if unread:
            found = await self._read(unread)
            applied = [self._applied(entity_id, turn[entity_id], found.get(entity_id)) for entity_id in unread]
            writes.extend(filter(None, applied))
        return writes

    def _guessed(self, entity_id: str, request: Request) -> _Write | None:
        """The write on the entity as it last was: only a write, since a refusal must be by what is stored now."""
        before = self._recent.get(self._tenant, entity_id)
        if before is None or request.doubtful:
            return None
        try:
            after = request.mutation(before)
            return None if after is before else _write(entity_id, request, before, after)
        except Exception:
            return None

    def _applied(self, entity_id: str, requests: list[Request], before: Entity | None) -> _Write | None:
        """The first write on the entity as it was just read."""
        while requests:
            request = requests[0]
            try:
                if request.doubtful and (known := _resolved(request.doubtful, before)):
                    request.settle(known)
                else:
                    after = request.mutation(before)
                    if after is not before:
                        return _write(entity_id, request, before, after)
                    request.settle(Written(before, before))
            except Exception as error:
                request.settle(error)
            del requests[0]
        return None

    async def _read(self, entity_ids: list[str]) -> dict[str, Entity]:
        found: dict[str, Entity] = {}
        for raw in await self._raw.find({"_id": {"$in": entity_ids}}, batch_size=len(entity_ids) + 1).to_list():
            entity = documents.entity(bson.decode(raw.raw))
            found[entity.id] = entity
            self._recent.put(self._tenant, entity, len(raw.raw))
        return found

    async def _write(self, turn: Turn[Request], kind: str, writes: list[_Write]) -> None:
        """One command, and what becomes of each of its writes."""
        try:
            answer = await self._database.command(
                {
                    kind: ENTITIES,
                    "ordered": False,
                    _MEMBERS[kind]: [write.operation for write in writes],
                    "writeConcern": _WRITE_CONCERN,
                }
            )
            if concern := answer.get("writeConcernError"):
                raise PyMongoError(concern.get("errmsg", "the majority did not acknowledge in time"))
        except PyMongoError as error:
            for write in writes:
                self._doubted(turn, write, error)
            return
        if kind == "delete" and answer["n"] < len(writes):
            await self._some_deleted(turn, writes, answer["n"])
            return
        failures = {failure["index"]: failure for failure in answer.get("writeErrors", ())}
        if ghosts := answer.get("upserted"):
            logger.warning("%s was dropped and is made anew", self._entities.full_name)
            await furnish(self._database, self._indexes)
            failures |= {ghost["index"]: {"code": _GHOST} for ghost in ghosts}
        for index, write in enumerate(writes):
            if failures and (failure := failures.get(index)):
                self._failed(turn, write, failure)
            else:
                self._done(turn, write)

    def _done(self, turn: Turn[Request], write: _Write) -> None:
        before, after = write.before, write.after
        if after is None:
            self._recent.forget(self._tenant, write.id)
        else:
            self._recent.put(self._tenant, after, len(write.operation.raw), grown=before is not None)
            self._indexes.note_geo(self._entities, documents.geo_properties(before, after))
        del turn[write.id][0]
        write.request.settle(Written(before, after))

    def _failed(self, turn: Turn[Request], write: _Write, failure: dict[str, Any]) -> None:
        request = write.request
        code, message = failure.get("code"), str(failure.get("errmsg", ""))
        if code in _CONFLICTS:
            self._conflicted(turn, write)
            return
        if code == NOT_INDEXABLE and not request.plain_geo:
            request.plain_geo = True
            return
        del turn[write.id][0]
        if code in _TOO_LARGE:
            request.settle(_too_large(write.id))
        else:
            logger.error("MongoDB refuses to write %s: %s", write.id, message[:1000])
            request.settle(StoreUnavailable(f"the database refuses to write {write.id} (code {code})"))

    def _conflicted(self, turn: Turn[Request], write: _Write) -> None:
        """Another writer was faster: the request stays in its turn, to be tried on what is stored."""
        self._recent.forget(self._tenant, write.id)
        write.request.conflicts += 1
        if write.request.conflicts > _MAX_CONFLICTS:
            del turn[write.id][0]
            write.request.settle(StoreUnavailable(f"{write.id} is changed by others all the time: try again later"))

    def _doubted(self, turn: Turn[Request], write: _Write, error: PyMongoError) -> None:
        """Whether it was written is not known: the request stays in its turn, to be looked up."""
        self._recent.forget(self._tenant, write.id)
        write.request.doubts += 1
        write.request.doubtful = write
        if write.request.doubts > _MAX_DOUBTS:
            del turn[write.id][0]
            write.request.settle(StoreUnavailable(f"the database does not confirm the write of {write.id}"))

    async def _some_deleted(self, turn: Turn[Request], writes: list[_Write], number: int) -> None:
        """A bulk of deletes only says how many it deleted: those still there have changed and are tried again.

        Where others deleted some at the same time, it is not known who deleted which, and both have.
        """
        for write in writes:
            self._recent.forget(self._tenant, write.id)
        there = await self._read([write.id for write in writes])
        for write in writes:
            if write.id in there or number == 0:
                self._conflicted(turn, write)
            else:
                self._done(turn, write)


def _write(entity_id: str, request: Request, before: Entity | None, after: Entity | None) -> _Write:
    """The operation that makes `after` of `before`; BadRequestData where MongoDB cannot hold it."""
    operation: documents.Document
    if after is not None:
        after = Entity(
            entity_id,
            after.types,
            after.attributes,
            after.scope,
            after.created_at,
            after.modified_at,
            after.expires_at,
            1 if before is None else before.version + 1,
        )
    if before is None:
        kind = "insert"
        operation = {} if after is None else documents.document(after, plain_geo=request.plain_geo)
    else:
        # createdAt too: an entity that was deleted and created again has the same versions
        same = {"_id": entity_id, "v": before.version, "createdAt": before.created_at}
        if after is None:
            kind = "delete"
            operation = {"q": same, "limit": 1}
        else:
            kind = "update"
            change = documents.changes(before, after, plain_geo=request.plain_geo)
            change["$setOnInsert"] = {"ghost": True}
            operation = {"q": same, "u": change, "upsert": True}
    try:
        raw = bson.encode(operation)
    except (bson.errors.BSONError, ValueError, OverflowError, RecursionError) as error:
        raise bad_request_data(f"the entity {entity_id} cannot be stored: {error}") from error
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise _too_large(entity_id)
    return _Write(kind, request, entity_id, before, after, RawBSONDocument(raw))


def _too_large(entity_id: str) -> NgsiLdError:
    return bad_request_data(
        f"the entity {entity_id} would be too large: "
        f"up to {MAX_DOCUMENT_BYTES // 1024 // 1024} MB and {documents.MAX_DEPTH} levels can be stored"
    )


def _resolved(doubtful: _Write, stored: Entity | None) -> Written | Exception | None:
    """What became of a doubtful write, by what is stored now; None where it was not made."""
    before, after = doubtful.before, doubtful.after
    if stored == after:
        return Written(before, after)
    if stored is None or before is None:
        unmade = stored is before
    else:
        unmade = stored.version == before.version and stored.created_at == before.created_at
    if unmade:
        return None
    return StoreUnavailable(
        f"the database was away while {doubtful.id} was written, and others have written it since: "
        "whether the change was made is not known"
    )


def _parts(writes: list[_Write]) -> Iterator[tuple[str, list[_Write]]]:
    """The writes by kind of command, in parts that a command can carry."""
    for kind in _MEMBERS:
        part: list[_Write] = []
        size = 0
        for write in writes:
            if write.kind == kind:
                size += len(write.operation.raw)
                if part and size > _MAX_COMMAND_BYTES:
                    yield kind, part
                    part, size = [], len(write.operation.raw)
                part.append(write)
        if part:
            yield kind, part
