"""States that a BACnet gateway publishes (`homeassistant/<component>/<gateway>/<type>_<instance>/state`, with the
Present_Value alone) into records:

    {"gateway": "mairie", "object": "2_202", "kind": "analog-value", "instance": 202, "number": 21.5, "text": null}

and what it says of writes (`bacnetwrite_status/<gateway>/<device>/<type>_<instance>/<property>`) into:

    {"gateway": "mairie", "object": "2_202", "written": {"status": "success", "detail": "…"}}
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.decoding.recorded import Message, message
from adapters.errors import DecodingError, MappingError
from adapters.mapping.expressions import as_number
from adapters.options import read

KINDS = {
    0: "analog-input",
    1: "analog-output",
    2: "analog-value",
    3: "binary-input",
    4: "binary-output",
    5: "binary-value",
    13: "multi-state-input",
    14: "multi-state-output",
    19: "multi-state-value",
}
"""BACnet object types by number (ASHRAE 135, BACnetObjectType)."""

_BINARY = frozenset({3, 4, 5})
_ACTIVE = {"active": 1, "inactive": 0, "on": 1, "off": 0, "true": 1, "false": 0}
_WRITTEN = re.compile(r"bacnetwrite_status/([^/]+)/[^/]+/(\d+_\d+)/\d+")
_TOPIC = re.compile(r"[^/]+/[^/]+/([^/]+)/(\d+)_(\d+)/state")


@dataclass(frozen=True, slots=True)
class BacnetDecoder:
    """One state in each payload."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The record, or the fault in place of it. Raises DecodingError for a recorded message that is none."""
        said = message(stream, origin)
        text = said.payload.decode("utf-8", "replace").strip()
        written = _WRITTEN.fullmatch(said.topic)
        if written is not None:
            yield _written(written.group(1), written.group(2), said)
            return
        match = _TOPIC.fullmatch(said.topic)
        if match is None:
            yield Fault(
                "the topic must be <prefix>/<component>/<gateway>/<type>_<instance>/state", _shown(said.topic, text)
            )
            return
        gateway, kind, instance = match.group(1), int(match.group(2)), int(match.group(3))
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = text
        number = _number(value, kind)
        if number is None and not (isinstance(value, str) and value):
            yield Fault("a state must be a number, a truth value or a text", _shown(said.topic, text))
            return
        yield {
            "gateway": gateway,
            "object": f"{kind}_{instance}",
            "kind": KINDS.get(kind, f"type {kind}"),
            "instance": instance,
            "number": number,
            "text": value if number is None else None,
        }


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> BacnetDecoder:
    """From a definition's `format: bacnet_mqtt`."""
    return read(BacnetDecoder, options, where)


def _written(gateway: str, name: str, said: Message) -> Any:
    try:
        content = parse_json(said.payload)
    except DecodingError as error:
        return Fault(str(error), _shown(said.topic, said.payload.decode("utf-8", "replace")))
    if not isinstance(content, dict) or not isinstance(content.get("status"), str):
        return Fault("what a write came to must have a status", content)
    return {"gateway": gateway, "object": name, "written": content}


def _number(value: Any, kind: int) -> float | None:
    if isinstance(value, bool):
        return int(value)
    if kind in _BINARY and isinstance(value, str) and value.lower() in _ACTIVE:
        return _ACTIVE[value.lower()]
    try:
        return as_number(value)
    except MappingError:
        return None


def _shown(topic: str, text: str) -> dict[str, str]:
    return {"topic": topic, "payload": text}
