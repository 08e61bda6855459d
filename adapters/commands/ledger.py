"""The commands that were taken, on disk: what makes a command that is notified twice be executed once, also when the
adapter dies between; and what the vendor calls each entity, as its records told.

One SQLite file in WAL mode with synchronous=FULL: what a method returned from survives kill -9 and a power cut.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import orjson

from adapters.commands.states import DELIVERED, PENDING, SENDING, Order

T = TypeVar("T")

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS commands (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
    entity TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, state_at REAL NOT NULL, reported INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS of_entity ON commands (entity, name);
CREATE INDEX IF NOT EXISTS by_state ON commands (state);
CREATE INDEX IF NOT EXISTS unreported ON commands (reported) WHERE reported = 0;
CREATE TABLE IF NOT EXISTS addresses (entity TEXT PRIMARY KEY, address BLOB NOT NULL) WITHOUT ROWID;
"""

_NAMES = tuple(field.name for field in fields(Order))


class Ledger:
    """Every method that writes does so in a thread of its own, one after the other."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._lock = asyncio.Lock()
        statement = "SELECT count(*) FROM commands WHERE state IN (?, ?)"
        self.pending: int = self._database.execute(statement, (PENDING, SENDING)).fetchone()[0]
        """Commands that are not with the vendor yet."""

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    async def add(self, order: Order) -> bool:
        """Keeps a command that was just taken; False where it was taken before."""

        def work() -> bool:
            row = (order.id, order.entity, order.name, order.state, order.state_at, _packed(order))
            statement = "INSERT OR IGNORE INTO commands (id, entity, name, state, state_at, reported, body)"
            return self._database.execute(statement + " VALUES (?, ?, ?, ?, ?, 0, ?)", row).rowcount > 0

        added = await self._do(work)
        if added and order.state == PENDING:
            self.pending += 1
        return added

    async def change(self, order: Order, before: str) -> None:
        """Keeps the state that a command is in from now on; `before` is the one it leaves."""

        def work() -> None:
            # SENDING is of no use to whoever asked: it is not reported
            reported = "" if order.state == SENDING else ", reported = 0"
            statement = f"UPDATE commands SET state = ?, state_at = ?, body = ?{reported} WHERE id = ?"  # noqa: S608  a constant
            self._database.execute(statement, (order.state, order.state_at, _packed(order), order.id))

        await self._do(work)
        self.pending += (order.state in (PENDING, SENDING)) - (before in (PENDING, SENDING))

    async def known(self, command_id: str) -> bool:
        """Whether the command was taken before."""
        statement = "SELECT 1 FROM commands WHERE id = ?"
        return await self._do(lambda: self._database.execute(statement, (command_id,)).fetchone() is not None)

    async def get(self, command_id: str) -> Order | None:
        """The command as it is now."""
        statement = "SELECT body FROM commands WHERE id = ?"
        row = await self._do(lambda: self._database.execute(statement, (command_id,)).fetchone())
        return _unpacked(row[0]) if row else None

    async def is_in(self, order: Order) -> bool:
        """Whether the command is in this very state still."""
        statement = "SELECT 1 FROM commands WHERE id = ? AND state = ? AND state_at = ?"
        values = (order.id, order.state, order.state_at)
        return await self._do(lambda: self._database.execute(statement, values).fetchone() is not None)

    async def in_states(self, states: Iterable[str], most: int = -1) -> list[Order]:
        """The commands in these states, older first; at most so many."""
        wanted = [*states, most]
        marks = ",".join("?" * (len(wanted) - 1))
        statement = f"SELECT body FROM commands WHERE state IN ({marks}) ORDER BY seq LIMIT ?"  # noqa: S608  only ?
        rows = await self._do(lambda: self._database.execute(statement, wanted).fetchall())
        return [_unpacked(row[0]) for row in rows]

    async def unreported(self) -> list[tuple[Order, bool]]:
        """The commands whose state is not written back yet, and whether a newer one of the same name is there."""
        statement = """SELECT body, EXISTS (SELECT 1 FROM commands AS newer WHERE newer.entity = commands.entity
            AND newer.name = commands.name AND newer.seq > commands.seq) FROM commands
            WHERE reported = 0 AND state != 'SENDING' ORDER BY seq"""
        rows = await self._do(lambda: self._database.execute(statement).fetchall())
        return [(_unpacked(body), bool(newer)) for body, newer in rows]

    async def reported(self, order: Order) -> None:
        """The state is on its way to the broker, unless it has changed meanwhile."""
        statement = "UPDATE commands SET reported = 1 WHERE id = ? AND state = ? AND state_at = ?"
        await self._do(lambda: self._database.execute(statement, (order.id, order.state, order.state_at)))

    async def forget(self, before: float) -> None:
        """Drops what came to its end before a time."""
        statement = "DELETE FROM commands WHERE state_at < ? AND reported = 1 AND state NOT IN (?, ?, ?)"
        await self._do(lambda: self._database.execute(statement, (before, PENDING, SENDING, DELIVERED)))

    async def remember(self, addresses: Mapping[str, bytes]) -> None:
        """Keeps what the vendor calls entities, by their ids."""

        def work() -> None:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT INTO addresses VALUES (?, ?) ON CONFLICT (entity) DO UPDATE SET address = excluded.address",
                addresses.items(),
            )
            self._database.execute("COMMIT")

        if addresses:
            await self._do(work)

    async def address(self, entity: str) -> Any:
        """What the vendor calls an entity; None where no record has told."""
        statement = "SELECT address FROM addresses WHERE entity = ?"
        row = await self._do(lambda: self._database.execute(statement, (entity,)).fetchone())
        return orjson.loads(row[0]) if row else None

    async def _do(self, work: Callable[[], T]) -> T:
        async with self._lock:
            task = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                await task  # what is under way ends before the connection is used again
                raise


def _packed(order: Order) -> bytes:
    return orjson.dumps({name: getattr(order, name) for name in _NAMES})


def _unpacked(body: bytes) -> Order:
    return Order(**orjson.loads(body))
