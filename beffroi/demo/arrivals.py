"""Whether everything that was sent is in the broker and was notified: the check of `beffroi demo --once`."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table

from beffroi.demo.broker import BrokerClient
from beffroi.demo.ledger import Ledger, Pair, newest_observation

PATIENCE = 60.0
"""Seconds without a new notification after which the missing ones are held to be lost."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of the entities of one type that one party sent."""

    source: str
    entity_type: str
    sent: int
    stored: int
    notified: int

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.sent == self.stored == self.notified


async def all_notified(sent: set[Pair], notified: Ledger) -> None:
    """Waits until everything sent was notified, or nothing new has been for a long time."""
    loop = asyncio.get_running_loop()
    known, since = -1, loop.time()
    while sent - notified.pairs and loop.time() - since < PATIENCE:
        if len(notified.pairs) != known:
            known, since = len(notified.pairs), loop.time()
        await asyncio.sleep(0.1)


async def check(broker: BrokerClient, registers: set[Pair], feeds: set[Pair], notified: Ledger) -> list[Arrival]:
    """Holds what registers and feeds sent against the broker's answers and the application's ledger.

    An entity of a register must be there; one of a feed must have, as its newest observation, the last one sent.
    """
    arrivals = []
    for source, pairs in (("registers", registers), ("feeds", feeds)):
        for entity_type in sorted({_type(entity_id) for entity_id, _ in pairs}):
            wanted = {pair for pair in pairs if _type(pair[0]) == entity_type}
            stored = {(entity["id"], newest_observation(entity)) async for entity in broker.query(entity_type)}
            ids = {entity_id for entity_id, _ in stored}
            there = sum(pair in stored if pair[1] else pair[0] in ids for pair in wanted)
            arrivals.append(Arrival(source, entity_type, len(wanted), there, len(wanted & notified.pairs)))
    return arrivals


def table(arrivals: Iterable[Arrival]) -> Table:
    """The arrivals as rows."""
    shown = Table("sent by", "entities", "sent", "stored", "notified", "", title="What arrived")
    for column in shown.columns[2:5]:
        column.justify = "right"
    for each in arrivals:
        verdict = "[green]complete[/]" if each.complete else "[red]missing[/]"
        shown.add_row(each.source, each.entity_type, str(each.sent), str(each.stored), str(each.notified), verdict)
    return shown


def _type(entity_id: str) -> str:
    return entity_id.split(":")[2]
