"""Measures of FIWARE IoT Agents, JSON and UltraLight 2.0, into records, one for each group of measures:

    {"device": "pump-3", "key": "4jggokgpepnvsb2uv4s40d59ov", "time": "2026-10-05T06:00:00Z",
     "protocol": "ul", "values": [{"name": "t", "value": 23}, {"name": "k", "value": "abc"}]}

and what devices answer to commands (`cmdexe`) into records with a `result`, `{"name": "ping", "value": "Ping ok"}`.
Numbers written as texts are numbers: UltraLight knows nothing else. `time` is null where the device told none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.decoding.recorded import message
from adapters.errors import DecodingError, MappingError
from adapters.mapping.expressions import as_number
from adapters.options import read

PROTOCOLS = ("json", "ul")
_TIMES = ("TimeInstant", "timestamp")
"""Members of a measure that are its time."""


@dataclass(frozen=True, slots=True)
class FiwareIotDecoder:
    """`keys`: the API keys of the devices that may speak; any where the list is empty. `names`: what the short names of
    measures mean."""

    keys: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records of a message to `/json/<key>/<device>/attrs[/<attribute>]` or `/ul/…`. Raises DecodingError."""
        said = message(stream, origin)
        levels = said.levels
        if len(levels) not in (4, 5) or levels[0] not in PROTOCOLS or levels[3] not in ("attrs", "cmdexe"):
            raise DecodingError(f"{said.topic} is not /json/<key>/<device>/attrs or /ul/<key>/<device>/attrs")
        protocol, key, device, kind, *attribute = levels
        if kind == "cmdexe":
            yield from self.results(said.payload, {"protocol": protocol, "key": key, "device": device})
            return
        about = {"protocol": protocol, "key": key, "device": device, "attribute": "".join(attribute)}
        yield from self.records(said.payload, about)

    def records(self, payload: bytes, about: Mapping[str, str]) -> Iterator[Any]:
        """The records of a payload."""
        key, device = about.get("key", ""), about.get("device", "")
        if not device:
            raise DecodingError("the device has no id")
        if self.keys and key not in self.keys:
            yield Fault(f"the API key of {device} is not one of those agreed on", {"device": device})
            return
        if about["protocol"] == "ul" and b"@" in payload.partition(b"|")[0]:
            yield from self.results(payload, about)
            return
        groups = _json(payload, about) if about["protocol"] == "json" else _ultralight(payload, about)
        for time, values in groups:
            found = [{"name": self.names.get(name, name), "value": _value(value)} for name, value in values.items()]
            yield {
                "device": device,
                "key": key,
                "protocol": about["protocol"],
                "time": time or about.get("time") or None,
                "values": found,
            }

    def results(self, payload: bytes, about: Mapping[str, str]) -> Iterator[Any]:
        """The records of what a device says of commands: `device@ping|Ping ok`, or `{"ping": "Ping ok"}`."""
        device = about["device"]
        if not device:
            raise DecodingError("the device has no id")
        if self.keys and about["key"] not in self.keys:
            yield Fault(f"the API key of {device} is not one of those agreed on", {"device": device})
            return
        if about["protocol"] == "json":
            content = parse_json(payload)
            if not isinstance(content, dict):
                raise DecodingError("a command's result must be an object of results by name")
            results = list(content.items())
        else:
            named, _, result = payload.decode("utf-8", "replace").strip().partition("|")
            name = named.partition("@")[2]
            if not name:
                raise DecodingError("a command's result must be device@command|result")
            results = [(name, result)]
        for name, value in results:
            told = {"device": device, "key": about["key"], "protocol": about["protocol"], "time": None}
            yield {**told, "result": {"name": name, "value": value}}


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> FiwareIotDecoder:
    """From a definition's `format: {kind: fiware_iot}`."""
    return read(FiwareIotDecoder, options, where)


Group = tuple[str | None, dict[str, Any]]
"""The time of a group of measures, if it was told, and the measures by name."""


def _json(payload: bytes, about: Mapping[str, str]) -> Iterator[Group]:
    attribute = about.get("attribute")
    try:
        content = parse_json(payload)
    except DecodingError:
        if not attribute:
            raise
        content = payload.decode("utf-8", "replace").strip()  # one attribute's value may be a bare text
    for each in content if isinstance(content, list) else [content]:
        if attribute:
            single = each if isinstance(each, dict) and "value" in each else {"value": each}
            yield single.get("timestamp"), {attribute: single["value"]}
        elif isinstance(each, dict):
            time = next((each[name] for name in _TIMES if isinstance(each.get(name), str)), None)
            yield time, {name: value for name, value in each.items() if name not in _TIMES}
        else:
            raise DecodingError("a measure must be an object of values by name")


def _ultralight(payload: bytes, about: Mapping[str, str]) -> Iterator[Group]:
    text = payload.decode("utf-8", "replace").strip()
    attribute = about.get("attribute")
    if attribute:
        yield None, {attribute: text}
        return
    for group in text.split("#"):
        parts = group.split("|")
        time = parts.pop(0) if len(parts) % 2 else None
        if not parts or not all(parts[::2]) or (time is not None and "T" not in time):
            raise DecodingError(f"{group[:80]!r} is not name|value|name|value, with a time before it or not")
        yield time, dict(zip(parts[::2], parts[1::2], strict=True))


def _value(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return as_number(value)
        except MappingError:
            return value
    return value
