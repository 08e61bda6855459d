"""Vendors' systems, simulated: each speaks its real protocol on loopback, to whatever adapter listens.

They note on their page what they handed over, once the other side has acknowledged it.
"""

from abc import ABC, abstractmethod
from datetime import UTC, datetime


class Vendor(ABC):
    """A vendor's system; `protocol` is how it speaks."""

    protocol: str

    async def start(self) -> None:  # noqa: B027 - not all have something to open
        """Opens what it serves, where it does."""

    @abstractmethod
    async def round(self) -> int:
        """Hands over the state of everything it has, once; the number of things."""

    @abstractmethod
    async def keep_sending(self) -> None:
        """Sends changes as they happen, until cancelled."""

    async def stop(self) -> None:  # noqa: B027
        """Closes what it opened."""


def now() -> datetime:
    """The time by the vendors' clocks, to the millisecond."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def utc(time: datetime) -> str:
    """As NGSI-LD writes a time, without zeros at the end of the fraction: what the broker will answer."""
    text = time.astimezone(UTC).isoformat().removesuffix("+00:00")
    return (text.rstrip("0") if "." in text else text) + "Z"
