"""Signal states of traffic lights into records, one a signal:

    {"intersection": "K440", "signal": "K3/1", "group": "K3", "state": "red", "fault": null,
     "time": "2026-01-06T14:48:15.288+01:00"}

and one for the intersection when it says how it is: `{"intersection": "12111", "signal": null, "fault": "off", …}`.

Two shapes are read: the MQTT messages of ILSA controllers (`<area>/ilsa/<intersection>/<circuit>/<signal>`), and SPaT
(SAE J2735, ETSI TS 103 301) as JSON, as the US DOT's ODE writes it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.decoding.recorded import message
from adapters.errors import DecodingError
from adapters.options import read

_LAMPS = {
    (True, False, False): "green",
    (False, True, False): "amber",
    (False, False, True): "red",
    (False, True, True): "redAmber",
    (False, False, False): "dark",
}
"""What lamps are on (green, amber, red), and what that says; others must never be on together: a fault."""

_EVENTS = {
    "DARK": "dark",
    "STOP_THEN_PROCEED": "flashingRed",
    "STOP_AND_REMAIN": "red",
    "PRE_MOVEMENT": "redAmber",
    "PERMISSIVE_MOVEMENT_ALLOWED": "green",
    "PROTECTED_MOVEMENT_ALLOWED": "green",
    "PERMISSIVE_CLEARANCE": "amber",
    "PROTECTED_CLEARANCE": "amber",
    "CAUTION_CONFLICTING_TRAFFIC": "flashingAmber",
}
"""MovementPhaseState; UNAVAILABLE says nothing."""

_FAULTS = ("off", "failureMode", "failureFlash", "noValidSPATisAvailableAtThisTime", "manualControlIsEnabled")
"""Bits of IntersectionStatusObject that mean that the lights do not do what they should, the worst first."""

_ZONES = {"CET": "+01:00", "CEST": "+02:00", "UTC": "+00:00"}
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+)Z?([A-Z]{3,4})")
"""2026-01-06T14:48:15.288ZCET: a local time, a Z that means nothing, and the zone."""


@dataclass(frozen=True, slots=True)
class TrafficLightsDecoder:
    """One message in each payload."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records, or faults in place of them. Raises DecodingError."""
        said = message(stream, origin)
        content = parse_json(said.payload)
        if not isinstance(content, dict):
            raise DecodingError("a message must be an object")
        if "payload" in content and "metadata" in content:
            yield from _spat(content)
        elif "values" in content:
            yield _signal(content, said.levels)
        elif "modules" not in content:  # which would be a configuration: positions, and no state
            yield Fault("a message must be a signal's state (values) or a SPaT (payload, metadata)", content)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> TrafficLightsDecoder:
    """From a definition's `format: traffic_lights`."""
    return read(TrafficLightsDecoder, options, where)


def _signal(content: dict[str, Any], levels: list[str]) -> Any:
    if "ilsa" not in levels or len(levels) < levels.index("ilsa") + 3:
        return Fault("the topic must be <area>/ilsa/<intersection>/<circuit>/<signal>", content)
    identifier, group, values = content.get("id"), content.get("signalGroup"), content["values"]
    if not isinstance(identifier, str) or not identifier:
        return Fault("a signal's state must have the signal's id", content)
    if not isinstance(values, list) or not all(isinstance(each, bool) for each in values):
        return Fault("values must be a list of truth values: green, amber, red", content)
    return {
        "intersection": levels[levels.index("ilsa") + 1],
        "signal": identifier,
        "group": group.get("id") if isinstance(group, dict) else None,
        "state": _LAMPS.get(tuple(values), "fault"),
        "fault": None,
        "time": _time(content.get("timestamp")),
    }


def _spat(content: dict[str, Any]) -> Iterator[Any]:
    received = _member(content, "metadata", "odeReceivedAt")
    intersections = _member(content, "payload", "data", "intersectionStateList", "intersectionStatelist")
    if not isinstance(intersections, list):
        yield Fault("a SPaT must have an intersectionStateList", content)
        return
    for each in intersections:
        identifier = _member(each, "id", "id")
        if isinstance(identifier, bool) or not isinstance(identifier, (int, str)):
            yield Fault("an intersection must have an id", each)
            continue
        about = {"intersection": str(identifier), "time": received}
        status = _member(each, "status")
        if isinstance(status, dict):
            fault = next((name for name in _FAULTS if status.get(name) is True), "ok")
            yield {**about, "signal": None, "group": None, "state": None, "fault": fault}
        movements = _member(each, "states", "movementList")
        for movement in movements if isinstance(movements, list) else ():
            group = _member(movement, "signalGroup")
            events = _member(movement, "state_time_speed", "movementEventList")
            first = events[0] if isinstance(events, list) and events else None
            now = str(_member(first, "eventState"))
            if group is not None and now in _EVENTS:
                yield {**about, "signal": str(group), "group": str(group), "state": _EVENTS[now], "fault": None}


def _member(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _time(text: Any) -> Any:
    match = _LOCAL.fullmatch(text) if isinstance(text, str) else None
    return match.group(1) + _ZONES.get(match.group(2), "?") if match else text
