"""Notifications over HTTP, from the change to the subscriber (5.8.6, 6.3.8)."""

import asyncio
import socket
from dataclasses import replace

import pytest

from tests.notifications.notifying import QUICK, Receiver, running, serving


async def test_a_change_is_notified(broker, receiver):
    subscription = await broker.subscribe(receiver.url)

    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(1)
    [notification] = receiver.notifications
    assert notification["id"].startswith("urn:ngsi-ld:Notification:")
    assert notification["type"] == "Notification"
    assert notification["subscriptionId"] == subscription
    assert notification["notifiedAt"].endswith("Z")
    assert notification["data"] == [{"id": "urn:ngsi-ld:T:1", "type": "T", "speed": {"type": "Property", "value": 5}}]


async def test_headers_of_json(broker, receiver):
    await broker.subscribe(
        receiver.url, tenant="Chalons", endpoint={"receiverInfo": [{"key": "Authorization", "value": "Bearer x"}]}
    )

    await broker.put("urn:ngsi-ld:T:1", tenant="Chalons", speed=5)

    await receiver.until(1)
    headers = receiver.requests[0][0]
    assert headers["Content-Type"] == "application/json"
    assert headers["Link"] == (
        "<https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld>; "
        'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    )
    assert headers["NGSILD-Tenant"] == "Chalons"
    assert headers["Authorization"] == "Bearer x"
    assert "@context" not in receiver.notifications[0]


async def test_json_ld_has_the_context_in_the_body(broker, receiver):
    await broker.subscribe(receiver.url, endpoint={"accept": "application/ld+json"})

    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(1)
    [notification] = receiver.notifications
    core = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
    assert receiver.requests[0][0]["Content-Type"] == "application/ld+json"
    assert "Link" not in receiver.requests[0][0]
    assert notification["@context"] == core
    assert notification["data"][0]["@context"] == core


@pytest.mark.parametrize(("prefer", "in_body"), [(None, True), ("body=json", False)])
async def test_geo_json(broker, receiver, prefer, in_body):
    endpoint = {"accept": "application/geo+json"}
    if prefer:
        endpoint["receiverInfo"] = [{"key": "Prefer", "value": prefer}]
    await broker.subscribe(receiver.url, endpoint=endpoint, notification={"format": "simplified"})

    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(1)
    [notification] = receiver.notifications
    data = notification["data"]
    assert data.pop("@context", None) == (
        "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld" if in_body else None
    )
    assert ("Link" in receiver.requests[0][0]) is not in_body
    assert data == {
        "type": "FeatureCollection",
        "features": [
            {"id": "urn:ngsi-ld:T:1", "type": "Feature", "geometry": None, "properties": {"type": "T", "speed": 5}}
        ],
    }


async def test_every_change_arrives_in_order(broker, receiver):
    await broker.subscribe(receiver.url, notification={"format": "simplified"})

    for value in range(200):
        await broker.put("urn:ngsi-ld:T:1", speed=value)

    await receiver.until(200)
    assert receiver.values() == list(range(200))
    assert len({one["id"] for one in receiver.notifications}) == 200


async def test_a_failing_endpoint_gets_everything_in_order_once_it_works(broker, receiver):
    subscription = await broker.subscribe(receiver.url, notification={"format": "simplified"})
    receiver.status = 500
    for value in range(20):
        await broker.put("urn:ngsi-ld:T:1", speed=value)
    await receiver.until(3)
    assert set(receiver.values()) == {0}
    assert len({one["id"] for one in receiver.notifications}) == 1

    receiver.requests.clear()
    receiver.status = 200

    await receiver.until(20)
    assert receiver.values() == list(range(20))
    await asyncio.sleep(0.4)
    delivery = (await broker.subscriptions.retrieve("", subscription)).delivery.members()
    assert delivery["status"] == "ok"
    assert delivery["timesFailed"] >= 3
    assert delivery["timesSent"] == delivery["timesFailed"] + 20
    assert delivery["lastFailure"] < delivery["lastSuccess"] == delivery["lastNotification"]


async def test_an_endpoint_that_refuses_connections_shows_on_the_subscription(broker):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subscription = await broker.subscribe(f"http://127.0.0.1:{port}/")

    await broker.put("urn:ngsi-ld:T:1", speed=5)
    await asyncio.sleep(1.0)

    stored = await broker.subscriptions.retrieve("", subscription)
    assert stored.delivery.members()["status"] == "failed"
    assert "timesSent" in stored.delivery.members()
    assert "lastSuccess" not in stored.delivery.members()
    assert "Cannot connect" in stored.delivery.counts["lastError"]
    receiver = Receiver()
    async with serving(receiver, port):
        await receiver.until(1)
    assert receiver.values() == [5]


async def test_an_endpoint_that_hangs_is_left_after_its_timeout(broker, receiver):
    await broker.subscribe(receiver.url, endpoint={"timeout": 100}, notification={"format": "simplified"})
    receiver.delay = 5.0

    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(2)
    receiver.delay = 0.0
    await receiver.until(3)
    assert await receiver.quiet()
    assert set(receiver.values()) == {5}


async def test_an_endpoint_that_closes_half_way_gets_it_again(broker):
    received, answers = [], 0

    async def close_half_way(reader, writer):
        nonlocal answers
        received.append(await reader.readuntil(b"\r\n\r\n"))
        answers += 1
        if answers > 2:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
        writer.close()

    async with await asyncio.start_server(close_half_way, "127.0.0.1", 0) as server:
        await broker.subscribe(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await broker.put("urn:ngsi-ld:T:1", speed=5)
        await broker.caught_up()
        await broker.emptied()

    assert len(received) == 3


async def test_a_dead_endpoint_does_not_slow_the_living(broker, receiver):
    async with serving(Receiver(delay=30.0)) as hanging:
        await broker.subscribe(hanging.url)
        await broker.subscribe("http://127.0.0.1:9/")
        await broker.subscribe(receiver.url, notification={"format": "simplified"})

        for value in range(50):
            await broker.put("urn:ngsi-ld:T:1", speed=value)

        await receiver.until(50, seconds=3)
        assert receiver.values() == list(range(50))


async def test_redirections_are_not_followed(broker, receiver):
    receiver.status = 307

    await broker.subscribe(receiver.url)
    await broker.put("urn:ngsi-ld:T:1", speed=5)

    await receiver.until(2)
    assert await broker.waiting() == 1


async def test_a_new_endpoint_gets_what_the_old_one_did_not_take(broker, receiver):
    subscription = await broker.subscribe("http://127.0.0.1:9/", notification={"format": "simplified"})
    for value in range(5):
        await broker.put("urn:ngsi-ld:T:1", speed=value)
    await asyncio.sleep(0.3)

    await broker.update(subscription, {"notification": {"endpoint": {"uri": receiver.url}, "format": "simplified"}})

    await receiver.until(5)
    assert receiver.values() == list(range(5))


async def test_the_journal_is_empty_when_all_is_delivered(broker, receiver):
    await broker.subscribe(receiver.url)
    for value in range(30):
        await broker.put("urn:ngsi-ld:T:1", speed=value)
    await receiver.until(30)

    await broker.emptied()


async def test_more_than_fits_in_memory_waits_in_the_journal(client, receiver):
    async with running(client, replace(QUICK, in_memory=5)) as broker:
        receiver.status = 503
        await broker.subscribe(receiver.url, notification={"format": "simplified"})
        for value in range(60):
            await broker.put("urn:ngsi-ld:T:1", speed=value)
        await broker.caught_up()
        assert broker.notifier.backlog == 60

        receiver.requests.clear()
        receiver.status = 200
        for value in range(60, 80):
            await broker.put("urn:ngsi-ld:T:1", speed=value)

        await receiver.until(80)
        assert receiver.values() == list(range(80))
        assert await receiver.quiet()
