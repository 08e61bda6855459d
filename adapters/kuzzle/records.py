"""Measures of the Kuzzle device manager into records, one a measure, from realtime notifications, from documents of the
collection `measures`, and from the answer to lastMeasures:

    {"device": "ElsysErs-A81758FFFE0301F1", "model": "ElsysErs", "reference": "A81758FFFE0301F1",
     "asset": "Room-Mairie1", "assetModel": "Room", "name": "temperature", "type": "temperature", "time": 1767780900000,
     "values": [{"name": "temperature", "value": 21.4}], "longitude": null, "latitude": null, "battery": null}

Answers to requests and notifications of other collections make no record; an answer that refuses is a Fault.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.options import read

_MICROSECONDS = 1e14
"""Times beyond this are microseconds since 1970: a comment in Kuzzle's types says so, its documents milliseconds."""


@dataclass(frozen=True, slots=True)
class KuzzleDecoder:
    """One message in each payload."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records, or faults in place of them. Raises DecodingError for what is not JSON."""
        message = parse_json(stream.read())
        for each in message if isinstance(message, list) else [message]:
            yield from _records(each)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> KuzzleDecoder:
    """From a definition's `format: kuzzle`."""
    return read(KuzzleDecoder, options, where)


def _records(message: Any) -> Iterator[Any]:
    if not isinstance(message, dict):
        yield Fault("a message must be an object", message)
        return
    error = message.get("error")
    if isinstance(error, dict) or message.get("type") == "TokenExpired":
        detail = error.get("message") if isinstance(error, dict) else message.get("message")
        yield Fault(f"Kuzzle refuses: {detail}", {name: message[name] for name in message if name != "jwt"})
        return
    result = message.get("result")
    if isinstance(result, dict) and isinstance(result.get("_source"), dict):
        if message.get("scope") != "out" and "measuredAt" in result["_source"]:
            yield _measure(result["_source"])
    elif isinstance(result, dict):
        for each in result.values():
            if isinstance(each, dict) and "measuredAt" in each:  # an answer to lastMeasures
                yield _measure(each)
    elif "measuredAt" in message:
        yield _measure(message)
    elif "room" not in message and "requestId" not in message and "status" not in message:
        yield Fault("a message must be a measure, a notification or an answer", message)


def _measure(measure: dict[str, Any]) -> Any:
    raw_origin, raw_asset, values = measure.get("origin"), measure.get("asset"), measure.get("values")
    origin = raw_origin if isinstance(raw_origin, dict) else {}
    asset = raw_asset if isinstance(raw_asset, dict) else {}
    device = origin.get("_id") or measure.get("originId")
    if not isinstance(device, str) or not isinstance(values, dict):
        return Fault("a measure must have an origin with an _id, and values", measure)
    time = measure["measuredAt"]
    if isinstance(time, (int, float)) and not isinstance(time, bool) and time > _MICROSECONDS:
        time = time / 1000
    position = values.get("position")
    place = position if isinstance(position, dict) else {}
    numbers = [
        {"name": name, "value": value}
        for name, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and name != "battery"
    ]
    return {
        "device": device,
        "model": origin.get("deviceModel"),
        "reference": origin.get("reference"),
        "asset": asset.get("_id"),
        "assetModel": asset.get("model"),
        "name": asset.get("measureName") or origin.get("measureName") or measure.get("name") or measure.get("type"),
        "type": measure.get("type"),
        "time": time,
        "values": numbers,
        "longitude": place.get("lon"),
        "latitude": place.get("lat"),
        "battery": values.get("battery"),
    }
