"""The measurement site table (DATEX II v2 and v3 MeasurementSiteTablePublication): what each index of a site is of.

    {"PZH01_MST_0629_00": {"4": Channel(lane=1, period=60)}}

Of the values of a site, those of any vehicle are kept: the classes of length beside them are parts of the same count. A
channel of a whole carriageway has no lane.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.decoding.gzipped import unzipped
from adapters.decoding.xml import elements, local_name
from adapters.errors import DecodingError, DefinitionError

_LANE = re.compile(r"lane(\d+)")
_ONE_CLASS = ("lengthCharacteristic", "vehicleType", "vehicleEquipment", "vehicleUsage", "grossWeightCharacteristic")
_ANY = "anyVehicle"
_MOST = 2_000_000_000
"""Bytes of a table that is zipped."""


@dataclass(frozen=True, slots=True)
class Channel:
    """What the values of an index are of: the lane from 1, None for all of them; seconds, None where it is not said."""

    lane: int | None
    period: int | None


SiteTable = dict[str, dict[str, Channel]]
"""By the site's id and the index as a text. An index that is not there is of a class of vehicles."""


def read_site_table(file: Path, where: str) -> SiteTable:
    """The table in an XML file, zipped or not. Raises DefinitionError where it cannot be read or is none."""
    table: SiteTable = {}
    try:
        with file.open("rb") as stream:
            for record in elements(unzipped(stream, _MOST), ("measurementSiteRecord",)):
                channels = ((child.get("index"), _channel(child)) for child in record if _is_channel(child))
                table[record.get("id", "")] = {index: channel for index, channel in channels if index and channel}
    except OSError as error:
        raise DefinitionError(where, f"{file} cannot be read: {error.strerror}") from None
    except DecodingError as error:
        raise DefinitionError(where, f"{file}: {error}") from None
    if not table:
        raise DefinitionError(where, f"{file} has no measurementSiteRecord; it must be a measurement site table")
    return table


def _is_channel(element: Any) -> bool:
    return local_name(element) == "measurementSpecificCharacteristics"


def _channel(element: Any) -> Channel | None:
    """None for a class of vehicles."""
    lane = period = None
    for each in element.iterdescendants("{*}*"):
        name, text = local_name(each), (each.text or "").strip()
        if name in _ONE_CLASS and text != _ANY:
            return None
        if name == "specificLane" and (match := _LANE.fullmatch(text)):
            lane = int(match.group(1))
        elif name == "period" and text.replace(".", "", 1).isdecimal():
            period = round(float(text))
    return Channel(lane, period or None)
