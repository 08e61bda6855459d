"""Enedis measures (JSON) into records, one a value: the API of 2026, the API v5, and the flows R63 and R64 of SGE.

    {"prm": "30000000000001", "series": "load", "direction": "CONS", "power": 4078.0, "energy": null, "apparent": null,
     "inductive": null, "capacitive": null,
     "from": "2026-09-28T22:00:00Z", "to": "2026-09-28T22:30:00Z", "since": null, "quality": "B"}

`series`: load (a load curve), daily (a day's energy), max (a day's greatest power), index (what the meter shows: all
its registers together), reactive (the reactive energies of a load curve's steps; reactive-prod those of production).
Powers W, apparent VA, energies kWh, reactive ones kvarh. A time without an offset is local, and the END of its
period, in the API as in v5; in R63, with its offset, the START (a day there begins at 00:00:00).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from adapters.decoding import Fault, Origin
from adapters.decoding.json import parse_json
from adapters.errors import MappingError
from adapters.mapping.expressions import as_number
from adapters.mapping.times import parse_time, to_text
from adapters.options import read

_STEP = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?|P(\d+)D")
_PARIS = ZoneInfo("Europe/Paris")
_SERIES = {"PA": "load", "EA": "load", "PMA": "max", "ERI": "reactive", "ERC": "reactive"}


@dataclass(frozen=True, slots=True)
class EnedisDecoder:
    """One document of any of the four."""

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records; a Fault for a value that is none. Raises DecodingError for what is not JSON."""
        document = parse_json(stream.read())
        for each in document if isinstance(document, list) else [document]:
            yield from _records(each)


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> EnedisDecoder:
    """From a definition's `format: enedis`."""
    return read(EnedisDecoder, options, where)


def _records(document: Any) -> Iterator[Any]:
    if isinstance(document, dict) and isinstance(document.get("mesures"), list):
        start = _object(document.get("header")).get("codeFlux") == "R63"
        for measures in document["mesures"]:
            yield from _measures(measures, begins=start)
    elif isinstance(document, dict) and isinstance(document.get("meter_reading"), dict):
        yield from _version_5(document["meter_reading"])
    else:
        yield from _measures(document, begins=False)


def _measures(measures: Any, begins: bool) -> Iterator[Any]:
    prm = measures.get("idPrm") if isinstance(measures, dict) else None
    if not isinstance(prm, str) or not prm:
        yield Fault("measures must have an idPrm", measures)
        return
    for quantity in _list(measures.get("grandeur")):
        for point in _list(quantity.get("points")):
            yield _guarded(point, lambda q=quantity, p=point: _point(prm, measures, q, p, begins))
    for context in _list(measures.get("contexte")):
        for quantity in _list(context.get("grandeur")):
            yield from _indexes(prm, quantity)


def _point(prm: str, measures: Mapping[str, Any], quantity: Mapping[str, Any], point: Any, begins: bool) -> Any:
    kind, unit = quantity.get("grandeurPhysique"), str(quantity.get("unite"))
    length = _length(point.get("p") or measures.get("pas"))
    series = "daily" if length == timedelta(days=1) and kind == "EA" else _SERIES.get(str(kind))
    if series is None:
        return None  # what no series is made of, such as voltages
    if series == "reactive" and quantity.get("grandeurMetier") == "PROD":
        series = "reactive-prod"
    if series == "max":
        return _record(prm, series, quantity, point, at=(None, parse_time(point["d"], _PARIS)), unit=unit)
    if length is None:
        raise MappingError("a point must say how long it lasts (p, such as PT30M)")
    if series == "daily":
        first = datetime.fromisoformat(str(point["d"])[:10])
        start, end = (each.replace(tzinfo=_PARIS).astimezone(UTC) for each in (first, first + length))
        return _record(prm, series, quantity, point, at=(start, end), unit=unit)
    told = parse_time(point["d"], _PARIS)
    at = (told, told + length) if begins else (told - length, told)
    return _record(prm, series, quantity, point, at=at, unit=unit)


