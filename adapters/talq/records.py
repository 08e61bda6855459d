"""TALQ messages into records: one shape for announcements, updates and log reports, one record for each lamp.

    {"id": "LP-0001", "address": "0f8b…", "name": "LP-0001", "class": "LampController", "role": "lamp",
     "label": "Rue de la Marne 12", "asset": "LP-0001", "time": "2026-03-02T18:04:05Z",
     "location": {"value": {"latitude": 48.9566, "longitude": 4.3631}, "timestamp": "2026-03-02T18:04:05Z"},
     "LampMonitorFunction": {"activePower": {"value": 42.6, "timestamp": "2026-03-02T18:04:05Z"}},
     "fault": {"value": false, "timestamp": "2026-03-02T18:04:05Z"}}

Functions stand by their type. `role` is `lamp`, `cabinet` or `other`; `time` is the latest in the message, null where
it has none; `label` and `asset` are the device's displayName and assetId, which later messages do not repeat, or its
name. `fault` is there when the message speaks of a fault of the lamp, or announces it: whether any of its faults is on.
A device with several lamps makes a record of each, the second one's id ending in -2. Of a lamp, `actuator` is the id
of the function that takes its commands; `request` and `reference` name the command that a message follows from: the
talqRequestId that the CMS gave it, and its cmsRefId. `gateway` is the clientAddress of who sent the message.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.errors import DecodingError, DefinitionError
from adapters.mapping.times import canonical_or_empty
from adapters.options import read, shown
from adapters.talq.devices import Device, Devices

LAMP_FUNCTIONS = frozenset({"LampActuatorFunction", "LampMonitorFunction"})
CABINET_FUNCTIONS = frozenset({"ElectricalMeterFunction", "CabinetMonitorFunction", "SegmentMonitorFunction"})

FAULTS = frozenset(
    {
        "lampFailure",
        "dimmingFailure",
        "cyclingFailure",
        "relayFailure",
        "controlGearCommFailure",
        "controlGearComFailure",  # so spelt among the events of LampActuatorFunction
    }
)
"""The event attributes that mean that the lamp does not do what it is told."""


@dataclass(frozen=True, slots=True)
class TalqOptions:
    """`identifier`: what names a light in its entity's id, `name` (the pole's number in most installations; it
    outlives a change of supervisor) or `address` (the vendor's UUID)."""

    identifier: str = "name"


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> "TalqDecoder":
    """From a definition's `format: {kind: talq}`."""
    chosen = read(TalqOptions, options, where)
    if chosen.identifier not in ("name", "address"):
        raise DefinitionError(f"{where}.identifier", f"must be name or address, not {shown(chosen.identifier)}")
    return TalqDecoder(Devices(state / "devices.sqlite" if state else None), chosen.identifier)


class TalqDecoder:
    """Reads the bodies of /devices (a list, or one device) and /log-reports (an object with entries)."""

    def __init__(self, devices: Devices, identifier: str) -> None:
        self.devices = devices
        self._identifier = identifier

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records. Raises DecodingError where the body is neither."""
        yield from self.records(parse_json(stream.read()), announced=origin.get("method") in ("POST", "PUT"))

    def records(self, message: Any, *, announced: bool) -> list[Any]:
        """The records of a message already parsed; what it tells of the devices is on disk on return.

        `announced`: devices are as this message says, all of them (POST, PUT), rather than in part (PATCH).
        """
        if isinstance(message, dict) and "entries" in message:
            records = self._of_log(message["entries"])
        elif isinstance(message, (dict, list)):
            devices = message if isinstance(message, list) else [message]
            records = [record for device in devices for record in self._of_device(device, announced)]
        else:
            raise DecodingError(f"a TALQ message is a list of devices or a log report, not {shown(message)}")
        self.devices.save()
        return records

    def _of_device(self, data: Any, announced: bool) -> list[Any]:
        wrong = _wrong(data)
        if wrong:
            return [Fault(wrong, data)]
        address = data["address"]
        device = self.devices.get(address)
        first = device is None
        if device is None or announced:
            faults = device.faults if device else {}
            device = Device(address, data["name"], data["class"], faults=faults)
        device.name, device.device_class = data["name"], data["class"]
        functions = data.get("functions") or []
        for function in functions:
            device.functions[function["id"]] = function["type"]
            device.label = _text(function, "displayName") or device.label
            device.asset = _text(function, "assetId") or device.asset
            actuator = _text(function, "actuatorReference")
            if actuator:
                device.watches[function["id"]] = actuator
        lamps: dict[int, dict[str, Any]] = {}
        for function in functions:
            lamp = device.lamp_of(function["id"])
            if lamp not in lamps:
                lamps[lamp] = self._record(device, lamp)
            attributes = {name: value for name, value in function.items() if isinstance(value, dict)}
            lamps[lamp].setdefault(function["type"], {}).update(attributes)
        if not lamps:
            lamps[0] = self._record(device, 0)
        location = _location(functions)
        for lamp, record in lamps.items():
            record["time"] = _latest(record)
            self._note_faults(device, lamp, record, announced=announced or first)
            if location is not None:
                record["location"] = location
            if lamp:  # what the device says of itself holds for each of its lamps
                record.setdefault("BasicFunction", lamps.get(0, {}).get("BasicFunction"))
        self.devices.put(device)
        return list(lamps.values())

    def _of_log(self, entries: Any) -> list[Any]:
        if not isinstance(entries, list):
            raise DecodingError(f"entries must be a list, not {shown(entries)}")
        records: dict[tuple[str, int, str], dict[str, Any]] = {}
        faults: list[Any] = []
        for entry in entries:
            found = self._of_entry(entry.get("data") if isinstance(entry, dict) else None)
            if isinstance(found, str):
                faults.append(Fault(found, entry))
                continue
            device, function, name, attribute = found
            lamp = device.lamp_of(function)
            time = str(attribute.get("timestamp"))
            record = records.setdefault((device.address, lamp, time), self._record(device, lamp))
            command = entry["data"].get("command")
            if isinstance(command, dict) and "cmsRefId" in command:
                record["reference"] = command["cmsRefId"]
            record.setdefault(device.functions[function], {})[name] = attribute
        for (address, lamp, _), record in records.items():
            known = self.devices.get(address)
            if known is not None:
                record["time"] = _latest(record)
                self._note_faults(known, lamp, record, announced=False)
                self.devices.put(known)
        return [*records.values(), *faults]

    def _of_entry(self, data: Any) -> tuple[Device, str, str, dict[str, Any]] | str:
        """The device, the function, the attribute's name and the attribute of a log entry; or what is wrong with it."""
        if not isinstance(data, dict) or not isinstance(data.get("srcAddress"), str):
            return "a log entry must have data with a srcAddress"
        address, _, function = data["srcAddress"].partition("/")
        device = self.devices.get(address)
        if device is None:
            return f"the device {address} was never announced by POST or PATCH /devices"
        if function not in device.functions:
            return f"the device {address} has no function {function or 'in its srcAddress'}"
        time = data.get("timestamp")
        kind = data.get("type")
        if kind == "AttributeLogData":
            value = data.get("attributeValue")
            if not isinstance(value, dict) or not isinstance(data.get("attributeName"), str):
                return "an AttributeLogData must have attributeName and attributeValue"
            return device, function, data["attributeName"], {"timestamp": time, **value}
        if kind == "EventLogData" and isinstance(data.get("eventType"), str):
            begun = data.get("startEndFlag", True)
            return device, function, data["eventType"], {"timestamp": time, "value": begun}
        if kind == "StateChangeEventLogData":
            command = data.get("command")
            state = data.get("state") or (command.get("state") if isinstance(command, dict) else None)
            return device, function, "actualLightState", {"timestamp": time, "value": state}
        return f"a log entry must be AttributeLogData, EventLogData or StateChangeEventLogData, not {shown(kind)}"

    def _record(self, device: Device, lamp: int) -> dict[str, Any]:
        types = set(device.functions.values())
        role = "lamp" if types & LAMP_FUNCTIONS else "cabinet" if types & CABINET_FUNCTIONS else "other"
        suffix = f"-{lamp + 1}" if lamp else ""
        lamps = [function for function, kind in device.functions.items() if kind == "LampActuatorFunction"]
        return {
            "id": (device.name if self._identifier == "name" else device.address) + suffix,
            "address": device.address,
            "name": device.name + suffix,
            "class": device.device_class,
            "label": (device.label or device.name) + suffix,
            "asset": (device.asset or device.name) + suffix,
            "role": role,
            "actuator": lamps[lamp] if lamp < len(lamps) else None,
        }

    def _note_faults(self, device: Device, lamp: int, record: dict[str, Any], *, announced: bool) -> None:
        """Takes what the record says of faults into the device, and says in the record whether any is on."""
        known = device.faults.setdefault(str(lamp), {})
        newest = ""
        spoken = announced
        for function_type in LAMP_FUNCTIONS:
            for name, attribute in record.get(function_type, {}).items():
                if name in FAULTS and isinstance(attribute.get("value"), bool):
                    spoken = True
                    time = canonical_or_empty(attribute.get("timestamp"))
                    if name not in known or time[:-1] >= known[name][1][:-1]:
                        known[name] = [attribute["value"], time]
                    newest = max(newest, time)
        if spoken and record["role"] == "lamp":
            record["fault"] = {
                "value": any(begun for begun, _ in known.values()),
                "timestamp": newest or record["time"],
            }


def _text(function: Mapping[str, Any], attribute: str) -> str:
    """The text an attribute of a function holds; empty where it has none."""
    value = function.get(attribute)
    text = value.get("value") if isinstance(value, dict) else None
    return text if isinstance(text, str) else ""


def _location(functions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Where the device is: measured, else as installed, else the deprecated attribute of TALQ before 2.4."""
    by_type = {function["type"]: function for function in functions}
    for function, attribute in (
        ("LocationSensorFunction", "location"),
        ("LocationSensorFunction", "expectedLocation"),
        ("BasicFunction", "location"),
    ):
        found = by_type.get(function, {}).get(attribute)
        if isinstance(found, dict) and isinstance(found.get("value"), dict):
            return found
    return None


def _latest(record: Mapping[str, Any]) -> str | None:
    """The latest time in the functions of a record, by the vendor's clock, in canonical form."""
    times = {
        attribute["timestamp"]
        for function in record.values()
        if isinstance(function, dict)
        for attribute in function.values()
        if isinstance(attribute, dict) and isinstance(attribute.get("timestamp"), str)
    }
    return max((canonical_or_empty(time) for time in times), key=lambda time: time[:-1], default="") or None


def _wrong(data: Any) -> str | None:
    """What keeps a device from being one (TALQ 2.7.1, Device: address, name and class are required)."""
    if not isinstance(data, dict):
        return f"a device must be an object, not {shown(data)}"
    for member in ("address", "name", "class"):
        if not isinstance(data.get(member), str) or not data[member]:
            return f"a device must have a text as its {member}, not {shown(data.get(member))}"
    functions = data.get("functions") or []
    if not isinstance(functions, list):
        return f"the functions of a device must be a list, not {shown(functions)}"
    for function in functions:
        if not isinstance(function, dict):
            return f"a function must be an object, not {shown(function)}"
        for member in ("id", "type"):
            if not isinstance(function.get(member), str):
                return f"a function must have a text as its {member}, not {shown(function.get(member))}"
        if not function["type"].endswith("Function"):
            return f"{function['type']} is not a type of function of TALQ, such as LampMonitorFunction"
    return None
