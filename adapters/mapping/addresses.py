"""What vendors call the entities that their records make: by it, a command finds its way back."""

from typing import Any

MOST = 200_000
"""Entities whose address is held in memory, to tell whether a record says anything new of it."""


class Addresses:
    """Addresses (JSON) by the ids of entities; `take` gives what is new."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        self._changed: dict[str, Any] = {}

    def note(self, entity: str, address: Any) -> None:
        """A record tells it."""
        if address is None or self._known.get(entity) == address:
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[entity] = self._changed[entity] = address

    def take(self) -> dict[str, Any]:
        """What was not known the last time."""
        if not self._changed:
            return self._changed
        changed, self._changed = self._changed, {}
        return changed
