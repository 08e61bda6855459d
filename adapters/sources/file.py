"""A file, or the files a pattern names: replay of a recorded feed, as fast as it goes or at a stated rate."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from adapters.decoding import Decoder, Fault
from adapters.errors import DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch, Rejected


@dataclass(frozen=True, slots=True)
class FileOptions:
    """`path` may have * and ?; files are read in the order of their names. `lines`: each line is
    a payload, as of recorded messages. `rate`: documents a second, 0 for no limit."""

    path: str
    lines: bool = False
    batch: int = 500
    rate: float = 0.0


class FileSource:
    """Reads its files once, to their end; a document is never split between batches."""

    def __init__(self, options: FileOptions, files: list[Path], decoder: Decoder) -> None:
        self._options = options
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
        return cls(chosen, files, decoder)

    async def batches(self) -> AsyncIterator[Batch]:
        """The documents of each file, `batch` at a time; what is broken in a file ends that file, not the source."""
        for file in self._files:
            with file.open("rb") as stream:
                documents: list[Any] = []
                size = max(1, min(self._options.batch, int(self._options.rate) or self._options.batch))
                try:
                    for document in self._decoded(stream):
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
            yield from self._decoder.decode(stream, {})
            return
        for number, line in enumerate(stream, 1):
            try:
                yield from self._decoder.decode(io.BytesIO(line), {})
            except DecodingError as error:
                yield Fault(f"line {number}: {error}", line.decode("utf-8", "backslashreplace"))

    async def close(self) -> None:
        """Nothing is held between batches."""
