"""Street lights, and what is done to them."""

from dataclasses import replace

from ngsi_ld.entity import Entity
from ngsi_ld.errors import already_exists, not_found

TIME = "2026-11-23T17:02:01.250Z"
TYPE = "https://example.org/Streetlight"


def entity(number: int | str = 1, *, time: str = TIME, **values) -> Entity:
    """An entity with a Property for each value, or an instance given whole."""
    attributes = {
        f"https://example.org/{name}": [
            (value if isinstance(value, dict) and "type" in value else {"type": "Property", "value": value})
            | {"createdAt": time, "modifiedAt": time}
        ]
        for name, value in values.items()
    }
    return Entity(f"urn:ngsi-ld:Streetlight:{number}", [TYPE], attributes, [], time, time)


def creating(new: Entity):
    def mutation(before):
        if before is not None:
            raise already_exists(f"{new.id} exists")
        return new

    return mutation


def putting(name: str, value):
    """Sets one attribute, keeping the others."""

    def mutation(before):
        if before is None:
            raise not_found("there is no such entity")
        instance = {"type": "Property", "value": value, "createdAt": TIME, "modifiedAt": TIME}
        return replace(before, attributes=before.attributes | {f"https://example.org/{name}": [instance]})

    return mutation


def deleting(before):
    if before is None:
        raise not_found("there is no such entity")


def value(found: Entity, name: str):
    return found.attributes[f"https://example.org/{name}"][0]["value"]
