"""`beffroi serve` as an operator runs it: workers, restarts, a taken port, wrong settings."""

import asyncio
import socket
import subprocess

import aiohttp
import psutil

from tests.conftest import BEFFROI, Broker, free_port


async def post(url, n):
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/ngsi-ld/v1/entities", json={"id": f"urn:ngsi-ld:Lamp:{n}", "type": "Lamp"}) as answer,
    ):
        return answer.status


async def count(url):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/ngsi-ld/v1/entities", params={"type": "Lamp", "limit": 0, "count": "true"}) as answer,
    ):
        return int(answer.headers["NGSILD-Results-Count"])


async def test_what_was_acknowledged_is_there_after_kill_9(tmp_path):
    broker = Broker(tmp_path)
    await broker.start()
    try:
        accepted = [await post(broker.url, n) for n in range(50)].count(201)
        await broker.kill()
        await broker.start()

        assert await count(broker.url) == accepted == 50
    finally:
        await broker.stop()


async def test_a_worker_that_dies_is_replaced_and_all_end_with_the_parent(tmp_path):
    broker = Broker(tmp_path, options=("--workers", "2"))
    await broker.start()
    try:
        workers = [one for one in psutil.Process(broker.process.pid).children() if "broker.serve" in one.cmdline()]
        assert len(workers) == 2
        workers[0].kill()
        await asyncio.sleep(4)
        assert await post(broker.url, 1) == 201
    finally:
        children = psutil.Process(broker.process.pid).children()
        await broker.stop()

    assert len(children) == 3, "two workers and the private MongoDB"
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_a_taken_port_is_said_in_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = serve("--port", str(port), "--data-dir", str(tmp_path))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"Nothing can listen on 127.0.0.1:{port}" in ended.stderr


def test_wrong_settings_are_named(tmp_path):
    ended = serve("--port", str(free_port()), "--max-batch-size", "0", "--data-dir", str(tmp_path))

    assert ended.returncode == 2
    assert "max_batch_size" in ended.stderr


def serve(*options):
    return subprocess.run([str(BEFFROI), "serve", *options], capture_output=True, text=True, timeout=60, check=False)
