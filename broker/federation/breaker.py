"""Circuit breakers: a source that did not answer is left alone for a while, so that it costs nobody any time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

Registered = tuple[str, str]


@dataclass(slots=True)
class _State:
    failures: int = 0
    until: float = 0.0


class Breakers:
    """One circuit breaker for each registration, by tenant and id; `clock` gives monotonic seconds."""

    def __init__(self, failures: int, cooldown: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._cooldown = cooldown
        self._clock = clock
        self._states: dict[Registered, _State] = {}

    def open(self, registration: Registered, trial: float) -> bool:
        """Whether it is to be left alone now.

        The first request after the cooldown goes through, and keeps others off for the `trial` seconds it may take.
        """
        state = self._states.get(registration)
        if state is None or not state.until:
            return False
        now = self._clock()
        if now < state.until:
            return True
        state.until = now + trial
        return False

    def answered(self, registration: Registered) -> None:
        """It has answered, whatever it said."""
        self._states.pop(registration, None)

    def failed(self, registration: Registered, cooldown: float | None) -> None:
        """It has not answered; with a `cooldown` of its own one failure is enough (5.2.34)."""
        state = self._states.setdefault(registration, _State())
        state.failures += 1
        if cooldown is not None or state.failures >= self._failures:
            state.until = self._clock() + (self._cooldown if cooldown is None else cooldown)
