"""The guides are tried, not imagined: every command of theirs, in order, against a broker that was just started."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

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
