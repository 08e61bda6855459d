"""DATEX II v2 and v3 SituationPublication into records, one a situationRecord:

    {"id": "260724-000456-1", "situation": "260724-000456", "kind": "VehicleObstruction",
     "detail": "brokenDownVehicle", "severity": "medium", "issued": "2026-07-24T08:04:50.000+02:00",
     "changed": "2026-07-24T08:06:04.287+02:00", "from": "2026-07-24T08:04:50.000+02:00", "to": null,
     "longitude": "2.3988867", "latitude": "48.821583", "road": "A0004", "place": "Charenton-le-Pont",
     "comment": "Sur 500 m"}

`to` of a record that was ended or cancelled is at the latest when that was said. A situation without a point has none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Fault, Origin
from adapters.decoding.xml import as_object, elements, local_name
from adapters.options import read

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

_DETAILS = (
    "accidentType",
    "vehicleObstructionType",
    "obstructionType",
    "environmentalObstructionType",
    "infrastructureDamageType",
    "animalPresenceType",
    "abnormalTrafficType",
    "roadMaintenanceType",
    "constructionWorkType",
    "roadOrCarriagewayOrLaneManagementType",
    "poorEnvironmentType",
    "weatherRelatedRoadConditionType",
    "nonWeatherRelatedRoadConditionType",
)
"""The elements that say more than the record's type."""


@dataclass(frozen=True, slots=True)
class SituationsDecoder:
    """Reads a d2LogicalModel (v2) or a messageContainer (v3), with or without a SOAP envelope around it."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records. Raises DecodingError for XML that is broken or has a DTD."""
        for situation in elements(stream, ("situation",)):
            severity = _text(situation, "overallSeverity")
            for child in situation:
                if isinstance(child.tag, str) and local_name(child) == "situationRecord":
                    yield _record(child, str(situation.get("id") or ""), severity)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> SituationsDecoder:
    """From a definition's `format: datex2_situations`."""
    return read(SituationsDecoder, options, where)


def _record(element: Any, situation: str, severity: str | None) -> Any:
    identifier = element.get("id")
    changed = _text(element, "situationRecordVersionTime")
    if not identifier or not changed:
        missing = "id" if not identifier else "situationRecordVersionTime"
        return Fault(f"a situationRecord without {missing}", as_object(element))
    to = _text(element, "overallEndTime")
    if any(_text(element, name) in ("true", "1") for name in ("end", "cancel")):
        to = min(to, changed) if to else changed
    point = next(element.iterdescendants("{*}pointCoordinates"), None)
    return {
        "id": identifier,
        "situation": situation,
        "kind": element.get(_XSI_TYPE, "").rpartition(":")[2],
        "detail": next((found for name in _DETAILS if (found := _text(element, name))), None),
        "severity": _text(element, "severity") or severity,
        "issued": _text(element, "situationRecordCreationTime") or changed,
        "changed": changed,
        "from": _text(element, "overallStartTime"),
        "to": to,
        "longitude": None if point is None else _text(point, "longitude"),
        "latitude": None if point is None else _text(point, "latitude"),
        "road": _text(element, "roadNumber"),
        "place": _place(element),
        "comment": "; ".join(_comments(element)) or None,
    }


def _text(element: Any, name: str) -> str | None:
    found = next(element.iterdescendants("{*}" + name), None)
    text = None if found is None else found.text
    return text.strip() or None if text else None


def _comments(element: Any) -> Iterator[str]:
    for comment in element.iterdescendants("{*}generalPublicComment"):
        text = _text(comment, "value")
        if text:
            yield text


def _place(element: Any) -> str | None:
    for name in element.iterdescendants("{*}name"):
        if _text(name, "tpegOtherPointDescriptorType") == "townName":
            return _text(name, "value")
    return None
