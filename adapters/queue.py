"""The queue on disk between the mapping and the broker, and the memory of what the broker has been given.

One SQLite file in WAL mode with synchronous=FULL: what `put` returned from survives kill -9 and a power cut. What was
sent leaves the queue in the same transaction that remembers it as sent, so that a crash between the broker's answer
and that transaction sends again (the same data, which changes nothing) and never forgets.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS queue (seq INTEGER PRIMARY KEY AUTOINCREMENT, entity TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sent (entity TEXT PRIMARY KEY, attributes BLOB NOT NULL) WITHOUT ROWID;
"""

Sent = dict[str, list[Any]]
"""Of one entity, what the broker was given: {attribute: [observedAt or "", hash of its value, time sent]}."""


@dataclass(frozen=True, slots=True)
class Queued:
    """An entity in the queue, as JSON."""

    seq: int
    entity_id: str
    body: bytes


class Queue:
    """Entities in the order they came, bounded in number and bytes.

    When it is full, `put` waits for room (`wait`) or takes the oldest out (`drop_oldest`) and counts them in
    `dropped`. More than the whole queue holds at once is taken all the same, when the queue is empty.
    """

    def __init__(self, path: Path, *, entities: int, size: int, drop_oldest: bool) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._lock = asyncio.Lock()
        self._most = entities
        self._most_bytes = size
        self._drop_oldest = drop_oldest
        held = self._database.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM queue").fetchone()
        self._count: int = held[0]
        self._bytes: int = held[1]
        self._room = asyncio.Event()
        self._filled = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size(self) -> int:
        """Bytes of the entities in it."""
        return self._bytes

    async def put(self, entities: Sequence[tuple[str, bytes]]) -> None:
        """Keeps (id, JSON) pairs, all or none; on return they are on disk."""
        if not entities:
            return
        size = sum(len(body) for _, body in entities)
        while self._count and (self._count + len(entities) > self._most or self._bytes + size > self._most_bytes):
            if self._drop_oldest:
                await self._drop(len(entities), size)
            else:
                self._room.clear()
                await self._room.wait()
        async with self._transaction():
            self._database.executemany("INSERT INTO queue (entity, body) VALUES (?, ?)", entities)
        self._count += len(entities)
        self._bytes += size
        self._filled.set()

    async def take(self, most: int, *, without: Collection[str] = (), least: int = 1) -> list[Queued]:
        """The oldest entities, waiting until there are `least`; each entity once, its oldest. They stay until `settle`.

        `without`: entities that are under way, and are passed over.
        """
        while True:
            self._filled.clear()
            if self._count >= least + len(without):
                async with self._lock:
                    taken = self._oldest(most, without)
                if len(taken) >= least:
                    return taken
            await self._filled.wait()

    async def emptied(self) -> None:
        """Returns once everything in it is settled."""
        while self._count:
            self._room.clear()
            await self._room.wait()

    async def sent(self, entity_ids: Iterable[str]) -> dict[str, Sent]:
        """What the broker was given of these entities."""
        ids = list(entity_ids)
        statement = f"SELECT entity, attributes FROM sent WHERE entity IN ({_marks(ids)})"  # noqa: S608  only ?
        async with self._lock:
            rows = self._database.execute(statement, ids).fetchall()
        return {entity: orjson.loads(attributes) for entity, attributes in rows}

    async def settle(self, done: Sequence[Queued], sent: Mapping[str, Sent]) -> None:
        """Takes `done` out and remembers `sent`, in one transaction on disk."""
        statement = f"DELETE FROM queue WHERE seq IN ({_marks(done)}) RETURNING length(body)"  # noqa: S608  only ?
        async with self._transaction():
            gone = self._database.execute(statement, [each.seq for each in done]).fetchall()
            self._database.executemany(
                "INSERT INTO sent VALUES (?, ?) ON CONFLICT (entity) DO UPDATE SET attributes = excluded.attributes",
                [(entity, orjson.dumps(attributes)) for entity, attributes in sent.items()],
            )
        self._count -= len(gone)  # what was dropped from a full queue meanwhile does not count twice
        self._bytes -= sum(length for (length,) in gone)
        self._room.set()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def _oldest(self, most: int, without: Collection[str]) -> list[Queued]:
        # twice as many are looked at, so that one entity that comes often does not make batches of one
        limit = most * 2 + len(without)
        first: dict[str, int] = {}
        for seq, entity in self._database.execute("SELECT seq, entity FROM queue ORDER BY seq LIMIT ?", [limit]):
            if entity not in first and entity not in without:
                first[entity] = seq
                if len(first) == most:
                    break
        statement = f"SELECT seq, entity, body FROM queue WHERE seq IN ({_marks(first)}) ORDER BY seq"  # noqa: S608  only ?
        return [Queued(*row) for row in self._database.execute(statement, list(first.values())).fetchall()]

    async def _drop(self, entities: int, size: int) -> None:
        """Takes the oldest out until so many entities and bytes have room, in one go."""
        freed = gone = 0
        last = -1
        async with self._transaction():
            rows = self._database.execute("SELECT seq, length(body) FROM queue ORDER BY seq")
            for seq, length in rows:
                last, gone, freed = seq, gone + 1, freed + length
                if self._count - gone + entities <= self._most and self._bytes - freed + size <= self._most_bytes:
                    break
            rows.close()
            self._database.execute("DELETE FROM queue WHERE seq <= ?", (last,))
        self._count -= gone
        self._bytes -= freed
        self.dropped += gone

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """BEGIN … COMMIT, or ROLLBACK where an exception comes.

        Statements run in the loop's thread, where a thousand rows take a few milliseconds; only COMMIT, which waits
        for the disk, has a thread of its own. (With all of it in a thread, each row gives the interpreter's lock up
        and waits 5 ms to have it back from a busy loop.)
        """
        async with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            # shielded: a commit that is under way ends before the connection is used again
            await _finished(asyncio.to_thread(self._database.execute, "COMMIT"))


async def _finished(work: Coroutine[Any, Any, Any]) -> None:
    """Waits for the work to its end, also when cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _marks(values: Collection[Any]) -> str:
    return ",".join("?" * len(values))
