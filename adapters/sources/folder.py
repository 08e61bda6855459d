"""A folder that files are dropped into: each is read once and moved to `done/` when its data is safe on disk, or to
`failed/` where it could not be read to its end."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.decoding import Decoder, decoded
from adapters.errors import AdapterError, DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch, Rejected

_log = logging.getLogger("beffroi.adapter.folder")


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """`pattern`: which files, such as `*.csv`. `quiet`: seconds a file must not have changed for, so that one that is
    still being written is left alone. `interval`: seconds between looks. `done`, `failed`: folders, beside the files
    where they are relative names; an empty `done` deletes what was taken."""

    path: str
    pattern: str = "*"
    interval: float = 2.0
    quiet: float = 2.0
    done: str = "done"
    failed: str = "failed"
    batch: int = 500


class FolderSource:
    """The files in the order of their times; what was not acknowledged when the adapter died is read again."""

    def __init__(self, options: FolderOptions, decoder: Decoder) -> None:
        self._options = options
        self._folder = Path(options.path)
        self._decoder = decoder
        self._closed = asyncio.Event()

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "FolderSource":
        """From a definition's `source: {kind: folder, path: …}`; DefinitionError where there is no such folder."""
        chosen = read(FolderOptions, options, where)
        if not Path(chosen.path).is_dir():
            raise DefinitionError(f"{where}.path", f"there is no folder {chosen.path}")
        if not chosen.failed:
            raise DefinitionError(f"{where}.failed", "must name a folder: what cannot be read is not thrown away")
        return cls(chosen, decoder)

    async def batches(self) -> AsyncIterator[Batch]:
        """The documents of each file that comes, until closed."""
        while not self._closed.is_set():
            for file in self._ready():
                async for batch in self._of(file):
                    yield batch
                if self._closed.is_set():
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), self._options.interval)

    def _ready(self) -> list[Path]:
        before = time.time() - self._options.quiet
        found: list[tuple[float, Path]] = []
        try:
            for file in self._folder.glob(self._options.pattern):
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    if file.is_file() and not file.name.startswith(".") and status.st_mtime <= before:
                        found.append((status.st_mtime, file))
        except OSError as error:
            _log.warning("%s: %s", self._folder, error.strerror or error)
        return [file for _, file in sorted(found)]

    async def _of(self, file: Path) -> AsyncIterator[Batch]:
        options = self._options
        documents: list[Any] = []
        try:
            with file.open("rb") as stream:
                for document in decoded(self._decoder, stream, {"file": file.name}):
                    documents.append(document)
                    if len(documents) >= options.batch:
                        yield Batch(documents)
                        documents = []
        except DecodingError as error:
            rejected = [Rejected(f"{file}: {error} (the file is in {options.failed})", b"")]
            yield Batch(documents, lambda: self._move(file, options.failed), rejected)
            return
        except OSError as error:
            _log.warning("%s cannot be read: %s", file, error.strerror or error)
            return
        yield Batch(documents, lambda: self._move(file, options.done))

    async def _move(self, file: Path, to: str) -> None:
        try:
            self._moved(file, to)
        except OSError as error:  # it would be read again for ever
            raise AdapterError(f"{file} cannot be moved to {to or 'nowhere'}: {error.strerror or error}") from None

    def _moved(self, file: Path, to: str) -> None:
        if not to:
            file.unlink()
            return
        folder = self._folder / to
        folder.mkdir(exist_ok=True)
        target = folder / file.name
        if target.exists():
            target = folder / f"{file.stem}-{time.time_ns()}{file.suffix}"
        file.replace(target)

    async def close(self) -> None:
        """No further file."""
        self._closed.set()
