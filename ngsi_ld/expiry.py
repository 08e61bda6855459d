"""Transient entities and attributes (4.22): past their `expiresAt` they are not there, whatever still stores them."""

from typing import Any

from ngsi_ld.datetimes import canonical_date_time, checked_date_time
from ngsi_ld.entity import Entity


def checked_expiry(value: Any) -> str:
    """An `expiresAt` in canonical form, in which it is kept; BadRequestData for what is no date-time."""
    return canonical_date_time(checked_date_time(value, "expiresAt"))


def expired(expires_at: str, now: str) -> bool:
    """Whether an instant in canonical form has passed."""
    return expires_at[:-1] <= now[:-1]


def alive(entity: Entity | None, now: str) -> Entity | None:
    """The entity unless it has expired."""
    if entity is None or (entity.expires_at is not None and expired(entity.expires_at, now)):
        return None
    return entity
