"""What was sent and what was notified, as pairs of an entity's id and a mark that tells one of its states from another.

The mark is the time of the newest observation. A vendor that says no time (Haystack's points, a Wi-Fi controller's
list) cannot know it: there it is a value that changes with each state (`marks`).

A ledger is a file of lines such as `{"id": "urn:ngsi-ld:Streetlight:chalons-LP-00001", "mark":
"2026-11-23T17:02:00Z"}`, in the order of arrival, so that another process can hold one against another.
"""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

COMMAND = "setIlluminanceLevel"
COMMAND_STATUS = f"{COMMAND}_status"
"""The command that the command post gives, and the attribute that says what became of it."""

Pair = tuple[str, str]
"""An entity's id and a mark; the mark is empty for an entity as such, whatever its state."""


_LARGEST = 64 * 1024 * 1024
"""Bytes of a ledger's file; the one before it is kept as `….1`."""


class Ledger:
    """Pairs written to a file; `with` closes it. With `remember` they are kept in memory too, in `pairs`, together with
    their entities as such: a demonstration that runs for days does without, and keeps what was written last."""

    def __init__(self, path: Path, *, remember: bool) -> None:
        self.pairs: set[Pair] = set()
        self._remember = remember
        self._path = path
        self._file: BinaryIO = path.open("wb")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write_all(self, pairs: Iterable[Pair]) -> None:
        """Notes pairs; they are in the file on return."""
        lines = []
        for entity_id, mark in pairs:
            lines.append(orjson.dumps({"id": entity_id, "mark": mark}) + b"\n")
            if self._remember:
                self.pairs.add((entity_id, mark))
                self.pairs.add((entity_id, ""))
        if self._file.tell() > _LARGEST:
            self._file.close()
            self._path.replace(f"{self._path}.1")
            self._file = self._path.open("wb")
        self._file.writelines(lines)
        self._file.flush()


class Page:
    """What one party sent: `pairs`, and of each entity the `last` mark; all of it goes into the ledger as well."""

    def __init__(self, ledger: Ledger, *, remember: bool) -> None:
        self.pairs: set[Pair] = set()
        self.last: dict[str, str] = {}
        self._ledger = ledger
        self._remember = remember

    def write(self, entity_id: str, mark: str) -> None:
        """Notes a pair; it is in the file on return."""
        self.write_all([(entity_id, mark)])

    def write_all(self, pairs: list[Pair]) -> None:
        """Notes several pairs, in their order."""
        if self._remember:
            self.pairs.update(pairs)
            self.last.update(pairs)
        self._ledger.write_all(pairs)


_OF_COMMANDS = frozenset({COMMAND, COMMAND_STATUS, f"{COMMAND}_info"})
"""What is not of the equipment's state, but of what was asked of it."""

_COUNTED_UP = ("numValue", "sdmWifiNetwork:dateLastValueReported")
"""What tells an entity's states apart where its vendor says no time."""


def marks(entity: dict[str, Any]) -> list[str]:
    """The marks of an entity's state, in normalized form: the latest observedAt, empty if it has none, then values."""
    return [_newest_observation(entity)] + [
        mark(entity[name]["value"]) for name in _COUNTED_UP if isinstance(entity.get(name), dict)
    ]


def mark(value: Any) -> str:
    """The mark of a number or a time."""
    if isinstance(value, dict):
        return str(value.get("@value", ""))
    return repr(float(value)) if isinstance(value, (int, float)) else str(value)


def _newest_observation(entity: dict[str, Any]) -> str:
    times = (
        instance.get("observedAt", "")
        for name, attribute in entity.items()
        if name not in _OF_COMMANDS
        for instance in (attribute if isinstance(attribute, list) else [attribute])
        if isinstance(instance, dict)
    )
    return max(times, key=lambda time: time[:-1], default="")
