"""What happens to a value between the record and the entity: sentinels, types, units, bands, enumerations, bounds."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from adapters.errors import DefinitionError, MappingError
from adapters.mapping.expressions import as_number
from adapters.mapping.times import parse_time, to_text
from adapters.mapping.units import UNITS, conversion
from adapters.options import shown

if TYPE_CHECKING:
    from adapters.mapping.template import AttributeOptions

Conversion = Callable[[Any], Any]
"""From a value to a value; None where the vendor's value stands for none. Raises MappingError."""


def compile_conversion(spec: "AttributeOptions", zone: ZoneInfo | None, where: str) -> Conversion | None:
    """The steps that an attribute's options ask for, as one function; None where they ask for none."""
    steps: list[Conversion] = []
    if spec.drop:
        steps.append(_dropping(spec.drop))
    if spec.type is not None or spec.from_unit or spec.bands or spec.range or spec.digits is not None:
        steps.append(_typed(spec.type or "number", zone, where))
    if spec.unit is not None:
        _check_unit(spec.unit, f"{where}.unit")
    if spec.from_unit is not None:
        steps.append(_unit_conversion(spec.from_unit, spec.unit, where))
    if spec.range:
        steps.append(_bounded(spec.range, where))
    if spec.digits is not None:
        steps.append(_rounded(spec.digits))
    if spec.bands:
        steps.append(_bands(spec.bands, where))
    if spec.map:
        steps.append(_mapped(spec.map))
    return _in_order(steps) if steps else None


def _in_order(steps: list[Conversion]) -> Conversion:
    if len(steps) == 1:
        return steps[0]

    def convert(value: Any) -> Any:
        for step in steps:
            value = step(value)
            if value is None:
                return None
        return value

    return convert


def _dropping(sentinels: tuple[Any, ...]) -> Conversion:
    # -1, -1.0 and "-1" are one sentinel: vendors write numbers as texts
    known = {str(each) for each in sentinels} | {str(float(each)) for each in sentinels if isinstance(each, int)}
    return lambda value: None if str(value) in known else value


def _typed(name: str, zone: ZoneInfo | None, where: str) -> Conversion:
    def boolean(value: Any) -> bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        raise MappingError(f"{shown(value)} is not true or false")

    def text(value: Any) -> str:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return str(value)
        raise MappingError(f"{shown(value)} is not a text")

    def integer(value: Any) -> int:
        number = as_number(value)
        if number != int(number):
            raise MappingError(f"{shown(value)} is not a whole number")
        return int(_storable(int(number)))

    types: dict[str, Conversion] = {
        "number": as_number,
        "integer": integer,
        "boolean": boolean,
        "text": text,
        "time": lambda value: to_text(parse_time(value, zone)),
    }
    if name not in types:
        raise DefinitionError(f"{where}.type", f"must be one of {', '.join(types)}, not {shown(name)}")
    return types[name]


def _check_unit(code: str, where: str) -> None:
    if code not in UNITS and not code.startswith("{"):
        raise DefinitionError(
            where, f"must be a UN/CEFACT code such as WTT, not {shown(code)}; known: {', '.join(UNITS)}"
        )


def _unit_conversion(from_code: str, to_code: str | None, where: str) -> Conversion:
    _check_unit(from_code, f"{where}.from_unit")
    if to_code not in UNITS:
        raise DefinitionError(f"{where}.unit", "is missing: from_unit says what comes, unit what it becomes")
    both = conversion(from_code, to_code)
    if both is None:
        quantities = f"{UNITS[from_code].quantity}, {UNITS[to_code].quantity}"
        raise DefinitionError(f"{where}.from_unit", f"{from_code} cannot become {to_code}: {quantities}")
    factor, offset = both
    return lambda value: float(
        f"{value * factor + offset:.12g}"
    )  # 12 digits: 13.74 % is 0.1374, not 0.13740000000000002


def _bands(bands: dict[Any, Any], where: str) -> Conversion:
    try:
        limits = sorted((as_number(limit), name) for limit, name in bands.items())
    except MappingError as error:
        raise DefinitionError(f"{where}.bands", f"must be {{upper limit: value}}; {error.detail}") from None

    def banded(value: float) -> Any:
        for limit, name in limits:
            if value <= limit:
                return name
        raise MappingError(f"{value} is above the last band, {limits[-1][0]}")

    return banded


def _mapped(table: dict[Any, Any]) -> Conversion:
    names = {_key(key): value for key, value in table.items()}

    def mapped(value: Any) -> Any:
        try:
            return names[_key(value)]
        except KeyError:
            raise MappingError(f"{shown(value)} is not one of {', '.join(names)}") from None

    return mapped


def _key(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounded(bounds: tuple[float, ...], where: str) -> Conversion:
    if len(bounds) != 2 or bounds[0] > bounds[1]:
        raise DefinitionError(f"{where}.range", "must be [least, most]")
    least, most = bounds

    def bounded(value: float) -> float:
        if not least <= value <= most:
            raise MappingError(f"{value} is not between {least:g} and {most:g}")
        return value

    return bounded


def _rounded(digits: int) -> Conversion:
    return lambda value: _storable(round(value, digits or None))


def _storable(number: Any) -> Any:
    """The number, if it is none that 64 bits cannot hold: JSON could say it and few databases keep it."""
    if isinstance(number, int) and abs(number) >= 1 << 63:
        raise MappingError(f"{number:.3g} is more than a whole number can be")
    return number
