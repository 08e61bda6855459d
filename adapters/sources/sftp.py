"""A folder on an SFTP server that files are dropped into: each is read once and moved to `done/` there when its data is
safe on disk here, or to `failed/` where it could not be read to its end. Needs the extra beffroi[sftp] (asyncssh)."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from posixpath import join
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from adapters.backoff import Backoff
from adapters.decoding import Decoder, decoded
from adapters.errors import AdapterError, DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch, Rejected

if TYPE_CHECKING:
    from asyncssh import SFTPClient, SSHClientConnection

_log = logging.getLogger("beffroi.adapter.sftp")


@dataclass(frozen=True, slots=True)
class SftpOptions:
    """`known_hosts`: a file in OpenSSH's format with the server's key, by which it is known to be the one meant. `key`:
    a file with our private key, or else `password`. `quiet`: seconds a file must not have changed for. `interval`:
    seconds between looks. `done`, `failed`: folders beside the files; an empty `done` deletes what was taken.
    `max_bytes`: a longer file is moved to `failed`."""

    host: str
    username: str
    path: str
    known_hosts: str
    port: int = 22
    password: str = ""
    key: str = ""
    pattern: str = "*"
    interval: float = 60.0
    quiet: float = 5.0
    done: str = "done"
    failed: str = "failed"
    batch: int = 500
    max_bytes: int = 1_000_000_000
    timeout: float = 30.0
    retry_most: float = 300.0


class SftpSource:
    """The files in the order of their times; what was not acknowledged when the adapter died is read again."""

    def __init__(self, options: SftpOptions, decoder: Decoder, state: Path) -> None:
        self._options = options
        self._decoder = decoder
        self._draft = state / "sftp.download"
        self._closed = asyncio.Event()
        self._lost = False

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "SftpSource":
        """From a definition's `source: {kind: sftp, host: …}`; DefinitionError where the library is not installed, or a
        file that is named is not there."""
        chosen = read(SftpOptions, options, where)
        try:
            import asyncssh  # noqa: F401
        except ImportError:
            raise DefinitionError(
                f"{where}.kind", "sftp needs the extra beffroi[sftp], which is not installed"
            ) from None
        for name in ("known_hosts", "key"):
            file = getattr(chosen, name)
            if file and not Path(file).is_file():
                raise DefinitionError(f"{where}.{name}", f"there is no file {file}")
        if not chosen.key and not chosen.password:
            raise DefinitionError(where, "must have a key (a file) or a password")
        if not chosen.failed:
            raise DefinitionError(f"{where}.failed", "must name a folder: what cannot be read is not thrown away")
        return cls(chosen, decoder, state)

    async def batches(self) -> AsyncIterator[Batch]:
        """The documents of each file that comes, until closed. A server that is away is tried again."""
        import asyncssh

        options = self._options
        backoff = Backoff(1.0, options.retry_most)
        while not self._closed.is_set():
            delay = options.interval
            try:
                async with self._connection() as connection, connection.start_sftp_client() as client:
                    self._lost = False
                    backoff.reset()
                    for name, size in await self._ready(client):
                        async for batch in self._of(client, name, size):
                            yield batch
                        if self._closed.is_set() or self._lost:
                            break
            except (asyncssh.Error, OSError, TimeoutError) as error:
                delay = backoff.next()
                told = str(error) or "no answer in time"
                _log.warning("%s:%d: %s; next try in %.1f s", options.host, options.port, told, delay)
            finally:
                self._draft.unlink(missing_ok=True)
            await self._sleep(delay)

    def _connection(self) -> "contextlib.AbstractAsyncContextManager[SSHClientConnection]":
        import asyncssh

        options = self._options
        connection: contextlib.AbstractAsyncContextManager[SSHClientConnection] = asyncssh.connect(
            options.host,
            options.port,
            username=options.username,
            password=options.password or None,
            client_keys=[options.key] if options.key else None,
            known_hosts=options.known_hosts,
            connect_timeout=options.timeout,
            login_timeout=options.timeout,
            keepalive_interval=options.timeout,
            config=None,
            agent_path=None,
        )
        return connection

    async def _ready(self, client: "SFTPClient") -> list[tuple[str, int]]:
        """The names and sizes of the files that did not change between two looks, older first."""
        before = await self._files(client)
        if before:
            await self._sleep(self._options.quiet)
        after = await self._files(client) if before else {}
        same = [(changed, name, size) for name, (changed, size) in after.items() if before.get(name) == (changed, size)]
        return [(name, size) for _, name, size in sorted(same)]

    async def _files(self, client: "SFTPClient") -> dict[str, tuple[int, int]]:
        found = {}
        for entry in await client.readdir(self._options.path):
            name, attributes = str(entry.filename), entry.attrs
            regular = attributes.permissions is None or S_ISREG(attributes.permissions)
            if regular and not name.startswith(".") and fnmatchcase(name, self._options.pattern):
                found[name] = (attributes.mtime or 0, attributes.size or 0)
        return found

    async def _of(self, client: "SFTPClient", name: str, size: int) -> AsyncIterator[Batch]:
        options = self._options
        if size > options.max_bytes:
            reason = f"{name}: more than {options.max_bytes} bytes (the file is in {options.failed})"
            yield Batch([], lambda: self._move(client, name, options.failed), [Rejected(reason, b"")])
            return
        await client.get(join(options.path, name), str(self._draft))
        documents: list[Any] = []
        try:
            with self._draft.open("rb") as stream:
                for document in decoded(self._decoder, stream, {"file": name}):
                    documents.append(document)
                    if len(documents) >= options.batch:
                        yield Batch(documents)
                        documents = []
        except DecodingError as error:
            rejected = [Rejected(f"{name}: {error} (the file is in {options.failed})", b"")]
            yield Batch(documents, lambda: self._move(client, name, options.failed), rejected)
            return
        yield Batch(documents, lambda: self._move(client, name, options.done))

    async def _move(self, client: "SFTPClient", name: str, to: str) -> None:
        """Moves a file whose data is safe. A connection that breaks here leaves it, and it is read again."""
        import asyncssh

        file = join(self._options.path, name)
        try:
            if not to:
                await client.remove(file)
                return
            folder = join(self._options.path, to)
            await client.makedirs(folder, exist_ok=True)
            target = join(folder, name)
            if await client.exists(target):
                stem, dot, suffix = name.rpartition(".")
                target = join(folder, f"{stem or suffix}-{time.time_ns()}{dot if stem else ''}{suffix if stem else ''}")
            await client.rename(file, target)
        except (asyncssh.SFTPNoConnection, asyncssh.SFTPConnectionLost, asyncssh.DisconnectError, OSError) as error:
            self._lost = True
            _log.warning("%s was taken and is not moved, for the connection was lost: %s", file, error)
        except asyncssh.SFTPError as error:  # it would be read again for ever
            raise AdapterError(f"{file} cannot be moved to {to or 'nowhere'}: {error.reason}") from None

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)

    async def close(self) -> None:
        """No further file."""
        self._closed.set()
