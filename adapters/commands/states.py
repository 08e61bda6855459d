"""What a command is on its way through, and the states it can be in."""

import time
from dataclasses import dataclass, replace
from typing import Any

PENDING = "PENDING"
"""Taken, and not given to the vendor yet."""

SENDING = "SENDING"
"""On disk before anything is sent; never reported. Found at a start, it means that nobody knows what was sent."""

DELIVERED = "DELIVERED"
"""The vendor has it; what the equipment did is to come."""

OK = "OK"
ERROR = "ERROR"

EXPIRED = "EXPIRED"
"""Older than its time to live before it could be sent, and not sent."""

TIMEOUT = "TIMEOUT"
"""Delivered, and nothing heard in time; what is heard later still counts."""

TAKEN = "taken"
"""What is said of a command that was not tried yet."""

UNKNOWN = "UNKNOWN"
"""It may or may not have reached the vendor, and is not sent again."""

STATES = (PENDING, DELIVERED, OK, ERROR, EXPIRED, TIMEOUT, UNKNOWN)
"""The values of `<name>_status`."""

WAITING = frozenset({DELIVERED, TIMEOUT, UNKNOWN})
"""States in which a later message of the vendor can tell the outcome."""

FINAL = frozenset({OK, ERROR, EXPIRED})


@dataclass(frozen=True, slots=True)
class Order:
    """A command that was taken.

    `id`: a UUID, the same however often the command is notified. `template`: the entity template in whose `commands`
    it is declared. `value`: as the broker has it; `options`: its other members (sub-properties) by name; `attributes`:
    of the entity, where the command asks for some. `requested`: when it was written, seconds since 1970; `expires`:
    when it is too old to be sent; `key`: how the vendor's messages name it; `state_at`: seconds since 1970.
    """

    id: str
    template: str
    entity: str
    type: str
    name: str
    value: Any
    options: dict[str, Any]
    attributes: dict[str, Any]
    address: Any
    by: str
    requested: float
    expires: float
    state: str
    state_at: float
    info: Any
    key: str = ""

    def into(self, state: str, info: Any) -> "Order":
        """The command in another state from now on, and never before the state it leaves."""
        return replace(self, state=state, info=info, state_at=max(time.time(), self.state_at))
