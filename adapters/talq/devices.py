"""What a TALQ gateway has told of its devices, kept on disk: messages after the announcement lean on it.

A log report names `<device>/<function>` and neither the device's name nor the function's type; of faults, each message
tells one, and a lamp is well again only when the last of them has ended.
"""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS devices (address TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(slots=True)
class Device:
    """A device: its displayName and assetId; the types of its functions by their ids, in the order announced; the
    actuator that a lamp monitor says it watches; the faults of each lamp, by its number: {name: [begun, when]}."""

    address: str
    name: str
    device_class: str
    label: str = ""
    asset: str = ""
    functions: dict[str, str] = field(default_factory=dict)
    watches: dict[str, str] = field(default_factory=dict)
    faults: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    def lamp_of(self, function: str) -> int:
        """The number of the lamp, from 0, that a function of a lamp belongs to; functions of the whole device: 0.

        A monitor belongs to the actuator it names, or else to the one announced in the same place as itself.
        """
        lamps = self._of_type("LampActuatorFunction")
        if function in lamps:
            return lamps.index(function)
        if self.watches.get(function) in lamps:
            return lamps.index(self.watches[function])
        monitors = self._of_type("LampMonitorFunction")
        place = monitors.index(function) if function in monitors else 0
        return place if place < len(lamps) else 0

    def _of_type(self, kind: str) -> list[str]:
        return [function for function, each in self.functions.items() if each == kind]


class Devices:
    """The devices by address; in memory only without a path."""

    def __init__(self, path: Path | None) -> None:
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)
        self._changed: dict[str, Device] = {}

    def get(self, address: str) -> Device | None:
        """The device, as last told."""
        if address in self._changed:
            return self._changed[address]
        row = self._database.execute("SELECT body FROM devices WHERE address = ?", (address,)).fetchone()
        return Device(**orjson.loads(row[0])) if row else None

    def put(self, device: Device) -> None:
        """Remembers; on disk from the next `save`."""
        self._changed[device.address] = device

    def remove(self, address: str) -> bool:
        """Forgets a device; whether it was known."""
        self._changed.pop(address, None)
        return self._database.execute("DELETE FROM devices WHERE address = ?", (address,)).rowcount > 0

    def save(self) -> None:
        """Writes what was put, in one transaction."""
        if not self._changed:
            return
        rows = [(device.address, orjson.dumps(device)) for device in self._changed.values()]
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(
            "INSERT INTO devices VALUES (?, ?) ON CONFLICT (address) DO UPDATE SET body = excluded.body", rows
        )
        self._database.execute("COMMIT")
        self._changed.clear()
