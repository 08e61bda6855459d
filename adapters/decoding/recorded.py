"""Messages of MQTT for formats that need the topic: as they come, or as they were recorded in a file.

A recording has a JSON object in a line: `{"topic": "a/b", "payload": {…}}`, a payload that is a text as it was, any
other value as JSON; bytes that are no text stand as `"base64": "…"` instead.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from adapters.decoding.json import parse_json
from adapters.errors import DecodingError


@dataclass(frozen=True, slots=True)
class Message:
    """A topic's levels and the payload."""

    topic: str
    payload: bytes

    @property
    def levels(self) -> list[str]:
        """The topic's levels; the empty one before a first / is left out."""
        return self.topic.removeprefix("/").split("/")


def message(stream: BinaryIO, origin: Any) -> Message:
    """The message in a stream whose origin has the topic, else the recorded message. Raises DecodingError."""
    data = stream.read()
    topic = origin.get("topic")
    if topic:
        return Message(topic, data)
    recorded = parse_json(data)
    if not isinstance(recorded, dict) or not isinstance(recorded.get("topic"), str):
        raise DecodingError('a recorded message must be {"topic": "…", "payload": …}')
    if "base64" in recorded:
        try:
            return Message(recorded["topic"], base64.b64decode(str(recorded["base64"]), validate=True))
        except (binascii.Error, ValueError):
            raise DecodingError("base64 must be in the base64 alphabet") from None
    payload = recorded.get("payload")
    return Message(recorded["topic"], payload.encode() if isinstance(payload, str) else orjson.dumps(payload))
