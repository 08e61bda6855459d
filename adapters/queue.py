"""The queue on disk between the mapping and the broker, and the memory of what the broker has been given.

One SQLite file in WAL mode with synchronous=FULL: what `put` returned from survives kill -9 and a power cut. What was
sent leaves the queue in the same transaction that remembers it as sent, so that a crash between the broker's answer
and that transaction sends again (the same data, which changes nothing) and never forgets.
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
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
        self._lock = Lock()
        self._most = entities
        self._most_bytes = size
        self._drop_oldest = drop_oldest
        held = self._all("SELECT count(*), coalesce(sum(length(body)), 0) FROM queue", [])[0]
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
                await asyncio.to_thread(self._drop, len(entities), size)
            else:
                self._room.clear()
                await self._room.wait()
        await asyncio.to_thread(self._insert, entities)
        self._count += len(entities)
        self._bytes += size
        self._filled.set()

    async def take(self, most: int) -> list[Queued]:
        """The oldest entities, waiting for the first; each entity once, its oldest. They stay until `settle`."""
        while True:
            self._filled.clear()
            if self._count and (taken := await asyncio.to_thread(self._oldest, most)):
                return taken
            await self._filled.wait()

    async def emptied(self) -> None:
        """Returns once everything in it is settled."""
        while self._count:
            self._room.clear()
            await self._room.wait()

    def sent(self, entity_ids: Iterable[str]) -> dict[str, Sent]:
        """What the broker was given of these entities."""
        ids = list(entity_ids)
        marks = ",".join("?" * len(ids))
        rows = self._all(f"SELECT entity, attributes FROM sent WHERE entity IN ({marks})", ids)  # noqa: S608  only ?
        return {entity: orjson.loads(attributes) for entity, attributes in rows}

    async def settle(self, done: Sequence[Queued], sent: Mapping[str, Sent]) -> None:
        """Takes `done` out and remembers `sent`, in one transaction on disk."""
        count, size = await asyncio.to_thread(self._settle, done, sent)
        self._count -= count
        self._bytes -= size
        self._room.set()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._database.close()

    def _insert(self, entities: Sequence[tuple[str, bytes]]) -> None:
        with self._lock, self._transaction():
            self._database.executemany("INSERT INTO queue (entity, body) VALUES (?, ?)", entities)

    def _oldest(self, most: int) -> list[Queued]:
        # twice as many are looked at, so that one entity that comes often does not make batches of one
        rows = self._all("SELECT seq, entity, body FROM queue ORDER BY seq LIMIT ?", [most * 2])
        first: dict[str, Queued] = {}
        for seq, entity, body in rows:
            if entity not in first:
                first[entity] = Queued(seq, entity, body)
                if len(first) == most:
                    break
        return list(first.values())

    def _settle(self, done: Sequence[Queued], sent: Mapping[str, Sent]) -> tuple[int, int]:
        """How many left the queue, and their bytes; those that `_drop` took out meanwhile do not count twice."""
        marks = ",".join("?" * len(done))
        statement = f"DELETE FROM queue WHERE seq IN ({marks}) RETURNING length(body)"  # noqa: S608  only ?
        with self._lock, self._transaction():
            gone = self._database.execute(statement, [each.seq for each in done]).fetchall()
            self._database.executemany(
                "INSERT INTO sent VALUES (?, ?) ON CONFLICT (entity) DO UPDATE SET attributes = excluded.attributes",
                [(entity, orjson.dumps(attributes)) for entity, attributes in sent.items()],
            )
        return len(gone), sum(length for (length,) in gone)

    def _drop(self, entities: int, size: int) -> None:
        """Takes the oldest out until so many entities and bytes have room, in one go."""
        freed = gone = 0
        last = -1
        with self._lock:
            for seq, length in self._database.execute("SELECT seq, length(body) FROM queue ORDER BY seq"):
                last, gone, freed = seq, gone + 1, freed + length
                if self._count - gone + entities <= self._most and self._bytes - freed + size <= self._most_bytes:
                    break
            with self._transaction():
                self._database.execute("DELETE FROM queue WHERE seq <= ?", (last,))
        self._count -= gone
        self._bytes -= freed
        self.dropped += gone

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._database)

    def _all(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self._lock, closing(self._database.execute(statement, values)) as cursor:
            return cursor.fetchall()


class _Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where an exception comes."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def __enter__(self) -> None:
        self._database.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self._database.execute("COMMIT" if kind is None else "ROLLBACK")
