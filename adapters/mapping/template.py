"""Entity templates of an adapter's file, compiled once into functions of a record.

streetlight:
  when: LampMonitorFunction                       # only for records where this is true (has a value)
  id: urn:ngsi-ld:Streetlight:${site}-{name}      # {expression}, percent-encoded where an id needs it
  type: Streetlight
  observedAt: time                                # for each attribute that has none of its own
  attributes:
    name: displayName                             # short for {value: displayName}
    powerConsumption: {value: power.value, observedAt: power.timestamp, unit: WTT, from_unit: KWT}
    location: {point: [longitude, latitude]}
    refDevice: {object: "urn:ngsi-ld:Device:${site}-{address}"}
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from adapters.errors import DefinitionError, MappingError
from adapters.mapping.addresses import Addresses
from adapters.mapping.compiler import Expression, is_false
from adapters.mapping.expressions import MappingFunctions, as_number, compile_expression
from adapters.mapping.instants import Instants
from adapters.mapping.projections import Projection, to_wgs84
from adapters.mapping.values import Conversion, compile_conversion
from adapters.options import checked, read, shown
from ngsi_ld.names import is_name, is_uri


@dataclass(frozen=True, slots=True)
class AttributeOptions:
    """What may stand at an attribute. One of `value` (expression), `const`, `object` (template of an id) and `point`
    (expressions of longitude, latitude and perhaps altitude; with a `crs` such as EPSG:2154, of easting and northing)
    says where the value is; the rest shapes it, in this order: drop, type, from_unit to unit, range (of the unit),
    digits, bands, map."""

    value: str | None = None
    const: Any = None
    object: str | None = None
    point: tuple[str, ...] = ()
    crs: str = ""
    kind: str | None = None
    observedAt: str | None = None  # noqa: N815  the standard's word
    unit: str | None = None
    from_unit: str | None = None
    type: str | None = None
    map: dict[Any, Any] = field(default_factory=dict)
    bands: dict[Any, Any] = field(default_factory=dict)
    drop: tuple[Any, ...] = ()
    range: tuple[float, ...] = ()
    digits: int | None = None
    static: bool = False


@dataclass(frozen=True, slots=True)
class EntityOptions:
    """What may stand at an entity template. `each`: a list in the record; the entity is then made once for each of its
    elements, and expressions see `{item: the element, record: the record}`. `address`: an expression, what the vendor
    calls the entity, which is kept for `commands` (adapters/commands/options.py)."""

    id: str
    type: str
    attributes: dict[str, Any]
    when: str | None = None
    each: str | None = None
    observedAt: str | None = None  # noqa: N815  the standard's word
    address: str | None = None
    commands: dict[str, Any] = field(default_factory=dict)


Attribute = Callable[[Any, str | None], dict[str, Any] | None]
"""From a record and the entity's observedAt to the attribute; None where the record has no value for it."""


@dataclass(frozen=True, slots=True)
class EntityTemplate:
    """A compiled entity template; `static` names the attributes that are sent when they change and not each time."""

    name: str
    type: str
    when: Expression | None
    each: Expression | None
    id: Expression
    observed_at: Expression | None
    attributes: Sequence[tuple[str, Attribute]]
    static: frozenset[str]
    address: Expression | None
    addresses: Addresses

    def entities(self, record: Any) -> list[dict[str, Any]]:
        """The entities of a record: none where `when` says no or nothing has a value. Raises MappingError."""
        if self.each is None:
            entity = self._entity(record)
            return [] if entity is None else [entity]
        items = self._evaluated(self.each, record, "each")
        made = (self._entity({"item": item, "record": record}) for item in items or ())
        return [entity for entity in made if entity is not None]

    def _entity(self, record: Any) -> dict[str, Any] | None:
        if self.when is not None and is_false(self._evaluated(self.when, record, "when")):
            return None
        entity: dict[str, Any] = {"id": self._evaluated(self.id, record, "id"), "type": self.type}
        observed_at = None
        if self.observed_at is not None:
            observed_at = self._evaluated(self.observed_at, record, "observedAt")
        name = ""
        try:
            for name, attribute in self.attributes:
                instance = attribute(record, observed_at)
                if instance is not None:
                    entity[name] = instance
        except MappingError as error:
            error.entity, error.attribute = self.name, error.attribute or name
            raise
        except (TypeError, ValueError, ArithmeticError) as error:  # a value of a kind that a step did not expect
            raise MappingError(str(error), entity=self.name, attribute=name) from None
        if len(entity) == 2:
            return None
        if self.address is not None:
            self.addresses.note(entity["id"], self._evaluated(self.address, record, "address"))
        return entity

    def _evaluated(self, expression: Expression, record: Any, part: str) -> Any:
        try:
            return expression(record)
        except MappingError as error:
            error.entity, error.attribute = self.name, error.attribute or part
            raise


