"""Programs that the demonstration starts: each dies with it, whatever kills it, and leaves its words in a log file."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from broker.embedded import die_with_parent

_AT_ONCE = 3.0
"""Seconds: a program that ends sooner after its start does not run at all."""

_PAUSE = 1.0


class CannotPerform(Exception):
    """Something that the demonstration needs does not run."""


class Program:
    """A `beffroi` command in a process group of its own; `log` gets what it prints."""

    def __init__(self, name: str, arguments: list[str], log: Path) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Starts it, or starts it again after its end."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                "from beffroi.cli import main; main()",
                *self._arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    def obituary(self) -> str:
        """That it cannot run, and its last words."""
        words = self.log.read_text(errors="replace").splitlines()[-5:]
        return "\n".join([f"The {self.name} cannot run. The end of {self.log}:", *words])

    async def keep(self, say: Callable[[str], None]) -> NoReturn:
        """Starts it again each time it ends, and says so; raises `CannotPerform` where that does not help."""
        while True:
            watched = time.monotonic()
            code = await self._process.wait()
            if code > 0 and time.monotonic() - watched < _AT_ONCE:
                raise CannotPerform(self.obituary())
            how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended (status {code})"
            say(f"[bold red]The {self.name} {how}.[/] It starts again.")
            await asyncio.sleep(_PAUSE)
            await self.start()

    async def stop(self, seconds: float = 20.0) -> None:
        """SIGTERM, and SIGKILL to its whole group if it has not ended in time."""
        if not self.running:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def in_use(host: str, port: int) -> bool:
    """Whether a port cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
        return False
