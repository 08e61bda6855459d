"""Answers of context sources that their registrations let be used again for a while: `cacheDuration` (5.2.34, 6.3.17).

Of each registration, in the memory of a worker, and forgotten once something is written to its source through this
worker. What is read for one client's credentials is not another's: the headers of the request are part of the key.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.federation.forwarding import Forwarded

Registered = tuple[str, str]
"""Tenant and registration."""

_OWN = frozenset({"Via", "User-Agent"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What came over the wire, and until when it may be used."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    until: float


class AnswerCache:
    """At most so many bytes of answers, the ones that were not used for longest going first."""

    def __init__(self, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._left = size
        self._clock = clock
        self._kept: OrderedDict[tuple[Registered, str, frozenset[tuple[str, str]]], Kept] = OrderedDict()

    def get(self, registered: Registered, request: Forwarded) -> Kept | None:
        """What was answered to this request, if it may still be used."""
        key = _key(registered, request)
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept

    def put(
        self,
        registered: Registered,
        request: Forwarded,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        seconds: float,
    ) -> None:
        """An answer that may be used for so long."""
        key = _key(registered, request)
        self._drop(key)
        self._kept[key] = Kept(status, headers, content, self._clock() + seconds)
        self._left -= len(content)
        while self._left < 0:
            self._drop(next(iter(self._kept)))

    def forget(self, registered: Registered) -> None:
        """Something was written to the source of a registration."""
        for key in [key for key in self._kept if key[0] == registered]:
            self._drop(key)

    def _drop(self, key: tuple[Registered, str, frozenset[tuple[str, str]]]) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._left += len(kept.content)


def _key(registered: Registered, request: Forwarded) -> tuple[Registered, str, frozenset[tuple[str, str]]]:
    return registered, request.url, frozenset([one for one in request.headers.items() if one[0] not in _OWN])