def compile_entity(
    name: str,
    data: object,
    functions: MappingFunctions,
    zone: ZoneInfo | None,
    instants: Instants,
    addresses: Addresses,
    where: str,
) -> EntityTemplate:
    """The template `name` of an adapter's file; DefinitionError that names the member at fault."""
    options = read(EntityOptions, data, where)
    if not is_name(options.type):
        raise DefinitionError(f"{where}.type", f"must be an entity type such as Streetlight, not {shown(options.type)}")

    def expression(text: str | None, member: str) -> Expression | None:
        return None if text is None else compile_expression(text, functions, f"{where}.{member}")

    time = expression(options.observedAt, "observedAt")
    attributes: list[tuple[str, Attribute]] = []
    static = set()
    for attribute, value in options.attributes.items():
        if value is None:
            continue
        place = f"{where}.attributes.{attribute}"
        if not is_name(attribute) or attribute in ("id", "type", "scope"):
            raise DefinitionError(place, "must be an attribute's name: letters, digits and _, beginning with a letter")
        spec = read(AttributeOptions, {"value": value} if isinstance(value, str) else value, place)
        attributes.append((attribute, _compile_attribute(spec, functions, zone, instants, place)))
        if spec.static:
            static.add(attribute)
    return EntityTemplate(
        name=name,
        type=options.type,
        when=expression(options.when, "when"),
        each=expression(options.each, "each"),
        id=compile_id(options.id, functions, f"{where}.id"),
        observed_at=None if time is None else instants.of(time, zone, str(options.observedAt)),
        attributes=tuple(attributes),
        static=frozenset(static),
        address=expression(options.address, "address"),
        addresses=addresses,
    )


_PART = re.compile(r"\{([^{}]*)\}")
_KEPT = "-._~:@!$'()*+,;="


def compile_id(text: str, functions: MappingFunctions, where: str) -> Expression:
    """An id from a template such as `urn:ngsi-ld:Device:{devEui}`; a part without a value is an error of the record."""
    texts = _PART.split(text)
    literals, expressions = texts[::2], texts[1::2]
    parts = [compile_expression(each, functions, where) for each in expressions]
    whole = literals[0] == ""  # an expression at the beginning: whether it makes a URI, only the record tells
    if not whole and not is_uri(literals[0] + "".join("x" + literal for literal in literals[1:])):
        raise DefinitionError(where, f"must make a URI such as urn:ngsi-ld:Streetlight:{{name}}, not {shown(text)}")

    def made(record: Any) -> str:
        result = literals[0]
        for part, expression, literal in zip(parts, expressions, literals[1:], strict=True):
            value = part(record)
            if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
                raise MappingError(f"has no text or whole number for the id but {shown(value)}", expression=expression)
            result += quote(str(value), safe=_KEPT) + literal
        if whole and not is_uri(result):
            raise MappingError(f"{shown(result)} is not a URI such as urn:ngsi-ld:Garden:1", expression=text)
        return result

    return made


_SOURCES = ("value", "const", "object", "point")
_KINDS = {"value": "Property", "const": "Property", "object": "Relationship", "point": "GeoProperty"}
_MEMBERS = {
    "Property": "value",
    "GeoProperty": "value",
    "Relationship": "object",
    "LanguageProperty": "languageMap",
    "JsonProperty": "json",
}


def kind_of(spec: Mapping[str, Any]) -> str:
    """The kind of attribute that `{value: …}`, `{object: …}`, `{point: …}` or an explicit `kind` makes: Property …"""
    return str(spec.get("kind") or next(kind for source, kind in _KINDS.items() if source in spec))


