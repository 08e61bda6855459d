"""The Things Stack v3 messages (JSON) into records.

To the message as it came are added `event` (up, join, location), `eui` in small letters, `application` as the topic
has it (with its tenant), `time`, `rssi` of the gateway that heard it best; of a downlink's message `downlink` (queued,
sent, ack, nack, failed) and its `correlations`; and of an uplink its numbers as `values`:
`[{"name": "soil.moisture", "value": 21.5}]`, from the normalized payload where there is one, else from the decoded one,
else from the frame by Cayenne LPP if that is set.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin, cayenne
from adapters.decoding.json import parse_json
from adapters.errors import DecodingError
from adapters.options import read

_EVENTS = {"uplink_message": "up", "join_accept": "join", "location_solved": "location"}
"""The member that says what a message is, and what we call it."""

_OTHERS = frozenset(
    {"downlink_ack", "downlink_nack", "downlink_sent", "downlink_queued", "downlink_failed", "service_data"}
    | {"downlink_queue_invalidated", "uplink_normalized"}
)
"""Messages that are of the network and not of the territory; they make no entity."""


@dataclass(frozen=True, slots=True)
class ThingsStackDecoder:
    """One message in each payload. `cayenne_lpp`: frames without a decoded payload are read as Cayenne LPP."""

    cayenne_lpp: bool = False

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The record, or the fault in place of it. Raises DecodingError for what is not JSON."""
        yield self._record(parse_json(stream.read()), origin.get("application"))

    def _record(self, message: Any, application: str | None) -> Any:
        identifiers = message.get("end_device_ids") if isinstance(message, dict) else None
        if not isinstance(identifiers, dict) or not isinstance(identifiers.get("device_id"), str):
            return Fault("a message must have end_device_ids with a device_id", message)
        kind = next((name for name in (*_EVENTS, *_OTHERS) if name in message), None)
        if kind is None:
            return Fault(f"a message must have one of {', '.join(_EVENTS)}", message)
        content = message[kind]
        if not isinstance(content, dict):
            return Fault(f"{kind} must be an object", message)
        eui = identifiers.get("dev_eui")
        message["event"] = _EVENTS.get(kind, "other")
        message["application"] = application or _application(identifiers)
        if kind.startswith("downlink_"):
            message["downlink"] = kind.removeprefix("downlink_")
            message["correlations"] = _correlations(content) + _correlations(content.get("downlink"))
        message["eui"] = eui.lower() if isinstance(eui, str) and eui else identifiers["device_id"]
        message["time"] = content.get("received_at") or message.get("received_at")
        if kind == "uplink_message":
            message["rssi"] = _best_rssi(content.get("rx_metadata"))
            try:
                message["values"] = self._values(content)
            except DecodingError as error:
                return Fault(str(error), message)
        return message

    def _values(self, uplink: dict[str, Any]) -> list[dict[str, Any]]:
        normalized = uplink.get("normalized_payload")
        if isinstance(normalized, dict):
            normalized = [normalized]
        if isinstance(normalized, list) and normalized:
            return [value for each in normalized for value in _numbers(each)]
        if uplink.get("decoded_payload"):
            return list(_numbers(uplink["decoded_payload"]))
        if self.cayenne_lpp and isinstance(uplink.get("frm_payload"), str):
            return list(_numbers(cayenne.decode(uplink["frm_payload"])))
        return []


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> ThingsStackDecoder:
    """From a definition's `format: things_stack`."""
    return read(ThingsStackDecoder, options, where)


def _application(identifiers: Mapping[str, Any]) -> Any:
    named = identifiers.get("application_ids")
    return named.get("application_id") if isinstance(named, dict) else None


def _correlations(downlink: Any) -> list[Any]:
    """What a downlink was given by whoever asked for it, to be known again by."""
    found = downlink.get("correlation_ids") if isinstance(downlink, dict) else None
    return found if isinstance(found, list) else []


def _numbers(value: Any, path: str = "") -> Iterator[dict[str, Any]]:
    """The numbers in an object, however deep, by their path."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _numbers(member, f"{path}.{name}" if path else str(name))
    elif path and isinstance(value, (int, float)) and not isinstance(value, bool):
        yield {"name": path, "value": value}


def _best_rssi(gateways: Any) -> float | None:
    if not isinstance(gateways, list):
        return None
    heard = [each.get("rssi") for each in gateways if isinstance(each, dict)]
    return max((rssi for rssi in heard if isinstance(rssi, (int, float))), default=None)
