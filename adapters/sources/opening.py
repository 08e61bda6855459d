"""The kinds of sources by name; a profile can bring its own."""

import importlib
from pathlib import Path

from adapters.decoding import Decoder, profile_part
from adapters.definition import Definition
from adapters.sources import Source, SourceFactory

SOURCES = {
    "http_poll": ("adapters.sources.http_poll", "HttpPollSource"),
    "webhook": ("adapters.sources.webhook", "WebhookSource"),
    "mqtt": ("adapters.sources.mqtt", "MqttSource"),
    "websocket": ("adapters.sources.websocket", "WebSocketSource"),
    "sse": ("adapters.sources.sse", "SseSource"),
    "folder": ("adapters.sources.folder", "FolderSource"),
    "sftp": ("adapters.sources.sftp", "SftpSource"),
    "file": ("adapters.sources.file", "FileSource"),
}
"""The module and class of each kind; only that of the kind at hand is imported, which a start is quicker by."""


def _factory(kind: str) -> SourceFactory | None:
    if kind not in SOURCES:
        return None
    module, name = SOURCES[kind]
    factory: SourceFactory = getattr(importlib.import_module(module), name).open
    return factory


def open_source(definition: Definition, decoder: Decoder, state: Path) -> Source:
    """The source of a definition: one of SOURCES, or a profile's own (adapters/<kind>/source.py)."""
    kind, where = definition.source["kind"], f"{definition.file}: source"
    options = {name: value for name, value in definition.source.items() if name != "kind"}
    factory = _factory(kind) or profile_part(kind, "source", "open_source", f"{where}.kind", list(SOURCES))
    source: Source = factory(options, where, decoder, state)
    return source
