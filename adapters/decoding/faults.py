"""A record that its format's own reading finds wrong."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """Yielded by a decoder in the record's place, so that the others go on; it goes to the dead letters."""

    reason: str
    record: Any
