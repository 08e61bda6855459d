"""The way of a command to the vendor: what is sent, what comes back at once, and what can be said when nothing does."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from adapters.decoding import profile_part
from adapters.errors import DefinitionError

KINDS = {
    "http": ("adapters.commands.http", "HttpDownlink"),
    "mqtt": ("adapters.commands.mqtt", "MqttDownlink"),
}
"""The module and class of each kind; only that of the kind at hand is imported."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent for a command: over HTTP to `url`, or over MQTT to `topic`. `expires`: when the command is too old,
    in seconds since 1970."""

    body: bytes
    content_type: str
    url: str = ""
    method: str = "POST"
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    topic: str = ""
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the vendor said at once: a status (of HTTP; 200 where there is none) and a body (JSON, or a text)."""

    status: int
    body: Any = None


class NotSent(Exception):
    """The request certainly did not reach the vendor, or was turned away: it may be sent again."""


class Unsure(Exception):
    """The request may have reached the vendor, and its answer was lost."""


class Downlink(Protocol):
    """A way to the vendor. `run` holds what it needs (a connection) until it is cancelled."""

    async def run(self) -> None:
        """Keeps the connection, if there is one, and makes it again when it breaks."""
        ...

    async def ready(self) -> None:
        """Returns when something can be sent; NotSent with the reason where it cannot."""
        ...

    async def send(self, request: Request) -> Answer:
        """Sends. Raises NotSent or Unsure."""
        ...


def open_downlink(options: Mapping[str, Any], where: str, state: Path) -> Downlink:
    """From a definition's `commands.send`: one of KINDS, or a profile's own (`open_downlink` in its downlink.py)."""
    kind = options.get("kind")
    if not isinstance(kind, str):
        raise DefinitionError(
            f"{where}.kind", f"is missing; it is one of {', '.join(KINDS)}, or a profile with its own"
        )
    rest = {name: value for name, value in options.items() if name != "kind"}
    if kind in KINDS:
        module, name = KINDS[kind]
        opened: Downlink = getattr(importlib.import_module(module), name).open(rest, where, state)
        return opened
    own: Downlink = profile_part(kind, "downlink", "open_downlink", f"{where}.kind", list(KINDS))(rest, where, state)
    return own
