"""What was sent and what was notified, as pairs of an entity's id and the time of its newest observation.

A ledger is a file of lines such as `{"id": "urn:ngsi-ld:Streetlight:chalons-LP-00001", "observedAt":
"2026-11-23T17:02:00Z"}`, in the order of arrival, so that another process can hold one against another.
"""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import orjson

Pair = tuple[str, str]
"""An entity's id and a time; the time is empty for an entity as such, whatever its observations."""


class Ledger:
    """Pairs written to a file, and kept in memory together with their entities as such; `with` closes the file."""

    def __init__(self, path: Path) -> None:
        self.pairs: set[Pair] = set()
        self._file: BinaryIO = path.open("wb")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, entity_id: str, observed_at: str) -> None:
        """Notes a pair; it is in the file on return."""
        self.write_all([(entity_id, observed_at)])

    def write_all(self, pairs: list[Pair]) -> None:
        """Notes several pairs."""
        self.pairs.update(pairs)
        self.pairs.update((entity_id, "") for entity_id, _ in pairs)
        self._file.writelines(
            orjson.dumps({"id": entity_id, "observedAt": observed_at}) + b"\n" for entity_id, observed_at in pairs
        )
        self._file.flush()


def newest_observation(entity: dict[str, Any]) -> str:
    """The latest observedAt of an entity in normalized form; empty if it has none."""
    times = (
        instance.get("observedAt", "")
        for attribute in entity.values()
        for instance in (attribute if isinstance(attribute, list) else [attribute])
        if isinstance(instance, dict)
    )
    return max(times, key=lambda time: time[:-1], default="")
