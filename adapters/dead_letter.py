"""What could not become, or stay, an entity is set aside in a file, one JSON object a line, with the reason why.

    {"time": "2026-11-23T17:02:00Z", "stage": "map", "reason": "entities.streetlight.voltage …", "record": {…}}

Stages: `decode` (record: the payload as text), `map`, `validate` (the record), `broker` (the entity it refused).
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from adapters.mapping.times import to_text


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One thing set aside."""

    stage: str
    reason: str
    record: Any


class DeadLetters:
    """The file. At `limit` bytes it becomes `<name>.1`, in place of the one before, and a new one begins."""

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self._limit = limit

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """Appends; on return they are on disk."""
        if letters:
            await asyncio.to_thread(self._append, letters)

    def _append(self, letters: Sequence[DeadLetter]) -> None:
        time = to_text(datetime.now(UTC).replace(microsecond=0))
        lines = b"".join(_line(time, letter) for letter in letters)
        if self.path.exists() and self.path.stat().st_size + len(lines) > self._limit:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        with self.path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())


def _line(time: str, letter: DeadLetter) -> bytes:
    content = {"time": time, "stage": letter.stage, "reason": letter.reason, "record": letter.record}
    return orjson.dumps(content, default=repr, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
