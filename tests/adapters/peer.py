"""A peer for adapters: an HTTP server that answers batch upserts as the standard says, and remembers what it was sent;
and adapters as users run them, each in a process of its own."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from aiohttp import web


class Peer:
    """Entities by tenant and id; what to answer can be bent: `refuse` ids, a `status` for all, `most` at once, or
    `answers`, from what was created, updated and refused to a response. `temporal` is what late data came."""

    def __init__(self):
        self.port = free_port()
        self.requests = []
        self.tenants = {}
        self.refuse = {}
        self.status = None
        self.most = 1_000_000
        self.answers = None
        self.temporal = []
        self.temporal_status = 404
        self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def entities(self):
        return self.tenants.setdefault("", {})

    @property
    def running(self):
        return self._runner is not None

    async def start(self):
        application = web.Application(client_max_size=100_000_000)
        application.add_routes(
            [
                web.post("/ngsi-ld/v1/entityOperations/upsert", self._upsert),
                web.post("/ngsi-ld/v1/temporal/entities/", self._evolve),
            ]
        )
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self):
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _evolve(self, request):
        self.temporal.append(await request.json())
        return web.json_response({"type": "x", "detail": "no"}, status=self.temporal_status)

    async def _upsert(self, request):
        sent = await request.json()
        self.requests.append((dict(request.headers), dict(request.query), sent))
        if len(sent) > self.most:
            return web.json_response({"title": "Too long", "detail": f"at most {self.most}"}, status=413)
        if self.status:
            return web.json_response({"title": "No", "detail": "not now"}, status=self.status)
        entities = self.tenants.setdefault(request.headers.get("NGSILD-Tenant", ""), {})
        created, updated, errors = [], [], []
        for entity in sent:
            name = entity["id"]
            if name in self.refuse:
                errors.append({"entityId": name, "error": {"type": "x", "detail": self.refuse[name]}})
                continue
            (updated if name in entities else created).append(name)
            entities[name] = {**entities.get(name, {}), **entity}
        if self.answers is not None:
            return self.answers(created, updated, errors)
        if errors:
            return web.json_response({"success": created + updated, "errors": errors}, status=207)
        return web.json_response(created, status=201) if created else web.Response(status=204)

    async def holds(self, count, seconds=15.0):
        """Waits until so many entities are there."""
        await until(lambda: len(self.entities) >= count, seconds)


async def until(condition, seconds=15.0):
    """Waits until the condition holds; the test fails where it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be in time"
        await asyncio.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """`beffroi adapter run FILE…` in a process of its own."""

    def __init__(self, files, directory):
        self._log = (directory / "adapter.log").open("ab")
        code = "import sys; from adapters.run import main; sys.exit(main(sys.argv[1:]))"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, files)],
            stdout=self._log,
            stderr=self._log,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )

    @property
    def pid(self):
        return self._process.pid

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    async def ended(self, seconds=15.0):
        """Its exit code."""
        await until(lambda: self._process.poll() is not None, seconds)
        return self._process.returncode

    async def stop(self):
        """SIGTERM; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()

    def dispose(self):
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._log.close()


def dead_letters(directory):
    """The dead letters in a state directory."""
    file = Path(directory) / "dead-letter.ndjson"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
