"""Runs the ETSI NGSI-LD test suite (Robot Framework) against a broker that this starts.

    make conformance SUITE=path/to/ngsi-ld-test-suite [PARTS="TP/NGSI-LD/CommonBehaviours …"]

The suite is not part of Beffroi: SUITE is a checkout of it. Its own requirements go into a virtual environment in
`~/.cache/beffroi`. The @context documents that it names by URL are given to the broker from the checkout, so that no
network is needed. It starts its MQTT broker with Docker; without a Docker engine, a mosquitto of this machine takes
its place (see mosquitto_as_docker.py). Prints a table per folder and the cases that failed; exits 0 if none did.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import mosquitto_as_docker


def free_ports(number: int) -> list[int]:
    """Ports of the loopback interface that nothing listens on, so that several runs do not meet."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


PORT, NOTIFICATION_PORT, SOURCE_PORT, CONTEXT_PORT = free_ports(4)
CONTEXTS = Path("resources/jsonld-contexts")

ALSO_AT = {
    "https://easy-global-market.github.io/ngsild-api-data-models/ngsildTestSuite/ngsildTestSuiteV1.8-compound.jsonld": (
        "ngsi-ld-test-suite-compound.jsonld"
    ),
    "https://fiware.github.io/NGSI-LD_TestSuite/ldContext/testContext.jsonld": "ngsi-ld-test-suite.jsonld",
    "https://fiware.github.io/data-models/context.jsonld": "ngsi-ld-test-suite.jsonld",
}
"""Other @contexts that the suite names, and the document of the checkout that is meant or that stands in for one of
which no term is looked at.
"""


def main() -> int:
    """Starts the broker, runs the suite, prints what came of it."""
    suite, parts = Path(sys.argv[1]).resolve(), sys.argv[2:] or ["TP/NGSI-LD"]
    with tempfile.TemporaryDirectory(prefix="beffroi-etsi-") as scratch:
        with broker(Path(scratch), contexts(suite, Path(scratch) / "contexts")):
            output = run(suite, parts, Path(scratch), Path(os.environ.get("OUT", f"{scratch}/results")))
        return report(output)


def contexts(suite: Path, target: Path) -> Path:
    """A directory for `--contexts` with the suite's documents under every URL that the suite's files give them."""
    target.mkdir(parents=True)
    index: dict[str, str] = {}
    for document in (suite / CONTEXTS).glob("*.jsonld"):
        (target / document.name).write_bytes(document.read_bytes())
    pattern = re.compile(rf"https?://[^\s'\"]+/{CONTEXTS}/([\w.-]+\.jsonld)")
    for file in [*suite.glob("resources/**/*"), *suite.glob("data/**/*"), *suite.glob("TP/**/*.robot")]:
        if file.is_file() and file.suffix in {".py", ".json", ".jsonld", ".robot", ".resource"}:
            for match in pattern.finditer(file.read_text(errors="replace")):
                if (target / match[1]).exists():
                    index[match[0]] = match[1]
    index |= {url: name for url, name in ALSO_AT.items() if (target / name).exists()}
    (target / "index.json").write_text(json.dumps(index))
    return target


@contextmanager
def broker(scratch: Path, preloaded: Path) -> Iterator[None]:
    """A broker on a port of its own with fresh data."""
    options = ["--port", str(PORT), "--data-dir", str(scratch / "data"), "--contexts", str(preloaded)]
    options += ["--context-networks", "127.0.0.0/8"]
    # The suite expects a partial answer from 20 instances of an attribute on (020_13).
    options += ["--max-temporal-instances", "20"]
    with (scratch / "broker.log").open("w") as log:
        process = subprocess.Popen(["beffroi", "serve", *options], env=environment(), stderr=log)
        try:
            wait_until_ready(process, scratch / "broker.log")
            yield
        finally:
            process.terminate()
            process.wait(30)


def environment() -> dict[str, str]:
    """This environment with the programs of this virtual environment first."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns when the broker answers; ends with its log if it does not."""
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health/ready", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"the broker did not start:\n{log.read_text()[-3000:]}")


def robot(suite: Path) -> Path:
    """The `robot` program of a cached virtual environment with the suite's requirements."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "beffroi" / "etsi"
    program = home / "bin" / "robot"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        wanted = [
            line.split("#")[0].strip()
            for line in (suite / "requirements.txt").read_text().splitlines()
            if line.strip() and not line.lstrip().startswith(("#", "-e"))
        ]
        local = [str(path.parent) for path in suite.glob("libraries/*/pyproject.toml")]
        local += [str(path.parent) for path in suite.glob("libraries/*/setup.py")]
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *wanted, *dict.fromkeys(local)], check=True)
    return program


def run(suite: Path, parts: list[str], scratch: Path, results: Path) -> Path:
    """Robot's output.xml of a run of these parts."""
    path, mqtt = environment()["PATH"], {"mqtt_broker_host": "127.0.0.1"}
    if mosquitto_as_docker.wanted():
        [port], address = free_ports(1), mosquitto_as_docker.own_address()
        mqtt = {"mqtt_broker_host": address, "mqtt_broker_non_default_port": str(port)}
        path = f"{mosquitto_as_docker.stand_in(scratch, address, port)}:{path}"
    url = f"http://127.0.0.1:{PORT}/ngsi-ld/v1"
    variables = {
        "url": url,
        "temporal_api_url": url,
        "notification_server_host": "127.0.0.1",
        "notification_server_port": NOTIFICATION_PORT,
        "context_source_host": "127.0.0.1",
        "context_source_port": SOURCE_PORT,
        "context_server_host": "127.0.0.1",
        "context_server_port": CONTEXT_PORT,
        **mqtt,
    }
    command = [str(robot(suite)), "--outputdir", str(results), "--console", "dotted"]
    for name, value in variables.items():
        command += ["--variable", f"{name}:{value}"]
    subprocess.run([*command, *parts], cwd=suite, env=environment() | {"PATH": path}, stdout=sys.stderr, check=False)
    mosquitto_as_docker.stop(scratch / "mosquitto.pid")
    return results / "output.xml"


def report(output: Path) -> int:
    """The table per folder and the failures, on standard output."""
    folders: defaultdict[str, Counter[str]] = defaultdict(Counter)
    failures: list[str] = []
    for source, test in tests(ET.parse(output).getroot(), ""):
        status = test.find("status")
        outcome = status.get("status", "FAIL") if status is not None else "FAIL"
        folders["/".join(Path(source.split("/NGSI-LD/")[-1]).parent.parts[:3])][outcome] += 1
        if outcome == "FAIL" and status is not None:
            failures.append(
                f"FAIL {Path(source).stem}: {test.get('name')}: {' '.join((status.text or '').split())[:200]}"
            )
    for folder, counts in sorted(folders.items()):
        print(f"{counts['PASS']:5d} passed {counts['FAIL']:4d} failed {counts['SKIP']:4d} skipped  {folder}")
    print("\n".join(failures))
    total = sum(folders.values(), Counter[str]())
    print(f"{total['PASS']} passed, {total['FAIL']} failed, {total['SKIP']} skipped")
    return 1 if total["FAIL"] else 0


def tests(node: ET.Element, source: str) -> Iterator[tuple[str, ET.Element]]:
    """Every test of Robot's output with the file that it stands in."""
    source = node.get("source", source)
    for child in node:
        if child.tag == "test":
            yield source, child
        elif child.tag == "suite":
            yield from tests(child, source)


if __name__ == "__main__":
    sys.exit(main())
