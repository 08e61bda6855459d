"""Units: UN/CEFACT Recommendation 20 common codes, and conversion between those of one quantity."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: its quantity, and how it becomes the quantity's reference unit: value * factor + offset."""

    quantity: str
    factor: float
    offset: float = 0.0


UNITS: dict[str, Unit] = {
    "WTT": Unit("power", 1),
    "KWT": Unit("power", 1e3),
    "MAW": Unit("power", 1e6),
    "WHR": Unit("energy", 1),
    "KWH": Unit("energy", 1e3),
    "MWH": Unit("energy", 1e6),
    "VLT": Unit("voltage", 1),
    "2Z": Unit("voltage", 1e-3),
    "KVT": Unit("voltage", 1e3),
    "AMP": Unit("current", 1),
    "4K": Unit("current", 1e-3),
    "D46": Unit("apparent power", 1),
    "KVA": Unit("apparent power", 1e3),
    "D44": Unit("reactive power", 1),
    "KVR": Unit("reactive power", 1e3),
    "K3": Unit("reactive energy", 1e3),
    "HTZ": Unit("frequency", 1),
    "KHZ": Unit("frequency", 1e3),
    "CEL": Unit("temperature", 1, 273.15),
    "KEL": Unit("temperature", 1),
    "FAH": Unit("temperature", 5 / 9, 459.67 * 5 / 9),
    "C62": Unit("ratio", 1),
    "P1": Unit("ratio", 0.01),
    "MTS": Unit("speed", 1),
    "KMH": Unit("speed", 1 / 3.6),
    "HM": Unit("speed", 0.44704),
    "MTR": Unit("length", 1),
    "CMT": Unit("length", 0.01),
    "MMT": Unit("length", 0.001),
    "KMT": Unit("length", 1e3),
    "SEC": Unit("time", 1),
    "C26": Unit("time", 1e-3),
    "MIN": Unit("time", 60),
    "HUR": Unit("time", 3600),
    "DAY": Unit("time", 86400),
    "PAL": Unit("pressure", 1),
    "A97": Unit("pressure", 100),
    "KPA": Unit("pressure", 1e3),
    "BAR": Unit("pressure", 1e5),
    "D10": Unit("conductivity", 1),
    "H61": Unit("conductivity", 0.1),
    "G42": Unit("conductivity", 1e-4),
    "LTR": Unit("volume", 1),
    "MTQ": Unit("volume", 1e3),
    "L2": Unit("volume flow", 1),
    "MQH": Unit("volume flow", 1000 / 60),
    "LUX": Unit("illuminance", 1),
    "DD": Unit("angle", 1),
    "2N": Unit("level", 1),
    "DBM": Unit("signal", 1),
}
"""What a mapping may name: W, kW, MW; Wh, kWh, MWh; V, mV, kV; A, mA; VA, kVA; var, kvar; kvarh; Hz, kHz; °C, K, °F;
one, %; m/s, km/h, mile/h; m, cm, mm, km; s, ms, min, h, day; Pa, hPa, kPa, bar; S/m, mS/cm, µS/cm; l, m³; l/min, m³/h;
lx; degree; dB; dBm."""


def conversion(from_code: str, to_code: str) -> tuple[float, float] | None:
    """(factor, offset) that turn a value of one unit into the other; None where they are of different quantities.

    conversion("KWT", "WTT") == (1000.0, 0.0); `value * factor + offset`
    """
    source, target = UNITS[from_code], UNITS[to_code]
    if source.quantity != target.quantity:
        return None
    return source.factor / target.factor, (source.offset - target.offset) / target.factor
