"""The commands of one adapter: all the parts, opened on its state directory."""

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson

from adapters.commands.audit import FILE, Audit
from adapters.commands.dispatcher import Dispatcher
from adapters.commands.downlink import open_downlink
from adapters.commands.intake import Intake
from adapters.commands.ledger import Ledger
from adapters.commands.options import CommandsOptions
from adapters.commands.outcomes import Outcomes
from adapters.commands.receiver import Receiver, token_of
from adapters.commands.reporter import Reporter
from adapters.commands.states import PENDING, Order
from adapters.commands.subscriber import Subscriber
from adapters.commands.template import CommandTemplate, compile_commands
from adapters.counts import AdapterCounts
from adapters.decoding import profile_part
from adapters.definition import Definition
from adapters.errors import DefinitionError
from adapters.mapping import Mapper
from adapters.options import read
from adapters.queue import Queue


def options_of(definition: Definition) -> CommandsOptions:
    """The member `commands` of an adapter's file."""
    where = f"{definition.file}: commands"
    options = read(CommandsOptions, definition.commands, where)
    for name in ("rate", "concurrency", "most", "time_to_live", "timeout", "poll"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise DefinitionError(f"{where}.{name}", f"must be more than 0, not {value}")
    return options


def templates_of(definition: Definition, mapper: Mapper) -> list[CommandTemplate]:
    """The commands that an adapter's file declares; DefinitionError where one is not right."""
    options = options_of(definition)
    encoding = options.send.get("encoding")
    encode = None
    if encoding is not None:
        where = f"{definition.file}: commands.send.encoding"
        encode = profile_part(encoding, "commands", "encode", where, ["json"])
    templates = [
        template
        for name, entity in definition.entities.items()
        if isinstance(entity, dict)
        for template in compile_commands(
            name,
            entity,
            options,
            mapper.functions,
            mapper.zone,
            encode,
            f"{definition.file}: entities.{name}.commands",
        )
    ]
    if options.taken and not templates:
        raise DefinitionError(f"{definition.file}: commands", "are taken, and no entity template has any")
    return templates


class Commands:
    """Remembers what records tell of addresses, always; takes and carries out commands where the file says how they
    come (`commands.port` or `commands.poll`)."""

    def __init__(
        self, definition: Definition, mapper: Mapper, queue: Queue, counts: AdapterCounts, state: Path
    ) -> None:
        options = options_of(definition)
        templates = templates_of(definition, mapper)
        by_name = {(each.template, each.name): each for each in templates}
        self._mapper = mapper
        self._counts = counts
        self._options = options
        self._ledger = Ledger(state / "commands.sqlite")
        self._taken = options.taken and bool(templates)
        self._told: list[Order] = []
        self._outcomes = Outcomes(templates)
        if not self._taken:
            return
        audit = Audit(state / FILE)
        send = {name: value for name, value in options.send.items() if name != "encoding"}
        self._downlink = open_downlink(send, f"{definition.file}: commands.send", state)
        self._reporter = Reporter(self._ledger, queue)
        self._dispatcher = Dispatcher(
            options,
            by_name,
            self._ledger,
            audit,
            self._downlink,
            self._outcomes,
            self._changed,
        )
        self._intake = Intake(templates, self._ledger, audit, options.most, self._changed)
        token = token_of(options, state)
        self._receiver = Receiver(options, token, self._notified, lambda: self._intake.full)
        self._subscriber = Subscriber(definition.name, definition.broker, options, token, templates, self._intake.take)

    def noticed(self, record: Any) -> None:
        """A record of the feed, which may tell what became of a command."""
        self._told += self._outcomes.told(record)

    async def settle(self) -> None:
        """What records told since the last time is on disk on return."""
        addresses = self._mapper.addresses.take()
        await self._ledger.remember({entity: orjson.dumps(address) for entity, address in addresses.items()})
        if self._told:
            told, self._told = self._told, []
            await self._dispatcher.settle(told)

    async def begin(self) -> None:
        """Before the first record: what the last run left is known, so that records can tell what became of it."""
        await self._ledger.forget(time.time() - self._options.keep)
        if self._taken:
            await self._dispatcher.begin()

    async def run(self) -> None:
        """Takes and carries out until it is cancelled."""
        if not self._taken:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._downlink.run())
                tasks.create_task(self._dispatcher.run())
                tasks.create_task(self._reporter.run())
                if self._options.port is not None:
                    listening = asyncio.Event()
                    tasks.create_task(self._receiver.run(listening))
                    await listening.wait()
                await self._subscriber.run()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def drain(self) -> None:
        """Begins nothing more, and returns when what was begun has ended."""
        if self._taken:
            await self._dispatcher.drain()

    def close(self) -> None:
        """Closes the ledger."""
        self._ledger.close()

    async def _notified(self, entities: list[Any]) -> None:
        if self._intake.dated(entities):
            await self._intake.take(entities)
        else:
            self._subscriber.wake()

    def _changed(self, state: str) -> None:
        """A command came into a state."""
        self._counts.command(state).inc()
        self._reporter.wake()
        if state == PENDING:
            self._dispatcher.wake()
