"""DATEX II v2 and v3 MeasuredDataPublication into records, one a site; streaming, so that a feed may be of any size.

    {"site": "MUM76.h1", "time": "2026-07-25T08:30:00.000+02:00", "published": "2026-07-25T08:24:00.000+02:00",
     "period": 360, "flow": {"rate": 1010, "vehicles": 101}, "speed": {"value": 112.0, "vehicles": 101},
     "occupancy": 12.5, "status": "heavy", "lane": null, "key": "MUM76.h1"}

In v3 a measuredValue is called physicalQuantity and the time has a timeValue around it; the rest is the same to us.

What kind a value is, its xsi:type says (in the French feed every value has the index 0). A value with dataError is no
value. A site with several values of one kind (one for each lane or class of vehicle, as in the Netherlands) needs the
measurement site table to be told apart: with it, it is a record for each lane; without, a fault, rather than a sum that
counts each vehicle twice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.datex2.site_table import Channel, SiteTable, read_site_table
from adapters.decoding import Fault, Origin
from adapters.decoding.xml import as_object, elements, local_name
from adapters.errors import DefinitionError
from adapters.options import read

_NO_VALUE = (-1, 9999999)
"""Numbers by which feeds say that they have none: no vehicle passed, and the detector does not answer."""

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


@dataclass(frozen=True, slots=True)
class Datex2Options:
    """`period`: seconds that a measurement lasts, for feeds that do not say (the French ones: 6 minutes). `site_table`:
    the file of a measurement site table, which tells the lanes of a site and their periods; `none` for none."""

    period: int = 360
    site_table: str = "none"


def open_decoder(options: Mapping[str, Any], where: str, state: Path | None) -> "Datex2Decoder":
    """From a definition's `format: {kind: datex2}`."""
    chosen = read(Datex2Options, options, where)
    if chosen.period <= 0:
        raise DefinitionError(f"{where}.period", f"must be seconds, more than 0, not {chosen.period}")
    named = chosen.site_table not in ("", "none")
    table = read_site_table(Path(chosen.site_table), f"{where}.site_table") if named else {}
    return Datex2Decoder(chosen.period, table)


_WHOLE = Channel(None, None)
"""Of a site that no table tells of."""


class Datex2Decoder:
    """Reads a d2LogicalModel (v2) or a messageContainer (v3), with or without a SOAP envelope around it."""

    def __init__(self, period: int, table: SiteTable) -> None:
        self._period = period
        self._table = table

    def decode(self, stream: BinaryIO, origin: Origin) -> Iterator[Any]:
        """The records of the sites. Raises DecodingError for XML that is broken or has a DTD."""
        published = None
        for element in elements(stream, ("publicationTime", "siteMeasurements")):
            if local_name(element) == "publicationTime":
                published = element.text
            else:
                yield from self._records(element, published)

    def _records(self, site: Any, published: str | None) -> Iterator[Any]:
        """One, or one for each lane; a Fault for a site that is not as it should be."""
        record: dict[str, Any] = {"site": None, "time": None, "published": published, "period": self._period}
        channels: dict[str, Channel] | None = None
        lanes: dict[int | None, dict[str, Any]] = {}
        try:
            for child in site:
                name = local_name(child)
                if name == "measurementSiteReference":
                    record["site"] = child.get("id")
                    channels = self._table.get(record["site"])
                elif name == "measurementTimeDefault":
                    record["time"] = _text(child) or next((_text(each) for each in _all(child, "timeValue")), None)
                elif name in ("measuredValue", "physicalQuantity"):
                    channel = _WHOLE if channels is None else channels.get(child.get("index"))
                    if channel is not None:
                        values = lanes.setdefault(channel.lane, {"period": channel.period or self._period})
                        for basic in _all(child, "basicData"):
                            _take(basic, values)
        except ValueError as error:
            yield Fault(f"the site {record['site']}: {error}", as_object(site))
            return
        if not record["site"] or not record["time"]:
            missing = "measurementSiteReference with an id" if not record["site"] else "measurementTimeDefault"
            yield Fault(f"siteMeasurements without a {missing}", as_object(site))
            return
        for lane, values in lanes.items() or ((None, {}),):
            key = record["site"] if lane is None else f"{record['site']}-lane{lane}"
            yield {**record, **values, "lane": lane, "key": key}


def _take(basic: Any, record: dict[str, Any]) -> None:
    kind = basic.get(_XSI_TYPE, "").rpartition(":")[2]
    if kind not in _READERS:
        return
    element_name, member, reader = _READERS[kind]
    element = next(_all(basic, element_name), None)
    if element is None or any((_text(error) or "").strip() in ("true", "1") for error in _all(element, "dataError")):
        return
    if member in record:
        raise ValueError(
            f"has several values of {kind}; which lane or vehicles they are of, only a site table tells (site_table)"
        )
    record[member] = reader(element)


def _flow(element: Any) -> dict[str, Any]:
    return {"rate": _number(element, "vehicleFlowRate"), "vehicles": _vehicles(element)}


def _speed(element: Any) -> dict[str, Any]:
    return {"value": _number(element, "speed"), "vehicles": _vehicles(element)}


def _occupancy(element: Any) -> float | None:
    return _number(element, "percentage")


def _status(element: Any) -> str | None:
    found = next(_all(element, "trafficStatusValue"), None)
    return None if found is None else _text(found)


_READERS: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "TrafficFlow": ("vehicleFlow", "flow", _flow),
    "TrafficSpeed": ("averageVehicleSpeed", "speed", _speed),
    "TrafficConcentration": ("occupancy", "occupancy", _occupancy),
    "TrafficStatus": ("trafficStatus", "status", _status),
}
"""By xsi:type of basicData: the element with the value, the record's member, and what reads it."""


def _all(element: Any, name: str) -> Iterator[Any]:
    return element.iterdescendants("{*}" + name)  # type: ignore[no-any-return]


def _text(element: Any) -> str | None:
    text: str | None = element.text
    return text.strip() if text else None


def _number(element: Any, name: str) -> float | None:
    found = next(_all(element, name), None)
    text = None if found is None else _text(found)
    if text is None:
        return None
    try:
        number = int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None
    return None if number in _NO_VALUE else number


def _vehicles(element: Any) -> int | None:
    """numberOfInputValuesUsed: in these publications, the vehicles counted in the period."""
    text = element.get("numberOfInputValuesUsed")
    if text is None:
        return None
    if not text.isdecimal():
        raise ValueError(f"numberOfInputValuesUsed must be a whole number, not {text!r}")
    return int(text)