def _compile_attribute(
    spec: AttributeOptions, functions: MappingFunctions, zone: ZoneInfo | None, instants: Instants, where: str
) -> Attribute:
    given = [name for name in _SOURCES if getattr(spec, name) not in (None, ())]
    if len(given) != 1:
        raise DefinitionError(where, f"must have one of {', '.join(_SOURCES)}; it has {', '.join(given) or 'none'}")
    kind = spec.kind or _KINDS[given[0]]
    if kind not in _MEMBERS:
        raise DefinitionError(f"{where}.kind", f"must be one of {', '.join(_MEMBERS)}, not {shown(kind)}")
    member = _MEMBERS[kind]
    value = _compile_source(given[0], spec, functions, where)
    convert: Conversion | None = compile_conversion(spec, zone, where)
    time: Expression | None = None
    if spec.observedAt is not None:
        own = compile_expression(spec.observedAt, functions, f"{where}.observedAt")
        time = instants.of(own, zone, spec.observedAt)
    unit = spec.unit
    unit_of = None
    if unit is not None and unit.startswith("{"):
        unit_of = compile_expression(unit[1:-1], functions, f"{where}.unit")
    text = getattr(spec, given[0])

    def attribute(record: Any, observed_at: str | None) -> dict[str, Any] | None:
        result = value(record)
        if result is None:
            return None
        if convert is not None:
            try:
                result = convert(result)
            except MappingError as error:
                error.expression = error.expression or str(text)
                raise
            if result is None:
                return None
        instance = {"type": kind, member: result}
        code = unit if unit_of is None else unit_of(record)
        if code is not None:
            instance["unitCode"] = code
        if time is not None:
            observed_at = time(record) or observed_at
        if observed_at is not None:
            instance["observedAt"] = observed_at
        return instance

    return attribute


def _compile_source(name: str, spec: AttributeOptions, functions: MappingFunctions, where: str) -> Expression:
    if name == "const":
        constant = spec.const
        return lambda record: constant
    if name == "value":
        return compile_expression(str(spec.value), functions, f"{where}.value")
    if name == "object":
        return _optional_id(str(spec.object), functions, f"{where}.object")
    if not 2 <= len(spec.point) <= 3:
        raise DefinitionError(f"{where}.point", "must be [longitude, latitude], or with an altitude after them")
    parts = [compile_expression(checked(str, each, where), functions, f"{where}.point") for each in spec.point]
    return _point(parts, spec.point, to_wgs84(spec.crs, f"{where}.crs") if spec.crs else None)


def _optional_id(text: str, functions: MappingFunctions, where: str) -> Expression:
    """As compile_id, but without a value for one of its parts there is no relationship."""
    made = compile_id(text, functions, where)
    parts = [compile_expression(each, functions, where) for each in _PART.findall(text)]

    def optional(record: Any) -> str | None:
        return made(record) if all(part(record) not in (None, "") for part in parts) else None

    return optional


def _point(parts: list[Expression], texts: tuple[str, ...], project: Projection | None) -> Expression:
    bounds = ((-180, 180), (-90, 90), (-12000, 100000))

    def point(record: Any) -> dict[str, Any] | None:
        values = [part(record) for part in parts]
        if values[0] is None and values[1] is None:
            return None
        if project is not None:
            values[:2] = project(*(_coordinate(value, text) for value, text in zip(values[:2], texts, strict=False)))
        coordinates: list[float] = []
        for value, text, (low, high) in zip(values, texts, bounds, strict=False):
            if value is None and len(coordinates) == 2:
                break
            number = _coordinate(value, text)
            if not low <= number <= high:
                raise MappingError(f"{number} is not between {low} and {high}", expression=text)
            coordinates.append(number)
        if coordinates[0] == 0 and coordinates[1] == 0:
            raise MappingError("longitude 0, latitude 0 is where nothing is: a position never set", expression=texts[0])
        return {"type": "Point", "coordinates": coordinates}

    return point


def _coordinate(value: Any, text: str) -> float:
    try:
        return as_number(value)
    except MappingError as error:
        error.expression = text
        raise
