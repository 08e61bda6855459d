"""What could not become, or stay, an entity is set aside in a file, one JSON object a line, with the reason why.

    {"time": "2026-11-23T17:02:00Z", "stage": "map", "reason": "entities.streetlight.voltage …", "record": {…}}

Stages: `decode` (record: the payload as text, or what a format read of it), `records` (the document that `records`
fails on), `map`, `validate` (the record), `broker` (the entity it refused), `history` (the late part of one).
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
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
    time: str = ""


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
            self.path.replace(self._before)
        with self.path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def files(self) -> list[Path]:
        """The files that there are, older letters first."""
        return [path for path in (self._before, self.path) if path.exists()]

    def read(self) -> Iterable[DeadLetter]:
        """The letters, older first. A line that is none (a disk that was full) is passed over."""
        for path in self.files():
            with path.open("rb") as lines:
                for line in lines:
                    try:
                        content = orjson.loads(line)
                        yield DeadLetter(content["stage"], content["reason"], content["record"], content["time"])
                    except (ValueError, KeyError, TypeError):
                        continue

    def replace(self, letters: Sequence[DeadLetter]) -> None:
        """These letters in place of all that there are."""
        draft = self.path.with_name(self.path.name + ".new")
        with draft.open("wb") as file:
            file.writelines(_line(letter.time, letter) for letter in letters)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
        self._before.unlink(missing_ok=True)

    @property
    def _before(self) -> Path:
        return self.path.with_name(self.path.name + ".1")


def _line(time: str, letter: DeadLetter) -> bytes:
    content = {"time": letter.time or time, "stage": letter.stage, "reason": letter.reason, "record": letter.record}
    return orjson.dumps(content, default=repr, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)
