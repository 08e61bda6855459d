"""States of commands back to the broker, through the queue on disk by which everything of the adapter goes."""

import asyncio
from typing import Any

import orjson

from adapters.commands.audit import time_text
from adapters.commands.intake import COMMAND_ID
from adapters.commands.ledger import Ledger
from adapters.commands.states import Order
from adapters.queue import Queue


class Reporter:
    """Writes `<name>_status` and `<name>_info` of what changed. Of a command that a newer one of the same name and
    entity has followed, nothing more: the attributes are of the newest."""

    def __init__(self, ledger: Ledger, queue: Queue) -> None:
        self._ledger = ledger
        self._queue = queue
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be something to write."""
        self._woken.set()

    async def run(self) -> None:
        """Writes until it is cancelled. What was queued and not noted as queued is queued again: it changes nothing."""
        while True:
            self._woken.clear()
            for order, newer in await self._ledger.unreported():
                if not newer:
                    await self._queue.put([(order.entity, orjson.dumps(report(order), default=repr))])
                await self._ledger.reported(order)
            await self._woken.wait()


def report(order: Order) -> dict[str, Any]:
    """The fragment of the entity that says what became of a command, in normalized NGSI-LD."""
    at = time_text(order.state_at)
    status = {
        "type": "Property",
        "value": order.state,
        "observedAt": at,
        COMMAND_ID: {"type": "Property", "value": order.id},
    }
    info = {"type": "Property", "value": order.info, "observedAt": at}
    return {
        "id": order.entity,
        "type": order.type,
        f"{order.name}_status": status,
        f"{order.name}_info": info,
    }
