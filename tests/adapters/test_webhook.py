"""The webhook source: who may post, what is answered, and what comes of it; and the metrics."""

import asyncio
import hashlib
import hmac
import json

import aiohttp
import pytest

from tests.adapters.peer import free_port, until

COUNTER = {
    "id": "urn:ngsi-ld:Thing:{name}",
    "type": "Thing",
    "attributes": {"n": {"value": "n", "type": "number"}},
}


@pytest.fixture
def hook(adapter_file, adapter):
    async def start(**options):
        port = free_port()
        source = {"kind": "webhook", "port": port, "path": "/in", **options}
        adapter(adapter_file({"source": source, "entities": {"counter": COUNTER}, "metrics": {"port": free_port()}}))
        url = f"http://127.0.0.1:{port}/in"

        async def send(body, **headers):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, data=data, params={"event": "up"}, headers=headers) as answer,
            ):
                return answer.status, await answer.text()

        for _ in range(200):
            try:
                await send(b"?")
                return send
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
        raise AssertionError("the adapter does not listen")

    return start


async def test_what_is_posted_reaches_the_broker(hook, peer):
    send = await hook()

    assert await send([{"name": "1", "n": 1}, {"name": "2", "n": 2}]) == (204, "")

    await peer.holds(2)
    assert peer.entities["urn:ngsi-ld:Thing:1"]["n"]["value"] == 1


async def test_what_is_not_json_is_refused(hook):
    send = await hook()

    status, body = await send(b"{")

    assert status == 400
    assert "not JSON" in body


async def test_a_body_over_the_limit_is_refused(hook):
    send = await hook(max_bytes=100)

    assert (await send(b" " * 101))[0] == 413


async def test_a_token_is_asked_for(hook, peer):
    send = await hook(token="s3cret")

    assert (await send({"name": "1", "n": 1}))[0] == 401
    assert (await send({"name": "1", "n": 1}, Authorization="Bearer wrong"))[0] == 401
    assert (await send({"name": "1", "n": 1}, Authorization="Bearer s3cret"))[0] == 204
    await peer.holds(1)


async def test_a_signature_is_checked(hook, peer):
    send = await hook(hmac_secret="key")
    body = json.dumps({"name": "1", "n": 1}).encode()
    signature = hmac.new(b"key", body, hashlib.sha256).hexdigest()

    assert (await send(body))[0] == 401
    assert (await send(body + b" ", **{"X-Signature": signature}))[0] == 401
    assert (await send(body, **{"X-Signature": "sha256=" + signature}))[0] == 204


async def test_metrics(adapter_file, adapter, tmp_path, peer):
    port = free_port()
    feed = tmp_path / "feed"
    feed.write_text(json.dumps([{"name": "1", "n": 1}, {"name": "2", "n": "x"}]))
    peer.status = 503
    adapter(
        adapter_file(
            {
                "source": {"kind": "file", "path": str(feed)},
                "entities": {"counter": COUNTER},
                "metrics": {"port": port},
            }
        )
    )
    await until(lambda: len(peer.requests) > 1)

    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = (await answer.text()).splitlines()

    assert 'beffroi_adapter_records_total{adapter="test"} 2.0' in lines
    assert 'beffroi_adapter_entities_queued_total{adapter="test"} 1.0' in lines
    assert 'beffroi_adapter_dead_letters_total{adapter="test",stage="map"} 1.0' in lines
    assert 'beffroi_adapter_queue_entities{adapter="test"} 1.0' in lines
