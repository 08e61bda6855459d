"""The kinds of sources by name; a profile can bring its own."""

from pathlib import Path

from adapters.decoding import Decoder, profile_part
from adapters.definition import Definition
from adapters.sources import Source, SourceFactory
from adapters.sources.file import FileSource
from adapters.sources.folder import FolderSource
from adapters.sources.http_poll import HttpPollSource
from adapters.sources.mqtt import MqttSource
from adapters.sources.sse import SseSource
from adapters.sources.webhook import WebhookSource
from adapters.sources.websocket import WebSocketSource

SOURCES: dict[str, SourceFactory] = {
    "http_poll": HttpPollSource.open,
    "webhook": WebhookSource.open,
    "mqtt": MqttSource.open,
    "websocket": WebSocketSource.open,
    "sse": SseSource.open,
    "folder": FolderSource.open,
    "file": FileSource.open,
}


def open_source(definition: Definition, decoder: Decoder, state: Path) -> Source:
    """The source of a definition: one of SOURCES, or a profile's own (adapters/<kind>/source.py)."""
    kind, where = definition.source["kind"], f"{definition.file}: source"
    options = {name: value for name, value in definition.source.items() if name != "kind"}
    factory = SOURCES.get(kind) or profile_part(kind, "source", "open_source", f"{where}.kind", list(SOURCES))
    source: Source = factory(options, where, decoder, state)
    return source
