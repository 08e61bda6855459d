"""What tests of every kind share: one real MongoDB and one real broker for the whole session."""

import asyncio
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from broker.embedded import EmbeddedMongo

BEFFROI = Path(sys.executable).parent / "beffroi"


@pytest.fixture(scope="session")
async def mongo_uri():
    """The URI of a replica set of one, empty at the start of the session."""
    with tempfile.TemporaryDirectory(prefix="beffroi-tests-") as directory:
        async with EmbeddedMongo(directory, cache_gb=0.25) as uri:
            yield uri


@dataclass
class Broker:
    """A `beffroi serve` of its own process and data directory; `url` has no slash at its end."""

    data_dir: Path
    port: int = 0
    options: tuple[str, ...] = ()
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        """Starts it, or starts it again on the same port and data, and waits until it is ready."""
        self.port = self.port or free_port()
        command = [str(BEFFROI), "serve", "--port", str(self.port), "--data-dir", str(self.data_dir), *self.options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BEFFROI_")}
        with (self.data_dir / "broker.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=log, stderr=log)
        async with aiohttp.ClientSession() as session:
            for _ in range(300):
                assert self.process.returncode is None, self.log()
                try:
                    async with session.get(f"{self.url}/health/ready") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.1)
        raise AssertionError(f"the broker is not ready:\n{self.log()}")

    async def stop(self):
        """Ends it as Ctrl-C does."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 30)

    async def kill(self):
        """kill -9."""
        self.process.kill()
        await self.process.wait()

    def log(self):
        """The end of its log."""
        return (self.data_dir / "broker.log").read_text()[-4000:]


def free_port():
    """A port of the loopback interface that nothing listens on."""
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="session")
async def broker():
    """A running broker that the tests of a session share; it may fetch @contexts from this machine."""
    with tempfile.TemporaryDirectory(prefix="beffroi-broker-") as directory:
        one = Broker(Path(directory), options=("--context-networks", "127.0.0.0/8"))
        await one.start()
        try:
            yield one
        finally:
            await one.stop()


@pytest.fixture
async def own_broker(tmp_path):
    """A running broker for one test, which may kill it."""
    one = Broker(tmp_path)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
