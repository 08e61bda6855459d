"""The integrator's walk, docs/adapters.md, is tried as it stands: every command in order, on a broker just started."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.definition import profiles

GUIDE = Path(__file__).parents[2] / "docs" / "adapters.md"
BEFFROI = f"#!/bin/sh\nexec {sys.executable} -c 'from beffroi.cli import main; main()' \"$@\"\n"
FAREWELL = "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guide uses curl")
@pytest.mark.timeout(120)
def test_every_command_of_the_walk_works(own_broker, tmp_path):
    script = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    script = script.replace("localhost:1026", f"localhost:{own_broker.port}").replace("curl ", "curl -sS --fail ")
    for port in ("8090", "9109"):
        script = script.replace(port, str(free_port()))

    beffroi = tmp_path / "bin" / "beffroi"
    beffroi.parent.mkdir()
    beffroi.write_text(BEFFROI)
    beffroi.chmod(0o755)
    (tmp_path / "walk").mkdir()

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", FAREWELL + script],
        cwd=tmp_path / "walk",
        env=os.environ | {"PATH": f"{beffroi.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    assert '"status":"defectiveLamp"' in done.stdout
    assert "(fault): 4 is not" in done.stdout
    assert "1 letters are queued again and 0 stay" in done.stderr
    assert 'beffroi_adapter_records_total{adapter="lamps"}' in done.stdout
    assert '"FeatureCollection"' in (tmp_path / "walk" / "lights.geojson").read_text()
    assert "replay stopped" in done.stderr


def test_every_profile_has_its_row():
    rows = re.findall(r"^\| \[(\w+)\]\(\.\./adapters/(\w+)/README\.md\)", GUIDE.read_text(), re.MULTILINE)

    assert sorted(name for name, _ in rows) == profiles()
    assert all(name == folder for name, folder in rows)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
