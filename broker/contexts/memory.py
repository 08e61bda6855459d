"""What a worker keeps at hand, bounded by weight."""

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(Generic[K, V]):
    """A dictionary whose entries leave in the order they were put, once all weigh more than `limit`.

    What is in use is put again when it is renewed, so what leaves first is what nobody asked for in a while.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[K, V] = {}
        self._weights: dict[K, int] = {}
        self._total = 0
        self.get = self._entries.get
        self.items = self._entries.items

    def put(self, key: K, value: V, weight: int) -> None:
        """Keep `value`; what weighs more than the limit alone is still kept until the next one."""
        self.drop(key)
        while self._entries and self._total + weight > self._limit:
            self.drop(next(iter(self._entries)))
        self._entries[key] = value
        self._weights[key] = weight
        self._total += weight

    def drop(self, key: K) -> None:
        """Forget it, if it is there."""
        if key in self._entries:
            del self._entries[key]
            self._total -= self._weights.pop(key)
