"""`beffroi subscriptions`, as an operator types it."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from tests.notifications.notifying import QUICK, running


async def beffroi(program, *words):
    process = await asyncio.create_subprocess_exec(
        program, "subscriptions", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def program():
    """The console script of this environment."""
    return str(Path(sys.executable).parent / "beffroi")


async def test_what_waits_and_what_was_given_up_is_a_table(client, mongo_uri, program, receiver):
    receiver.status = 500
    async with running(client, replace(QUICK, max_backlog=5)) as broker:
        subscription = await broker.subscribe(receiver.url)
        for value in range(8):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await broker.caught_up()
        await asyncio.sleep(0.8)

        code, out, _ = await beffroi(program, "backlog", "--mongo-uri", mongo_uri)

        assert code == 0
        header, line = out.splitlines()
        assert header.split("  ")[0] == "tenant"
        words = line.split()
        assert words[:3] == ["-", subscription, "5"]
        assert line.endswith("3         failed  500 Internal Server Error")


async def test_replay_and_drop(client, mongo_uri, program, receiver):
    receiver.status = 500
    async with running(client, replace(QUICK, max_backlog=5)) as broker:
        subscription = await broker.subscribe(receiver.url, notification={"format": "simplified"})
        for value in range(8):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await broker.caught_up()
        await asyncio.sleep(0.8)

        code, out, _ = await beffroi(program, "drop", subscription, "--mongo-uri", mongo_uri)
        assert (code, out) == (0, f"5 notifications of {subscription} are forgotten.\n")
        await broker.emptied()

        receiver.status = 204
        receiver.requests.clear()
        code, out, _ = await beffroi(program, "replay", subscription, "--mongo-uri", mongo_uri)
        assert (code, out) == (0, f"3 notifications of {subscription} are sent again.\n")
        await receiver.until(3)
        assert receiver.values() == [0, 1, 2]
        await broker.emptied()

        for command, sentence in (("drop", "Nothing waits for"), ("replay", "Nothing of")):
            code, out, _ = await beffroi(program, command, subscription, "--mongo-uri", mongo_uri)
            assert code == 0
            assert out.startswith(sentence)
        code, out, _ = await beffroi(program, "backlog", "--mongo-uri", mongo_uri)
        assert out == "Nothing waits, and nothing was given up.\n"


async def test_a_running_broker_is_found_by_its_data_directory(program, own_broker):
    code, out, _ = await beffroi(program, "backlog", "--data-dir", str(own_broker.data_dir))

    assert (code, out) == (0, "Nothing waits, and nothing was given up.\n")


async def test_no_broker_no_traceback(program, tmp_path):
    code, _, err = await beffroi(program, "backlog", "--data-dir", str(tmp_path))
    assert code == 2
    assert err.startswith("There is no MongoDB of a broker in ")

    code, _, err = await beffroi(program, "backlog", "--mongo-uri", "mongodb://127.0.0.1:9/?directConnection=true")
    assert code == 1
    assert err.startswith("The MongoDB of --mongo-uri does not answer: ")
    assert "Traceback" not in err


async def test_metrics_of_notifications(own_broker, receiver):
    own = f"{own_broker.url}/ngsi-ld/v1"
    async with aiohttp.ClientSession() as session:
        for url in (receiver.url, "http://127.0.0.1:9/"):
            body = {"type": "Subscription", "entities": [{"type": "T"}], "notification": {"endpoint": {"uri": url}}}
            async with session.post(f"{own}/subscriptions", json=body) as answer:
                assert answer.status == 201
        entity = {"id": "urn:ngsi-ld:T:1", "type": "T", "speed": {"type": "Property", "value": 1}}
        async with session.post(f"{own}/entities", json=entity) as answer:
            assert answer.status == 201
        await receiver.until(1)
        await asyncio.sleep(0.5)

        async with session.get(f"{own_broker.url}/metrics") as answer:
            lines = dict(line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if line[0] != "#")

    assert float(lines["beffroi_notifications_sent_total"]) == 1
    assert float(lines["beffroi_notifications_failed_total"]) >= 1
    assert float(lines["beffroi_notifications_given_up_total"]) == 0
    assert float(lines["beffroi_notifications_backlog"]) == 1
    assert float(lines["beffroi_changelog_following"]) == 1
    assert 0 <= float(lines["beffroi_changelog_lag_seconds"]) < 5
