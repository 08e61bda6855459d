"""Sparkplug B messages into records: one for the node or device that was born, lives or died, and one for each metric.

    {"kind": "state", "equipment": "plant-node1-pump3", "state": "online", "time": 1790755200000}
    {"kind": "metric", "equipment": "plant-node1-pump3", "name": "Flow", "number": 18.5, "text": null, "unit": "l/min",
     "truth": null, "datatype": 9, "group": "plant", "path": "DCMD/node1/pump3", "time": 1790755200000}

`group` and `path` are where commands to it are published: spBv1.0/<group>/<path>. `birth`: whether it was just born.
DATA messages name metrics by alias: the names, types and units come from the last BIRTH, which is kept on disk.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.recorded import message
from adapters.errors import DecodingError
from adapters.options import read
from adapters.sparkplug.payload import Metric, parse, signed

_TYPES = ("NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH")
_IGNORED = ("NCMD", "DCMD", "STATE")

_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS metrics (node TEXT, alias INTEGER, name TEXT, equipment TEXT, datatype INTEGER, unit TEXT,
    PRIMARY KEY (node, equipment, name)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS aliases ON metrics (node, alias);
"""

_NOT_MEASURED = ("bdSeq", "Node Control/", "Device Control/", "Properties/")
"""Metrics of the protocol and of the equipment itself."""


@dataclass(frozen=True, slots=True)
class SparkplugOptions:
    """`ignore`: beginnings of the names of metrics that make no record."""

    ignore: tuple[str, ...] = _NOT_MEASURED


class SparkplugDecoder:
    """One message in each payload; the topic says what it is."""

    def __init__(self, options: SparkplugOptions, path: Path | None) -> None:
        self._ignore = options.ignore
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        self._database.executescript(_SCHEMA)

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records, or faults in place of them. Raises DecodingError."""
        said = message(stream, origin)
        levels = said.levels
        if levels[0] != "spBv1.0" or len(levels) < 3:
            raise DecodingError(f"{said.topic} is no topic of Sparkplug B: spBv1.0/<group>/<type>/<node>[/<device>]")
        if levels[1] == "STATE" or levels[2] in _IGNORED:
            return
        if levels[2] not in _TYPES or len(levels) != (4 if levels[2].startswith("N") else 5) or not all(levels):
            raise DecodingError(f"{said.topic} is no topic of Sparkplug B: spBv1.0/<group>/<type>/<node>[/<device>]")
        kind, node = levels[2], f"{levels[1]}-{levels[3]}"
        equipment = f"{node}-{levels[4]}" if len(levels) == 5 else node
        path = "/".join(["DCMD" if len(levels) == 5 else "NCMD", *levels[3:]])
        said_of = {"equipment": equipment, "group": levels[1], "node": levels[3], "path": path}
        if kind.endswith("DEATH"):
            # the time in it is that of the connection: a last will is written when the node comes, not when it goes
            yield {**said_of, "kind": "state", "state": "offline", "birth": False, "time": None}
            return
        payload = parse(said.payload)
        metrics = payload.metrics
        if kind.endswith("BIRTH"):
            self._born(node, equipment, metrics)
        born = kind.endswith("BIRTH")
        yield {**said_of, "kind": "state", "state": "online", "birth": born, "time": payload.time}
        for metric in metrics:
            for record in self._record(node, equipment, metric, payload.time):
                yield record if isinstance(record, Fault) else {**said_of, **record}

    def _born(self, node: str, equipment: str, metrics: tuple[Metric, ...]) -> None:
        rows = [(node, each.alias, each.name, equipment, each.datatype, each.unit) for each in metrics if each.name]
        self._database.execute("BEGIN")
        self._database.execute("DELETE FROM metrics WHERE node = ? AND equipment = ?", (node, equipment))
        self._database.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def _record(self, node: str, equipment: str, metric: Metric, time: int | None) -> Iterator[Any]:
        name, datatype, unit = metric.name, metric.datatype, metric.unit
        query = f"equipment = ? AND {'name' if name else 'alias'} = ?"
        asked = (node, equipment, name or metric.alias)
        found = self._database.execute(
            f"SELECT name, datatype, unit FROM metrics WHERE node = ? AND {query}",  # noqa: S608  one of two constants
            asked,
        ).fetchone()
        if found:
            name, datatype, unit = name or found[0], datatype or found[1], unit or found[2]
        if not name:
            yield Fault(
                f"the alias {metric.alias} of {equipment} is not known, for its BIRTH was not seen; "
                "ask the node for a rebirth",
                {"equipment": equipment, "alias": metric.alias, "value": metric.value},
            )
            return
        if name.startswith(self._ignore) or metric.value is None:
            return
        value = signed(metric.value, datatype)
        number = value if isinstance(value, (int, float)) else None  # of a truth value, 1 or 0
        yield {
            "kind": "metric",
            "equipment": equipment,
            "name": name,
            "number": None if number is None else int(number) if isinstance(number, bool) else number,
            "text": value if isinstance(value, str) else None,
            "truth": value if isinstance(value, bool) else None,
            "datatype": datatype,
            "unit": unit or None,
            "time": metric.time or time,
        }


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> SparkplugDecoder:
    """From a definition's `format: sparkplug`."""
    return SparkplugDecoder(read(SparkplugOptions, options, where), state / "births.sqlite" if state else None)