def _indexes(prm: str, quantity: Mapping[str, Any]) -> Iterator[Any]:
    """What the registers of a meter show, added up for each instant; a total register is taken as it is."""
    if quantity.get("grandeurPhysique") != "EA":
        return
    total = _list(_object(quantity.get("cadranTotalisateur")).get("valeur"))
    classes = [
        _list(register.get("valeur"))
        for calendar in _list(quantity.get("calendrier"))[:1]  # each calendar splits the same energy in its own way
        for register in _list(calendar.get("classeTemporelle"))
    ]
    sums: dict[str, float] = {}
    for value in total or [value for values in classes for value in values]:
        try:
            sums[str(value["d"])] = sums.get(str(value["d"]), 0.0) + as_number(value["v"])
        except (MappingError, KeyError, TypeError) as error:
            yield Fault(f"a value of an index: {error}", value)
    for time, value in sums.items():
        point = {"d": time, "v": value}
        yield _guarded(
            point,
            lambda p=point: _record(
                prm, "index", quantity, p, at=(None, parse_time(p["d"], _PARIS)), unit=str(quantity.get("unite"))
            ),
        )


def _version_5(reading: Mapping[str, Any]) -> Iterator[Any]:
    prm = reading.get("usage_point_id")
    kind = _object(reading.get("reading_type"))
    if not isinstance(prm, str) or not prm:
        yield Fault("a meter_reading must have a usage_point_id", reading)
        return
    measures = {"pas": kind.get("interval_length")}
    quantity = {
        "grandeurMetier": "CONS",
        "grandeurPhysique": "EA" if kind.get("measurement_kind") == "energy" else "PA",
        "unite": kind.get("unit"),
    }
    for each in _list(reading.get("interval_reading")):
        step = each.get("interval_length") or ("P1D" if quantity["grandeurPhysique"] == "EA" else None)
        point = {"d": each.get("date"), "v": each.get("value"), "p": step, "n": each.get("measure_type")}
        yield _guarded(each, lambda p=point: _point(prm, measures, quantity, p, begins=False))


def _record(
    prm: str,
    series: str,
    quantity: Mapping[str, Any],
    point: Mapping[str, Any],
    *,
    at: tuple[datetime | None, datetime],
    unit: str,
) -> dict[str, Any]:
    value = as_number(point["v"])
    start, end = at
    kilo = {"W": 1.0, "kW": 1e3, "VA": 1.0, "kVA": 1e3, "Wh": 1e-3, "kWh": 1.0, "varh": 1e-3, "kvarh": 1.0}
    unit = unit.replace("VAr", "var").replace("VAR", "var")
    if unit not in kilo:
        raise MappingError(f"the unit {unit!r} is not one of {', '.join(kilo)}")
    value = round(value * kilo[unit], 6)
    hours = None if start is None else (end - start) / timedelta(hours=1)
    energy = value if unit in ("Wh", "kWh") else None
    power = value if unit in ("W", "kW") else None
    reactive = value if unit in ("varh", "kvarh") else None
    inductive = quantity.get("grandeurPhysique") == "ERI"
    if series == "load" and energy is not None and hours:
        power, energy = round(energy * 1000 / hours, 3), None  # the same curve, said as energies
    return {
        "prm": prm,
        "series": series,
        "direction": quantity.get("grandeurMetier") or "CONS",
        "power": power,
        "energy": energy,
        "apparent": value if unit in ("VA", "kVA") else None,
        "inductive": reactive if inductive else None,
        "capacitive": None if inductive else reactive,
        "from": None if start is None else to_text(start),
        "to": to_text(end),
        "since": to_text(start) if series not in ("load", "max", "index") and start is not None else None,
        "quality": point.get("n"),
    }


def _guarded(point: Any, make: Any) -> Any:
    """The record, or the fault where a point is not as it should be; what makes none (null) is passed over later."""
    try:
        return make()
    except (MappingError, KeyError, TypeError, ValueError, OverflowError) as error:
        return Fault(f"a point: {error}", point)


def _length(text: Any) -> timedelta | None:
    match = _STEP.fullmatch(str(text)) if text else None
    if match is None:
        return timedelta(seconds=int(text)) if str(text).isdecimal() else None
    hours, minutes, days = (int(each or 0) for each in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes) or None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
