"""The demonstration, whole: every record arrives and is notified, also across kill -9; nothing outlives it."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import sys
from pathlib import Path
from beffroi.demo import run
sys.exit(run(once={once}, host="127.0.0.1", port={port}, data_dir=Path({folder!r}), mongo_uri="", lights={lights}))
"""

ROW = re.compile(r"^ *(.+?) +(\w+) +(\d+) +(\d+) +(\d+) +(\d+) +complete", re.MULTILINE)
ARRIVALS = {
    ("registers", "Building"),
    ("registers", "Device"),
    ("registers", "Garden"),
    ("registers", "GreenspaceRecord"),
    ("registers", "Streetlight"),
    ("registers", "StreetlightControlCabinet"),
    ("street lighting", "Streetlight"),
    ("street lighting", "StreetlightControlCabinet"),
    ("traffic", "TrafficFlowObserved"),
    ("road events", "Alert"),
    ("traffic lights", "Device"),
    ("traffic lights", "DeviceMeasurement"),
    ("irrigation", "Device"),
    ("irrigation", "GreenspaceRecord"),
    ("buildings", "Building"),
    ("buildings", "Device"),
    ("buildings", "DeviceMeasurement"),
    ("energy", "ACMeasurement"),
    ("video protection", "Camera"),
    ("video protection", "ItemFlowObserved"),
    ("public Wi-Fi", "AccessPoint"),
    ("command post", "Streetlight"),
    ("citizens", "service_requests"),
}


class Demonstration:
    """`beffroi demo` in a process, with as many street lights as a test needs."""

    def __init__(self, folder, *, lights, once=False, port=None):
        self.folder = folder
        self.port = port or free_port()
        self.output = folder / "output"
        program = PROGRAM.format(once=once, port=self.port, folder=str(folder), lights=lights)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen([sys.executable, "-c", program], stdout=output, stderr=output)

    def says(self, text, seconds=60.0):
        """Waits for a text in its output."""
        wait_until(lambda: text in self.text() or self.process.poll() is not None, seconds)
        assert text in self.text(), self.text()

    def text(self):
        return self.output.read_text()

    def offspring(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    def broker(self):
        return next(each for each in self.offspring() if "serve" in each.cmdline())

    def ledger(self, name):
        lines = (self.folder / "demo" / name).read_bytes().split(b"\n")[:-1]
        pairs = {(pair["id"], pair["mark"]) for pair in map(json.loads, lines)}
        return pairs | {(entity_id, "") for entity_id, _ in pairs}

    def end(self, how):
        """Sends a signal; the exit status, once all that it had started is gone."""
        offspring = self.offspring()
        self.process.send_signal(how)
        status = self.process.wait(30)
        _, alive = psutil.wait_procs(offspring, timeout=30)
        assert alive == []
        return status


@pytest.fixture
def demonstration(tmp_path):
    """Begins demonstrations, and lets none outlive the test."""
    begun = []

    def begin(**options):
        begun.append(Demonstration(tmp_path, **options))
        return begun[-1]

    yield begin
    for each in begun:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


@pytest.mark.timeout(300)
def test_once_seeds_passes_a_round_of_each_feed_and_finds_all_of_it_notified(tmp_path):
    beffroi = Path(sys.executable).parent / "beffroi"
    command = [beffroi, "demo", "--once", "--port", str(free_port()), "--data-dir", tmp_path]

    ended = subprocess.run(command, capture_output=True, text=True)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "missing" not in ended.stdout
    rows = ROW.findall(ended.stdout)
    assert ("street lighting", "Streetlight", "7001", "7000", "7000", "7000") in rows  # one was told to dim
    assert ("energy", "ACMeasurement", "120", "20", "20", "20") in rows
    assert {(trade, entities) for trade, entities, *_ in rows} == ARRIVALS


@pytest.mark.timeout(240)
def test_every_change_is_notified_though_the_broker_is_killed_in_the_middle(demonstration):
    shown = demonstration(lights=300)
    shown.says("The territory is live.")
    time.sleep(3)

    for _ in range(2):
        shown.broker().kill()
        shown.says("The broker was killed (SIGKILL). It starts again.")
        time.sleep(6)
    sent = shown.ledger("sent.ndjson")

    wait_until(lambda: sent <= shown.ledger("notified.ndjson"), 60)
    assert sent - shown.ledger("notified.ndjson") == set()
    assert len(sent) > 300 + 6 + 120 + 80 + 400
    assert {entity_id.split(":")[2] for entity_id, _ in sent} >= {entities for _, entities in ARRIVALS}
    assert shown.text().count("was killed") == 2
    assert shown.end(signal.SIGINT) == 0


@pytest.mark.timeout(240)
def test_killed_it_leaves_nothing_behind_and_starts_again_on_the_same_data(demonstration):
    killed = demonstration(lights=50)
    killed.says("The territory is live.")

    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    again = demonstration(lights=50, once=True, port=killed.port)

    assert again.process.wait(120) == 0, again.text()
    assert again.text().count("complete") == len(ARRIVALS)


def test_a_port_that_is_taken_is_said_in_a_sentence(demonstration):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        refused = demonstration(lights=50, port=other.getsockname()[1])

        assert refused.process.wait(60) == 1
    assert "is in use" in refused.text()
    assert "Traceback" not in refused.text()


def wait_until(reached, seconds):
    deadline = time.monotonic() + seconds
    while not reached() and time.monotonic() < deadline:
        time.sleep(0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
