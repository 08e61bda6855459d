"""Commands kept on disk for devices that ask for them with their measures (`getCmd=1`): each is given once, and never
after it is too old."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import orjson

FILE = "mailbox.sqlite"
"""In the state directory; the downlink puts in, the HTTP source takes out."""

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS commands (seq INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, body BLOB NOT NULL,
    expires REAL NOT NULL);
CREATE INDEX IF NOT EXISTS of_device ON commands (device);
"""


class Mailbox:
    """The commands of the devices of one adapter; a device is known by `/<key>/<device>`."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._lock = Lock()

    def put(self, device: str, body: bytes, expires: float) -> None:
        """Keeps a command until a time, in seconds since 1970; on return it is on disk."""
        statement = "INSERT INTO commands (device, body, expires) VALUES (?, ?, ?)"
        with self._lock:
            self._database.execute(statement, (device, body, expires))

    def take(self, device: str, protocol: str) -> bytes:
        """What the device is told, empty where nothing waits: UltraLight commands with # between, or an object of JSON
        commands by name (a second one of a name waits for the next time). On return it is kept no more."""
        with self._lock:
            self._database.execute("DELETE FROM commands WHERE expires < ?", (time.time(),))
            statement = "SELECT seq, body FROM commands WHERE device = ? ORDER BY seq"
            rows = self._database.execute(statement, (device,)).fetchall()
            taken, told = _first(rows, protocol)
            if taken:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("DELETE FROM commands WHERE seq = ?", [(seq,) for seq in taken])
                self._database.execute("COMMIT")
        return told


def _first(rows: Sequence[tuple[int, bytes]], protocol: str) -> tuple[list[int], bytes]:
    """The commands that one answer can hold, and the answer."""
    if protocol != "json":
        return [seq for seq, _ in rows], b"#".join(body for _, body in rows)
    told: dict[str, object] = {}
    taken = []
    for seq, body in rows:
        named = orjson.loads(body)
        if not told.keys() & named.keys():
            told |= named
            taken.append(seq)
    return taken, orjson.dumps(told) if told else b""
