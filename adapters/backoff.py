"""Waiting longer after each failure, and never at the same moment as everybody else."""

import random


class Backoff:
    """Exponential back-off with full jitter: each wait is a random time up to `first`, 2*first, 4*first … `most`."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._ceiling = first

    def next(self) -> float:
        """Seconds to wait before the next try; at least a tenth of the ceiling, so that a loop never spins."""
        ceiling = min(self._ceiling, self._most)
        self._ceiling = min(self._ceiling * 2, self._most)
        return random.uniform(ceiling / 10, ceiling)  # noqa: S311  spreading load, not a secret

    def reset(self) -> None:
        """After a success the next failure waits little again."""
        self._ceiling = self._first
