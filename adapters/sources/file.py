"""A file, or the files a pattern names: replay of a recorded feed, as fast as it goes, at a stated rate, or as its own
times say, so many times as fast."""

import asyncio
import io
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from adapters.decoding import Decoder, Fault, decoded
from adapters.errors import DecodingError, DefinitionError, MappingError
from adapters.mapping.compiler import Expression
from adapters.mapping.expressions import MappingFunctions, compile_expression
from adapters.mapping.times import parse_time
from adapters.options import read
from adapters.sources import Batch, Rejected

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class FileOptions:
    """`path` may have * and ?; files are read in the order of their names. `lines`: each line is
    a payload, as of recorded messages. `rate`: documents a second, 0 for no limit. `speed`: 1 as it was recorded, 60 an
    hour in a minute; `time`: the expression that says when a document was recorded."""

    path: str
    lines: bool = False
    batch: int = 500
    rate: float = 0.0
    speed: float = 0.0
    time: str = ""


_SHORTEST = 0.005
"""Seconds: what follows sooner goes out with what was before."""


class Pace:
    """How long to wait for a document, so that the times in the recording pass `speed` times as fast."""

    def __init__(self, time: Expression, speed: float) -> None:
        self._time = time
        self._speed = speed
        self._began: tuple[float, float] | None = None

    @classmethod
    def of(cls, options: FileOptions, where: str) -> "Pace | None":
        """The pace that the options ask for; None where they ask for none."""
        if not options.speed:
            return None
        return cls(compile_expression(options.time, MappingFunctions(), f"{where}.time"), options.speed)

    def before(self, document: Any) -> float:
        """Seconds from now until the document is due; 0 where it has no time, or is late."""
        try:
            recorded = parse_time(self._time(document), _UTC).timestamp()
        except MappingError:
            return 0.0
        now = time.monotonic()
        if self._began is None:
            self._began = now, recorded
        return self._began[0] + (recorded - self._began[1]) / self._speed - now


class FileSource:
    """Reads its files once, to their end; a document is never split between batches."""

    def __init__(self, options: FileOptions, files: list[Path], decoder: Decoder, pace: "Pace | None") -> None:
        self._options = options
        self._pace = pace
        self._files = files
        self._decoder = decoder

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "FileSource":
        """From a definition's `source: {kind: file, path: …}`; DefinitionError where no file has the name."""
        chosen = read(FileOptions, options, where)
        path = Path(chosen.path)
        files = sorted(path.parent.glob(path.name)) if set(path.name) & set("*?[") else [path]
        if not files or not all(file.is_file() for file in files):
            raise DefinitionError(f"{where}.path", f"there is no file {chosen.path}")
        if chosen.speed < 0 or chosen.rate < 0:
            raise DefinitionError(where, "speed and rate must not be less than 0")
        if chosen.speed and not chosen.time:
            raise DefinitionError(f"{where}.time", "is missing; speed needs the expression of a document's time")
        return cls(chosen, files, decoder, Pace.of(chosen, where))

    async def batches(self) -> AsyncIterator[Batch]:
        """The documents of each file, `batch` at a time; what is broken in a file ends that file, not the source."""
        for file in self._files:
            with file.open("rb") as stream:
                documents: list[Any] = []
                size = max(1, min(self._options.batch, int(self._options.rate) or self._options.batch))
                try:
                    for document in self._decoded(stream):
                        pause = self._pace.before(document) if self._pace else 0.0
                        if pause > _SHORTEST:
                            yield Batch(documents)
                            documents = []
                            await asyncio.sleep(pause)
                        documents.append(document)
                        if len(documents) >= size:
                            yield Batch(documents)
                            if self._options.rate:
                                await asyncio.sleep(len(documents) / self._options.rate)
                            documents = []
                    yield Batch(documents)
                except DecodingError as error:
                    yield Batch(documents, rejected=[Rejected(f"{file}: {error}", b"")])

    def _decoded(self, stream: BinaryIO) -> Iterator[Any]:
        if not self._options.lines:
            yield from decoded(self._decoder, stream, {})
            return
        for number, line in enumerate(stream, 1):
            try:
                yield from decoded(self._decoder, io.BytesIO(line), {})
            except DecodingError as error:
                yield Fault(f"line {number}: {error}", line.decode("utf-8", "backslashreplace"))

    async def close(self) -> None:
        """Nothing is held between batches."""
