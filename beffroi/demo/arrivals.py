"""Whether everything that was sent is in the broker and was notified: the check of `beffroi demo --once`."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich import box
from rich.table import Table

from beffroi.demo.broker import BrokerClient
from beffroi.demo.ledger import Ledger, Page, Pair, marks

PATIENCE = 60.0
"""Seconds without one of the missing notifications after which they are held to be lost."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of the entities of one type that one party sent, in `changes` changes.

    `stored`: those whose last state the broker has; `notified`: those of which every change was notified.
    """

    source: str
    entity_type: str
    changes: int
    sent: int
    stored: int
    notified: int

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.sent == self.stored == self.notified


async def all_notified(sent: set[Pair], notified: Ledger) -> None:
    """Waits until everything sent was notified, or none of what is missing has been for a long time."""
    loop = asyncio.get_running_loop()
    missing, since = len(sent) + 1, loop.time()
    while (left := len(sent - notified.pairs)) and loop.time() - since < PATIENCE:
        if left < missing:
            missing, since = left, loop.time()
        await asyncio.sleep(0.1)


async def check(broker: BrokerClient, pages: Mapping[str, Page], notified: Ledger) -> list[Arrival]:
    """Holds what each party sent against the broker's answers and the application's ledger."""
    types = sorted({_type(entity_id) for page in pages.values() for entity_id in page.last})
    stored: set[Pair] = set()
    for entity_type in types:
        async for entity in broker.query(entity_type):
            stored.update((entity["id"], mark) for mark in ["", *marks(entity)])
    arrivals = []
    for source, page in pages.items():
        unnoticed = {entity_id for entity_id, _ in page.pairs - notified.pairs}
        for entity_type in types:
            last = {pair for pair in page.last.items() if _type(pair[0]) == entity_type}
            if not last:
                continue
            changes = sum(_type(entity_id) == entity_type for entity_id, _ in page.pairs)
            seen = sum(entity_id not in unnoticed for entity_id, _ in last)
            arrivals.append(Arrival(source, entity_type, changes, len(last), len(last & stored), seen))
    return arrivals


def table(arrivals: Iterable[Arrival]) -> Table:
    """The arrivals as rows."""
    titles = ("sent by", "entities", "changes", "sent", "stored", "notified", "")
    shown = Table(*titles, title="What arrived", box=box.SIMPLE, show_edge=False, padding=0)  # 80 columns
    for column in shown.columns[2:6]:
        column.justify = "right"
    for each in arrivals:
        numbers = (each.changes, each.sent, each.stored, each.notified)
        verdict = "[green]complete[/]" if each.complete else "[red]missing[/]"
        shown.add_row(each.source, each.entity_type, *map(str, numbers), verdict)
    return shown


def _type(entity_id: str) -> str:
    return entity_id.split(":")[2]
