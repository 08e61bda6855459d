"""ChirpStack v4 integration events (JSON) into records.

To the event as it came are added `event` (from the topic or the query parameter; in a recording, which has neither,
from its members), `rssi` of the gateway that heard it best, and of a status event `battery`: the charge from 0 to 1, or
-1 where the device cannot tell. Protobuf leaves fields at their default value out of its JSON, so that a battery level
that is absent is 0, unless the event says why there is none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.options import read, shown

_TELLING = (
    ("integration", ("integrationName",)),
    ("up", ("rxInfo", "data", "object", "fPort", "fCnt")),
    ("status", ("margin", "batteryLevel", "externalPowerSource", "batteryLevelUnavailable")),
    ("log", ("level", "code")),
    ("location", ("location",)),
    ("txack", ("gatewayId",)),
    ("ack", ("queueItemId",)),
    ("join", ("devAddr",)),
)
"""The members that tell an event's kind, first match first (a txack has a queueItemId too, an up a devAddr)."""

EVENTS = frozenset(kind for kind, _ in _TELLING)


@dataclass(frozen=True, slots=True)
class ChirpStackDecoder:
    """One event in each payload."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The record, or the fault in place of it. Raises DecodingError for what is not JSON."""
        yield record(parse_json(stream.read()), origin)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> ChirpStackDecoder:
    """From a definition's `format: chirpstack`."""
    return read(ChirpStackDecoder, options, where)


def record(event: Any, origin: Origin) -> Any:
    """The event with what it means; a Fault where it is none."""
    device = event.get("deviceInfo") if isinstance(event, dict) else None
    if not isinstance(device, dict) or not isinstance(device.get("devEui"), str) or not device["devEui"]:
        return Fault("an event must have a deviceInfo with a devEui", event)
    named = origin.get("device")
    if named and named.lower() != device["devEui"].lower():
        return Fault(f"the topic is of the device {named}, the event of {device['devEui']}", event)
    kind = origin.get("event") or _kind(event)
    if kind not in EVENTS:
        return Fault(f"{shown(kind)} is not an event of ChirpStack; there are {', '.join(sorted(EVENTS))}", event)
    device["devEui"] = device["devEui"].lower()
    event["event"] = kind
    if kind == "up":
        event["rssi"] = _best_rssi(event.get("rxInfo"))
    elif kind == "status":
        event["battery"] = _battery(event)
    return event


def _kind(event: Mapping[str, Any]) -> str | None:
    return next((kind for kind, members in _TELLING if any(member in event for member in members)), None)


def _best_rssi(gateways: Any) -> float | None:
    if not isinstance(gateways, list):
        return None
    heard = [each["rssi"] for each in gateways if isinstance(each, dict) and "rssi" in each]
    return max((rssi for rssi in heard if isinstance(rssi, (int, float))), default=None)


def _battery(event: Mapping[str, Any]) -> Any:
    if event.get("externalPowerSource"):
        return None
    if event.get("batteryLevelUnavailable"):
        return -1
    level = event.get("batteryLevel", 0)
    return round(level / 100, 6) if isinstance(level, (int, float)) else level
