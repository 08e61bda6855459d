"""One entity made of what several sources have of it (GS CIM 009 v1.9.1, 4.5.5.2 and 4.5.5.3).

    merged([here, there], [auxiliary], now)

What has expired is not there. Of instances of an attribute with the same datasetId the one with the latest observedAt
stands, of those without one that with the latest modifiedAt; then the first source's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ngsi_ld.datetimes import canonical_date_time
from ngsi_ld.entity import Attributes, Entity, Instance
from ngsi_ld.expiry import alive, expired


def merged(versions: Iterable[Entity], auxiliary: Iterable[Entity], now: str) -> Entity | None:
    """The entity that these versions of it make together; None where none of them is alive.

    `auxiliary` versions add those attributes that no other version has (4.3.6.2).
    """
    living = [one for one in versions if alive(one, now) is not None]
    extra = [one for one in auxiliary if alive(one, now) is not None]
    everyone = living + extra
    if len(everyone) < 2:
        return everyone[0] if everyone else None
    transient = [one.expires_at for one in everyone if one.expires_at is not None]
    if transient:
        living, extra = list(map(_with_expiry_within, living)), list(map(_with_expiry_within, extra))
    attributes = _attributes(living, now)
    for name, instances in _attributes(extra, now).items():
        attributes.setdefault(name, instances)
    return Entity(
        id=everyone[0].id,
        types=_united([one.types for one in everyone]),
        attributes=attributes,
        scope=_united([one.scope for one in everyone]),
        created_at=min((one.created_at for one in everyone if one.created_at), default=""),
        modified_at=max(one.modified_at for one in everyone),
        expires_at=max(transient, key=_canonical) if len(transient) == len(everyone) else None,
        version=everyone[0].version,
    )


def _attributes(versions: Sequence[Entity], now: str) -> Attributes:
    """The attributes of all versions; an attribute that one version alone has is that version's list."""
    merged_attributes: Attributes = {}
    for version in versions:
        for name, instances in version.attributes.items():
            live = [one for one in instances if "expiresAt" not in one or not expired(one["expiresAt"], now)]
            if not live:
                continue
            known = merged_attributes.get(name)
            merged_attributes[name] = live if known is None else _instances(known, live)
    return merged_attributes


def _instances(known: list[Instance], others: list[Instance]) -> list[Instance]:
    by_dataset = {one.get("datasetId"): one for one in known}
    for other in others:
        dataset_id = other.get("datasetId")
        present = by_dataset.get(dataset_id)
        if present is None or _recency(other) > _recency(present):
            by_dataset[dataset_id] = other
    return list(by_dataset.values())


def _recency(instance: Instance) -> tuple[str, str]:
    observed_at, modified_at = instance.get("observedAt"), instance.get("modifiedAt")
    # Without its final Z a canonical date-time sorts by time; what has none comes before all.
    return _canonical(observed_at), _canonical(modified_at)


def _canonical(text: str | None) -> str:
    return canonical_date_time(text)[:-1] if text else ""


def _with_expiry_within(entity: Entity) -> Entity:
    """The entity with its expiresAt on each of its attributes that would last longer (4.5.5.2)."""
    expires_at = entity.expires_at
    if expires_at is None:
        return entity
    attributes: Attributes = {}
    for name, instances in entity.attributes.items():
        attributes[name] = [
            {**one, "expiresAt": expires_at}
            if "expiresAt" not in one or _canonical(one["expiresAt"]) > _canonical(expires_at)
            else one
            for one in instances
        ]
    return replace(entity, attributes=attributes)


def _united(lists: Iterable[list[str]]) -> list[str]:
    return list(dict.fromkeys([one for values in lists for one in values]))
