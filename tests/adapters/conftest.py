"""A peer broker, and adapters as users run them."""

import re

import pytest
import yaml

from tests.adapters.application import Application
from tests.adapters.mqtt import MOSQUITTO, Mosquitto, Mqtt
from tests.adapters.peer import Peer, Process
from tests.adapters.profiles import definition_of
from tests.adapters.reader import Reader
from tests.adapters.vendor import Vendor


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


@pytest.fixture
def log(tmp_path):
    """What the test's adapters have said so far."""
    return lambda: (tmp_path / "adapter.log").read_text()


@pytest.fixture
def tenant(request):
    return re.sub(r"[^A-Za-z0-9]", "_", request.node.name.removeprefix("test_"))[:40]


@pytest.fixture
def reader(broker, tenant):
    return Reader(broker.url, tenant)


@pytest.fixture
def application(broker, tenant):
    return Application(broker.url, tenant)


@pytest.fixture
def delivers_to(adapter_file, broker, tenant):
    """Writes an adapter's file that sends to the real broker."""

    def write(definition):
        return adapter_file({"broker": {"url": broker.url, "tenant": tenant}, "validate": "strict", **definition})

    return write


@pytest.fixture
def runs(delivers_to, adapter):
    """Runs a profile against the real broker: `runs("open311", {settings}, member of the file=…)` → Process."""

    def run(profile, settings=None, **members):
        definition = definition_of(profile, **(settings or {}))
        return adapter(delivers_to({**definition, **members}))

    return run


@pytest.fixture
async def vendor():
    """A vendor's web server."""
    vendor = Vendor()
    yield vendor
    await vendor.stop()


@pytest.fixture
async def mqtt(log):
    """An MQTT broker that vendors publish to."""
    mqtt = Mqtt(log)
    await mqtt.start()
    yield mqtt
    await mqtt.stop()


@pytest.fixture
async def mosquitto(tmp_path, log):
    """A mosquitto that vendors publish to and equipment listens at."""
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    mosquitto = Mosquitto(tmp_path, log)
    await mosquitto.start()
    yield mosquitto
    await mosquitto.stop()
