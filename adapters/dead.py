"""`beffroi adapter dead FILE list|replay`: what an adapter set aside, and another try once the cause is mended."""

import asyncio
import io
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import orjson

from adapters.dead_letter import DeadLetter, DeadLetters
from adapters.decoding import Decoder, Fault, open_decoder
from adapters.definition import Definition, load
from adapters.entity_tables import EntityTables
from adapters.errors import AdapterError, DecodingError, MappingError
from adapters.mapping import Mapper
from adapters.pipeline import held
from adapters.queue import Queue
from adapters.validation import open_validator


def main(file: Path, command: str, out: TextIO = sys.stdout, err: TextIO = sys.stderr) -> int:
    """Prints the letters, oldest first, or tries them again; 0, or 1 where a letter stays or the file is not right."""
    try:
        definition = load(Path(file))
        dead = DeadLetters(definition.state_directory / "dead-letter.ndjson", definition.limits.dead_letter_bytes)
        if command == "list":
            return _list(dead, out, err)
        with held(definition.state_directory) as state:
            return asyncio.run(_replay(definition, dead, state, err))
    except AdapterError as error:
        err.write(f"{error}\n")
        return 1


def _list(dead: DeadLetters, out: TextIO, err: TextIO) -> int:
    count = 0
    for letter in dead.read():
        count += 1
        out.write(f"{letter.time}  {letter.stage}: {letter.reason}\n")
        out.write(f"    {orjson.dumps(letter.record).decode()}\n")
    err.write(f"{count} dead letters in {dead.path}\n")
    return 0


async def _replay(definition: Definition, dead: DeadLetters, state: Path, err: TextIO) -> int:
    """What can be mapped now goes into the queue; only then the letters are taken away, so that a crash in between
    sends twice (which changes nothing) and loses none."""
    limits = definition.limits
    queue = Queue(state / "queue.sqlite", entities=limits.queue_entities, size=limits.queue_bytes, drop_oldest=False)
    again = _Again(definition, state)
    stay: list[DeadLetter] = []
    replayed = 0
    try:
        for letter in dead.read():
            try:
                entities = again.entities(letter)
            except _StaysError as error:
                stay.append(replace(letter, reason=str(error)))
                continue
            replayed += 1
            await queue.put([(entity["id"], orjson.dumps(entity)) for entity in entities])
    finally:
        queue.close()
    dead.replace(stay)
    err.write(f"{replayed} letters are queued again and {len(stay)} stay; `beffroi adapter run` sends what is queued\n")
    for letter in stay[:20]:
        err.write(f"stays: {letter.stage}: {letter.reason}\n")
    return 1 if stay else 0


class _StaysError(Exception):
    """Why a letter cannot be replayed, as yet."""


class _Again:
    """From a letter to the entities that the adapter, as its file is now, makes of it."""

    def __init__(self, definition: Definition, state: Path) -> None:
        self._mapper = Mapper(definition)
        EntityTables(definition, self._mapper, state)
        self._mapper.begin(datetime.now(UTC))
        self._decoder: Decoder = open_decoder(definition.format, f"{definition.file}: format", state)
        self._validate = open_validator(definition.validate)
        self._strict = definition.validate == "strict"

    def entities(self, letter: DeadLetter) -> list[dict[str, Any]]:
        """The entities; _StaysError where it fails again."""
        if letter.stage in ("broker", "history"):
            return [letter.record]
        try:
            made = [entity for record in self._records(letter) for entity in self._mapper.entities(record)]
        except (MappingError, DecodingError) as error:
            raise _StaysError(str(error)) from None
        wrong = [reason for entity in made if (reason := self._validate(entity))] if self._strict else []
        if wrong:
            raise _StaysError("; ".join(wrong))
        return made

    def _records(self, letter: DeadLetter) -> Iterator[Any]:
        if letter.stage in ("map", "validate"):
            yield letter.record
        elif letter.stage == "records":
            yield from self._mapper.records(letter.record)
        elif letter.record == "":
            raise _StaysError(letter.reason)  # of a file, which has its own place
        else:
            text = letter.record.encode() if isinstance(letter.record, str) else orjson.dumps(letter.record)
            for document in self._decoder.decode(io.BytesIO(text), {}):
                if isinstance(document, Fault):
                    raise _StaysError(document.reason)
                yield from self._mapper.records(document)
