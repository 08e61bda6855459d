"""A peer broker, and adapters as users run them."""

import pytest
import yaml

from tests.adapters.peer import Peer, Process


@pytest.fixture
async def peer():
    peer = Peer()
    await peer.start()
    yield peer
    await peer.stop()


@pytest.fixture
def adapter_file(tmp_path, peer):
    """Writes an adapter's file that sends to the peer and keeps its state in the test's directory."""

    def write(definition, name="test"):
        defaults = {
            "broker": {"url": peer.url},
            "state": str(tmp_path / "state" / name),
            "delivery": {"retry_first": 0.05, "retry_most": 0.2},
        }
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml.safe_dump({**defaults, **definition}))
        return file

    return write


@pytest.fixture
def adapter(tmp_path):
    """Starts adapters: `adapter(file, …)` → Process; each is gone when the test ends."""
    started = []

    def start(*files):
        started.append(Process(files, tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.dispose()
