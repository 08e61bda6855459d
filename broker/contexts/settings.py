"""What an operator may say about @contexts; the defaults suit a broker on the open internet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """Times are in seconds, sizes in bytes.

    `public_url` is how others reach this broker, for the URLs of the contexts that it hosts. `default` is the URL of
    the user @context for requests that name none (5.5.5). `preload` is a directory whose `index.json` maps URLs to
    files in it, `documents` maps URLs to documents already in memory: neither kind is ever fetched.
    """

    public_url: str = "http://localhost:1026"
    default: str | None = None
    preload: Path | None = None
    documents: Mapping[str, Any] = field(default_factory=dict)

    allowed_networks: tuple[str, ...] = ()
    """Networks that contexts may be fetched from although they are not of the open internet: `("10.0.0.0/8",)`."""

    timeout: float = 5.0
    """For everything that one @context needs, however many documents."""
    database_timeout: float = 2.0
    """For one answer of the database; a fetched document does without it."""
    max_bytes: int = 4_000_000
    max_redirects: int = 5
    max_depth: int = 8
    max_documents: int = 32
    max_objects: int = 100
    max_terms: int = 10_000

    heuristic_lifetime: float = 3600.0
    """How long a document is fresh whose server says nothing of it, not even when it was last changed."""
    longest_heuristic: float = 86_400.0
    shortest_lifetime: float = 5.0
    """A document is not asked for again earlier, whatever its server says: one use spans several requests."""
    retry_after: float = 10.0
    """How long a document that cannot be had, or not be had anew, is left alone."""
    recheck: float = 30.0
    """After this time a worker looks whether another one has deleted or reloaded a stored context."""

    max_cached: int = 1000
    """Fetched documents kept in the database; beyond it those unused the longest leave."""
    cache_retention: float = 30 * 86_400.0
    """How long an unused fetched document is kept in the database."""
    memory_bytes: int = 64_000_000
    """Of documents in the memory of a worker."""
    memory_terms: int = 300_000
    """Of compiled contexts in the memory of a worker, about 300 bytes each."""
