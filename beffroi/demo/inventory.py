"""What the town's own registers know before any supervisor speaks: the territory as NGSI-LD entities."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from beffroi.demo.streets import Place
from beffroi.demo.territory import Building, Cabinet, Garden, Light, Sensor, Territory

SITE = "chalons"
"""The territory's part of each id, as the adapters' setting `site`: urn:ngsi-ld:Streetlight:chalons-LP-00001."""

Entity = dict[str, Any]


def entity_id(entity_type: str, key: str) -> str:
    """The id that the registers and the adapters give to one thing."""
    return f"urn:ngsi-ld:{entity_type}:{SITE}-{key}"


def registers(territory: Territory, exported: datetime) -> dict[str, list[Entity]]:
    """Entities by the register they come from, in normalized form, with the time of the registers' export."""
    content = {
        "buildings": [_building(building) for building in territory.buildings],
        "parks": [_garden(garden) for garden in territory.gardens],
        "soil sensors": [entity for sensor in territory.sensors for entity in _sensor(sensor)],
        "cabinets": [_cabinet(cabinet) for cabinet in territory.cabinets],
        "street lights": [_light(light) for light in territory.lights],
    }
    date = _value({"@type": "DateTime", "@value": exported.strftime("%Y-%m-%dT%H:%M:%SZ")})
    return {
        register: [entity | {"dateModified": date} for entity in entities] for register, entities in content.items()
    }


def _light(light: Light) -> Entity:
    return _entity(
        "Streetlight",
        light.name,
        name=_value(light.name),
        location=_point(light.place),
        address=_address(light.place),
        streetPoleNum=_value(light.name),
        powerRating=_value(light.power, "WTT"),
        lanternHeight=_value(light.height, "MTR"),
        locationCategory=_value("road" if light.on_avenue else "sidewalk"),
        controllingMethod=_value("individual"),
        refStreetlightControlCabinet=_reference("StreetlightControlCabinet", light.cabinet.name),
        refStreetlightGroup=_reference("StreetlightGroup", light.cabinet.name),
    )


def _cabinet(cabinet: Cabinet) -> Entity:
    return _entity(
        "StreetlightControlCabinet",
        cabinet.name,
        name=_value(cabinet.name),
        location=_point(cabinet.place),
        address=_address(cabinet.place),
        workingMode=_value("automatic"),
        maximumPowerAvailable=_value(18, "KWT"),
        refStreetlightGroup=_reference("StreetlightGroup", cabinet.name),
    )


def _building(building: Building) -> Entity:
    return _entity(
        "Building",
        building.key,
        name=_value(building.name),
        location=_point(building.place),
        address=_address(building.place),
        category=_value([building.category]),
        floorsAboveGround=_value(building.floors),
        peopleCapacity=_value(building.capacity),
    )


def _garden(garden: Garden) -> Entity:
    return _entity(
        "Garden",
        garden.key,
        name=_value(garden.name),
        location=_geometry("Polygon", [[list(corner) for corner in garden.outline]]),
        address=_value({"addressLocality": garden.commune, "addressCountry": "FR"}),
    )


def _sensor(sensor: Sensor) -> Iterator[Entity]:
    """The device, and the record of the soil it stands in."""
    yield _entity(
        "Device",
        sensor.key,
        name=_value(sensor.name),
        location=_point(sensor.place),
        deviceCategory=_value(["sensor"]),
        controlledProperty=_value(["soilMoisture", "temperature", "conductivity"]),
        controlledAsset=_reference("GreenspaceRecord", sensor.key),
    )
    yield _entity(
        "GreenspaceRecord",
        sensor.key,
        name=_value(f"Soil of {sensor.name}"),
        location=_point(sensor.place),
        refGreenspace=_reference("Garden", sensor.garden.key),
        refDevice=_reference("Device", sensor.key),
    )


def _entity(entity_type: str, key: str, **attributes: Entity) -> Entity:
    return {"id": entity_id(entity_type, key), "type": entity_type, **attributes}


def _value(value: Any, unit_code: str | None = None) -> Entity:
    unit = {} if unit_code is None else {"unitCode": unit_code}
    return {"type": "Property", "value": value, **unit}


def _reference(entity_type: str, key: str) -> Entity:
    return {"type": "Relationship", "object": entity_id(entity_type, key)}


def _point(place: Place) -> Entity:
    return _geometry("Point", [place.longitude, place.latitude])


def _geometry(kind: str, coordinates: list[Any]) -> Entity:
    return {"type": "GeoProperty", "value": {"type": kind, "coordinates": coordinates}}


def _address(place: Place) -> Entity:
    return _value({"streetAddress": place.street, "addressLocality": place.commune, "addressCountry": "FR"})
