"""How much of a page came from each source the last time it was asked for: so much is asked of each the next time.

The first entities in the order of ids may all be one source's. To ask every source for the whole page costs each of
them the page; to ask for a part costs another request where the part was too small. What was true a moment ago is the
best guess, and a wrong one costs time and nothing else.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

_MOST = 1000
_LEAST = 4


class Paged(Protocol):
    """What is read page by page: how much is asked for first, and how far it was read."""

    first_size: int | None

    @property
    def position(self) -> int:
        """How many have been taken."""
        ...


class Shares:
    """What the pages that a worker has answered were made of."""

    def __init__(self) -> None:
        self._taken: OrderedDict[Hashable, tuple[int, ...]] = OrderedDict()

    @contextmanager
    def of(self, page: Hashable, streams: Sequence[Paged], size: int) -> Iterator[None]:
        """While a page of `size` is read: each stream is asked for what is expected of it, and what it had is noted."""
        for stream, expected in zip(streams, self._expected(page, len(streams), size), strict=True):
            stream.first_size = expected
        before = [stream.position for stream in streams]
        yield
        self._taken[page] = tuple([stream.position - was for stream, was in zip(streams, before, strict=True)])
        if len(self._taken) > _MOST:
            self._taken.popitem(last=False)

    def _expected(self, page: Hashable, sources: int, size: int) -> list[int]:
        taken = self._taken.get(page)
        if taken is None or len(taken) != sources:
            return [size] * sources
        self._taken.move_to_end(page)
        # One more than was taken tells that what follows is another's; some more leave room for change.
        return [min(size, count + _LEAST + count // 8) for count in taken]
