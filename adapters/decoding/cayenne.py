"""Cayenne Low Power Payload: channels of typed values, as many LoRaWAN sensors send them."""

import base64
import binascii
from dataclasses import dataclass

from adapters.errors import DecodingError


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of value: its name, the bytes of each number, what one step is worth."""

    name: str
    sizes: tuple[int, ...]
    steps: tuple[float, ...]
    signed: bool = False
    members: tuple[str, ...] = ()


KINDS: dict[int, Kind] = {
    0: Kind("digital_in", (1,), (1,)),
    1: Kind("digital_out", (1,), (1,)),
    2: Kind("analog_in", (2,), (0.01,), True),
    3: Kind("analog_out", (2,), (0.01,), True),
    101: Kind("luminosity", (2,), (1,)),
    102: Kind("presence", (1,), (1,)),
    103: Kind("temperature", (2,), (0.1,), True),
    104: Kind("relative_humidity", (1,), (0.5,)),
    113: Kind("accelerometer", (2, 2, 2), (0.001,) * 3, True, ("x", "y", "z")),
    115: Kind("barometric_pressure", (2,), (0.1,)),
    134: Kind("gyrometer", (2, 2, 2), (0.01,) * 3, True, ("x", "y", "z")),
    136: Kind("gps", (3, 3, 3), (0.0001, 0.0001, 0.01), True, ("latitude", "longitude", "altitude")),
}
"""By type number: inputs and outputs, lx, °C, %, g, hPa, °/s, degrees and m."""


def decode(payload: str) -> dict[str, float]:
    """The values of a payload in base64, by type and channel: `{"temperature_3": 27.2, "gps_1_latitude": 42.3519}`.

    Raises DecodingError for a type that is not known and for a payload that ends within a value.
    """
    try:
        data = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise DecodingError("the payload is not base64") from None
    values: dict[str, float] = {}
    at = 0
    while at < len(data):
        if at + 2 > len(data) or data[at + 1] not in KINDS:
            raise DecodingError(f"byte {at + 1} of the payload begins no type of Cayenne LPP")
        channel, kind = data[at], KINDS[data[at + 1]]
        at += 2
        if at + sum(kind.sizes) > len(data):
            raise DecodingError(f"the payload ends within the {kind.name} of channel {channel}")
        for number, (size, step) in enumerate(zip(kind.sizes, kind.steps, strict=True)):
            raw = int.from_bytes(data[at : at + size], "big", signed=kind.signed)
            name = f"{kind.name}_{channel}" + (f"_{kind.members[number]}" if kind.members else "")
            values[name] = round(raw * step, 6)
            at += size
    return values
