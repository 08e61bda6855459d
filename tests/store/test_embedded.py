"""The private mongod: real starts, real kills."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from pymongo import AsyncMongoClient, WriteConcern

from broker.embedded import EmbeddedMongo, MongodUnavailable, find_mongod

BROKER = """
import asyncio, sys
from broker.embedded import EmbeddedMongo

async def main():
    mongo = EmbeddedMongo(sys.argv[1], cache_gb=0.25)
    uri = await mongo.start()
    print(uri, mongo.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def start_broker(directory: Path) -> tuple[subprocess.Popen[str], str, int]:
    process = subprocess.Popen([sys.executable, "-c", BROKER, directory], stdout=subprocess.PIPE, text=True)
    uri, pid = process.stdout.readline().split()
    return process, uri, int(pid)


async def write(uri: str, number: int) -> None:
    async with AsyncMongoClient(uri) as client:
        notes = client.test.get_collection("notes", write_concern=WriteConcern("majority", j=True))
        await notes.insert_one({"_id": number})


async def read(uri: str) -> list[int]:
    async with AsyncMongoClient(uri) as client:
        return [note["_id"] async for note in client.test.notes.find().sort("_id")]


async def until(condition, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        await asyncio.sleep(0.02)


async def test_what_was_written_is_there_after_a_clean_restart_on_the_same_port(tmp_path):
    async with EmbeddedMongo(tmp_path, cache_gb=0.25) as first:
        await write(first, 1)

    async with EmbeddedMongo(tmp_path, cache_gb=0.25) as second:
        assert second == first
        assert await read(second) == [1]


async def test_two_directories_run_side_by_side_and_each_has_its_own_data(tmp_path):
    async with EmbeddedMongo(tmp_path / "a", cache_gb=0.25) as a, EmbeddedMongo(tmp_path / "b", cache_gb=0.25) as b:
        await write(a, 1)

        assert a != b
        assert await read(b) == []


async def test_a_second_broker_on_the_same_directory_is_told_so(tmp_path):
    async with EmbeddedMongo(tmp_path, cache_gb=0.25):
        with pytest.raises(MongodUnavailable, match=rf"in use by another broker \(process {os.getpid()}\)"):
            await EmbeddedMongo(tmp_path).start()


async def test_a_taken_port_is_left_to_its_holder(tmp_path):
    async with EmbeddedMongo(tmp_path, cache_gb=0.25) as first:
        await write(first, 1)
    port = int((tmp_path / "mongo" / "port").read_text())
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)

    async with taken, EmbeddedMongo(tmp_path, cache_gb=0.25) as second:
        assert second != first
        assert await read(second) == [1]
        await write(second, 2)
    async with EmbeddedMongo(tmp_path, cache_gb=0.25) as third:
        assert third == second
        assert await read(third) == [1, 2]


async def test_mongod_dies_with_a_killed_broker_and_the_next_start_recovers_at_once(tmp_path):
    broker, uri, pid = start_broker(tmp_path)
    await write(uri, 1)

    broker.kill()
    broker.wait()
    async with EmbeddedMongo(tmp_path, cache_gb=0.25) as again:
        assert await read(again) == [1]
    await until(lambda: not psutil.pid_exists(pid))


async def test_mongod_leaves_by_itself_when_its_broker_is_killed(tmp_path):
    broker, _, pid = start_broker(tmp_path)

    broker.kill()
    broker.wait()

    await until(lambda: not psutil.pid_exists(pid))


async def test_both_killed_at_once_leave_nothing_that_stops_the_next(tmp_path):
    broker, uri, pid = start_broker(tmp_path)
    await write(uri, 1)
    broker.send_signal(signal.SIGSTOP)  # so that it cannot see its mongod die
    os.kill(pid, signal.SIGKILL)
    broker.kill()
    broker.wait()

    assert (tmp_path / "mongo" / "data" / "mongod.lock").read_text().strip() == str(pid)
    async with EmbeddedMongo(tmp_path, cache_gb=0.25) as again:
        assert await read(again) == [1]


async def test_a_mongod_that_is_killed_comes_back_on_its_port(tmp_path):
    mongo = EmbeddedMongo(tmp_path, cache_gb=0.25)
    uri = await mongo.start()
    await write(uri, 1)
    first = mongo.pid

    os.kill(first, signal.SIGKILL)

    await until(lambda: mongo.pid != first)
    assert await read(uri) == [1]
    await mongo.stop()


async def test_the_log_is_bounded(tmp_path):
    mongo = EmbeddedMongo(tmp_path, cache_gb=0.25, log_bytes=2000)
    await mongo.start()
    old = tmp_path / "mongo" / "log.1"

    await until(old.exists)
    await until((tmp_path / "mongo" / "log").exists)
    await mongo.stop()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("#!/bin/sh\necho 'libcrypto.so.3: cannot open shared object file' >&2; exit 127\n", "libcrypto.so.3"),
        ("not a program", "Exec format error"),
        ("#!/bin/sh\necho 'db version v4.4.1'\n", "is MongoDB 4.4"),
        ("#!/bin/sh\nkill -ILL $$\n", "SIGILL"),
    ],
)
def test_a_mongod_that_cannot_run_is_named_with_the_three_ways_out(tmp_path, content, reason):
    program = tmp_path / "mongod"
    program.write_text(content)
    program.chmod(0o755)

    with pytest.raises(MongodUnavailable) as raised:
        find_mongod({"BEFFROI_MONGOD": str(program)})

    text = str(raised.value)
    assert reason in text
    for way in ("beffroi[embedded]", "BEFFROI_MONGOD", "BEFFROI_MONGO_URI"):
        assert way in text
    assert "\n" not in text


def test_a_mongod_on_the_path_goes_before_the_shipped_one(tmp_path):
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\necho 'db version v8.0.3'\n")
    program.chmod(0o755)

    assert find_mongod({"PATH": str(tmp_path)}) == program


async def test_a_directory_that_is_a_file_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "data").write_text("")

    with pytest.raises(MongodUnavailable, match="cannot be written"):
        await EmbeddedMongo(tmp_path / "data").start()


def test_the_port_is_on_loopback_only(mongo_uri):
    port = int(mongo_uri.removeprefix("mongodb://127.0.0.1:").partition("/")[0])

    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) == 0
    assert {
        connection.laddr.ip
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    } == {"127.0.0.1"}
