"""One adapter at work: source → mapping → validation → queue on disk → acknowledgement, and beside it the sink."""

import asyncio
import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from adapters.commands import Commands
from adapters.counts import AdapterCounts
from adapters.dead_letter import DeadLetter, DeadLetters
from adapters.decoding import Fault, open_decoder
from adapters.definition import Definition
from adapters.entity_tables import EntityTables
from adapters.errors import AdapterError, MappingError
from adapters.mapping import Mapper
from adapters.queue import Queue
from adapters.sink import Sink
from adapters.sources import Batch
from adapters.sources.opening import open_source
from adapters.validation import open_validator

_log = logging.getLogger("beffroi.adapter")


class Pipeline:
    """An adapter's parts, open on its state directory. `run` until the source ends or `stop`, then `close`."""

    def __init__(self, definition: Definition, counts: AdapterCounts, state: Path) -> None:
        limits = definition.limits
        self.definition = definition
        self.mapper = Mapper(definition)
        self._validate = open_validator(definition.validate)
        self._strict = definition.validate == "strict"
        self._source = open_source(
            definition, open_decoder(definition.format, f"{definition.file}: format", state), state
        )
        self._dead = DeadLetters(state / "dead-letter.ndjson", limits.dead_letter_bytes)
        self._queue = Queue(
            state / "queue.sqlite",
            entities=limits.queue_entities,
            size=limits.queue_bytes,
            drop_oldest=limits.when_full == "drop_oldest",
        )
        self._counts = counts
        counts.watch(lambda: len(self._queue), lambda: self._queue.size, lambda: self._queue.dropped)
        self._tables = EntityTables(definition, self.mapper, state)
        self._commands = Commands(definition, self.mapper, self._queue, counts, state)
        self._sink = Sink(definition.broker, definition.delivery, self._queue, self._dead, counts, self.mapper.static)

    async def run(self) -> None:
        """Takes in and sends until the source ends; returns when everything it gave is settled with the broker."""
        await self._commands.begin()
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(self._sink.run())
            beside = [tasks.create_task(part.run()) for part in (self._commands, self._tables)]
            await self._tables.ready()
            async for batch in self._source.batches():
                await self._take_in(batch)
            await self._commands.drain()
            await self._queue.emptied()
            for task in (sending, *beside):
                task.cancel()

    async def stop(self) -> None:
        """Lets the source go; `run` should then be cancelled: what is queued waits on disk for the next start."""
        await self._source.close()

    def close(self) -> None:
        """Closes what is on disk."""
        self._commands.close()
        self._queue.close()

    async def _take_in(self, batch: Batch) -> None:
        entities, letters = self._made_of(batch)
        await self._queue.put(entities)
        await self._dead.add(letters)
        await self._commands.settle()
        await batch.acknowledge()
        self._counts.queued.inc(len(entities))
        for letter in letters:
            self._counts.dead(letter.stage).inc()

    def _made_of(self, batch: Batch) -> tuple[list[tuple[str, bytes]], list[DeadLetter]]:
        """The entities of a batch by id, as JSON, and what was set aside."""
        self.mapper.begin(datetime.now(UTC))
        letters = [
            DeadLetter("decode", each.reason, each.payload.decode("utf-8", "backslashreplace"))
            for each in batch.rejected
        ]
        entities: list[tuple[str, bytes]] = []
        for document in batch.documents:
            if isinstance(document, Fault):
                self._counts.records.inc()
                letters.append(DeadLetter("decode", document.reason, document.record))
                continue
            try:
                records = self.mapper.records(document)
            except MappingError as error:
                letters.append(DeadLetter("records", str(error), document))
                continue
            self._counts.records.inc(len(records))
            for record in records:
                self._commands.noticed(record)
                try:
                    made = self.mapper.entities(record)
                    bodies = [(entity["id"], orjson.dumps(entity)) for entity in made]
                except MappingError as error:
                    letters.append(DeadLetter("map", str(error), record))
                    continue
                except Exception as error:  # a fault of ours must not stop a feed: the record waits to be replayed
                    _log.exception("%s: a record that the mapping fails on", self.definition.name)
                    letters.append(DeadLetter("map", f"the mapping failed: {error!r}", record))
                    continue
                wrong = [reason for entity in made if (reason := self._validate(entity))]
                if wrong:
                    self._counts.invalid.inc(len(wrong))
                    _log.warning("%s: not valid: %s", self.definition.name, wrong[0])
                    if self._strict:
                        letters.append(DeadLetter("validate", "; ".join(wrong), record))
                        continue
                entities += bodies
        return entities, letters


@contextmanager
def held(state: Path) -> Iterator[Path]:
    """The state directory, made if need be and held by this process alone; AdapterError where another has it."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        lock = (state / "lock").open("w")
    except OSError as error:
        raise AdapterError(f"the state directory {state} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise AdapterError(
                f"the state directory {state} is held by another adapter; give this one another `name` or `state`"
            ) from None
        yield state
