"""Who asked for what, when, and what became of it: a line of JSON for each change of a command's state, never changed.

    {"time": "2026-11-23T17:02:00.25Z", "command": "5f0c…", "entity": "urn:ngsi-ld:Streetlight:chalons-CH-0412",
     "name": "setIlluminanceLevel", "value": 0.3, "by": "pcc", "requested": "2026-11-23T17:02:00Z", "state": "SENDING",
     "info": ""}

The file is opened for each line, so that whoever rotates logs may move it away.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson

from adapters.commands.states import Order
from adapters.definition import load
from adapters.errors import AdapterError
from adapters.mapping.times import to_text

FILE = "commands.ndjson"
"""In the state directory, beside the queue."""


class Audit:
    """The file of one adapter."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def add(self, orders: Sequence[Order]) -> None:
        """The states that these commands are in from now on; on return they are on disk."""
        if orders:
            await asyncio.to_thread(self._append, b"".join(_line(order) for order in orders))

    def _append(self, lines: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> Iterator[dict[str, Any]]:
        """The lines, older first. One that is none (a disk that was full) is passed over."""
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            for line in lines:
                try:
                    content = orjson.loads(line)
                except ValueError:
                    continue
                if isinstance(content, dict) and "command" in content:
                    yield content


def time_text(seconds: float) -> str:
    """Seconds since 1970 as an NGSI-LD time."""
    return to_text(datetime.fromtimestamp(seconds, UTC))


def main(file: Path, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """`beffroi adapter commands FILE list`: prints each command of an adapter with its states, in the order they were
    taken; 0, or 1 where the file is not right."""
    try:
        audit = Audit(load(Path(file)).state_directory / FILE)
    except AdapterError as error:
        err.write(f"{error}\n")
        return 1
    commands: dict[str, list[dict[str, Any]]] = {}
    for line in audit.read():
        commands.setdefault(line["command"], []).append(line)
    for lines in commands.values():
        last = lines[-1]
        value = orjson.dumps(last.get("value")).decode()
        by = f" by {last['by']}" if last.get("by") else ""
        out.write(f"{last['requested']}  {last['state']}  {last['entity']} {last['name']} = {value}{by}\n")
        states = ", ".join(f"{line['state']} {line['time']}" for line in lines)
        out.write(f"    {last['command']}: {states}\n")
        if last.get("info"):
            out.write(f"    {last['info'] if isinstance(last['info'], str) else orjson.dumps(last['info']).decode()}\n")
    err.write(f"{len(commands)} commands in {audit.path}\n")
    return 0


def _line(order: Order) -> bytes:
    content = {
        "time": time_text(order.state_at),
        "command": order.id,
        "entity": order.entity,
        "name": order.name,
        "value": order.value,
        "by": order.by,
        "requested": time_text(order.requested),
        "state": order.state,
        "info": order.info,
    }
    return orjson.dumps(content, default=repr, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
