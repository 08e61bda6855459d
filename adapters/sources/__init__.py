"""Where records come from. Every kind has the same face: batches, each acknowledged once its data is safe on disk."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from adapters.decoding import Decoder


@dataclass(frozen=True, slots=True)
class Rejected:
    """A payload that could not be decoded: it goes to the dead letters as it came."""

    reason: str
    payload: bytes


async def nothing_to_acknowledge() -> None:
    """For sources whose vendor expects no acknowledgement."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded documents of a source, in their order, and what to do once they are safe on disk."""

    documents: list[Any]
    acknowledge: Callable[[], Awaitable[None]] = nothing_to_acknowledge
    rejected: list[Rejected] = field(default_factory=list)


class Source(Protocol):
    """A source of batches. It deals by itself with a vendor that is away: logs it, waits, tries again."""

    def batches(self) -> AsyncIterator[Batch]:
        """The batches, until the source ends (a file) or is closed. The next one is asked for when the last is safe."""
        ...

    async def close(self) -> None:
        """Stop listening; what was not acknowledged will come again or was refused to the vendor."""
        ...


SourceFactory = Callable[[Mapping[str, Any], str, Decoder, Path], Source]
"""Options, the place they stand (for errors), the decoder, the adapter's state directory."""
