"""The guides are tried, not imagined: every command of theirs, in order, against a broker that was just started."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import BEFFROI, free_port

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the guides use curl")
@pytest.mark.parametrize("guide", ["guide.md", "guide.fr.md"])
def test_every_command_of_the_guide_works(own_broker, guide):
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / guide).read_text(), re.DOTALL)
    script = "\n".join(blocks).replace("localhost:1026", f"localhost:{own_broker.port}")
    script = script.replace("curl ", "curl -sS --fail ")

    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr + done.stdout
    assert "Mairie de Fagnières" in done.stdout
    assert '"type":"FeatureCollection"' in done.stdout
    assert done.stdout.count("foch-2") > 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl")
def test_every_command_of_the_federation_page_works(tmp_path):
    """The page starts its three brokers itself."""
    starting, *others = re.findall(r"```sh\n(.*?)```", (DOCS / "federation.md").read_text(), re.DOTALL)
    ready = "until curl -sf localhost:{}/health/ready >/dev/null; do sleep 0.2; done"
    waiting = [ready.format(port) for port in re.findall(r"--port (\d+)", starting)]
    commands = "\n".join(others).replace("curl ", "curl -sS --fail ")
    script = "\n".join(["trap 'kill $(jobs -p); wait' EXIT", starting, *waiting, commands])
    for port in sorted(set(re.findall(r"--port (\d+)", starting))):
        script = re.sub(rf"\b{port}\b", str(free_port()), script)
    environment = os.environ | {"PATH": f"{BEFFROI.parent}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    assert "NGSILD-Results-Count: 4" in done.stdout or "ngsild-results-count: 4" in done.stdout
    assert "Mairie de Fagnières" in done.stdout
    assert done.stdout.count("as registered") == 3
