"""Notifications over MQTT (7.2), with a real broker (mosquitto)."""

import asyncio
import contextlib
import shutil
import socket
import subprocess

import aiomqtt
import orjson
import pytest

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
TOPIC = "territory/lights"

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run(*command):
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


@contextlib.asynccontextmanager
async def mosquitto(directory, port, *lines):
    """A broker that allows anyone, unless the lines of its configuration say otherwise."""
    configuration = directory / "mosquitto.conf"
    configuration.write_text("\n".join([f"listener {port} 127.0.0.1", *(lines or ["allow_anonymous true"])]) + "\n")
    process = await asyncio.create_subprocess_exec(MOSQUITTO, "-c", str(configuration), stderr=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(OSError):
                    (await asyncio.open_connection("127.0.0.1", port))[1].close()
                    break
                await asyncio.sleep(0.02)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextlib.asynccontextmanager
async def listening(port, topic=TOPIC, **options):
    """The messages of a topic, as they come."""
    messages = asyncio.Queue()

    async def listen(client):
        async for message in client.messages:
            messages.put_nowait((orjson.loads(message.payload), message.qos))

    async with aiomqtt.Client("127.0.0.1", port, **options) as client:
        await client.subscribe(topic, qos=2)
        task = asyncio.create_task(listen(client))
        yield messages
        task.cancel()


@contextlib.asynccontextmanager
async def reachable_at(port, inner):
    """A way to the broker at `inner`, which opens when whoever listens there is ready."""

    async def copy(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def pass_on(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner)
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))

    server = await asyncio.start_server(pass_on, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


@pytest.mark.parametrize("version", ["mqtt3.1.1", "mqtt5.0"])
@pytest.mark.parametrize("quality", ["0", "1", "2"])
async def test_versions_and_qualities(broker, tmp_path, version, quality):
    port = free_port()
    info = [{"key": "MQTT-Version", "value": version}, {"key": "MQTT-QoS", "value": quality}]
    async with mosquitto(tmp_path, port), listening(port) as messages:
        subscription = await broker.subscribe(f"mqtt://127.0.0.1:{port}/{TOPIC}", endpoint={"notifierInfo": info})

        await broker.put("urn:ngsi-ld:T:1", speed=5)

        message, arrived_with = await asyncio.wait_for(messages.get(), 5)
    assert arrived_with == int(quality)
    assert message["body"]["subscriptionId"] == subscription
    assert message["body"]["data"][0]["speed"] == {"type": "Property", "value": 5}


async def test_metadata(broker, tmp_path):
    port = free_port()
    async with mosquitto(tmp_path, port), listening(port) as messages:
        await broker.subscribe(
            f"mqtt://127.0.0.1:{port}/{TOPIC}",
            tenant="chalons",
            endpoint={"receiverInfo": [{"key": "X-Additional-Key", "value": "Value"}]},
        )
        await broker.put("urn:ngsi-ld:T:1", tenant="chalons", speed=5)
        message, _ = await asyncio.wait_for(messages.get(), 5)

        await broker.subscribe(f"mqtt://127.0.0.1:{port}/{TOPIC}", endpoint={"accept": "application/ld+json"})
        await broker.put("urn:ngsi-ld:T:1", speed=5)
        json_ld, _ = await asyncio.wait_for(messages.get(), 5)

    core = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
    assert message["metadata"] == {
        "Content-Type": "application/json",
        "Link": f'<{core}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"',
        "NGSILD-Tenant": "chalons",
        "X-Additional-Key": "Value",
    }
    assert json_ld["metadata"] == {"Content-Type": "application/ld+json"}
    assert json_ld["body"]["@context"] == core


async def test_user_and_password(broker, tmp_path):
    port = free_port()
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    run("mosquitto_passwd", "-b", passwords, "us@er", "pass word")
    tmp_path.chmod(0o755)
    passwords.chmod(0o644)
    lines = ["allow_anonymous false", f"password_file {passwords}", "user root"]
    async with (
        mosquitto(tmp_path, port, *lines),
        listening(port, username="us@er", password="pass word") as messages,
    ):
        wrong = await broker.subscribe(f"mqtt://127.0.0.1:{port}/{TOPIC}")
        await broker.subscribe(f"mqtt://us%40er:pass%20word@127.0.0.1:{port}/{TOPIC}")
        await broker.put("urn:ngsi-ld:T:1", speed=5)
        message, _ = await asyncio.wait_for(messages.get(), 5)
        await asyncio.sleep(0.5)
        delivery = (await broker.subscriptions.retrieve("", wrong)).delivery

    assert message["body"]["data"][0]["id"] == "urn:ngsi-ld:T:1"
    assert delivery.members()["status"] == "failed"
    assert "authoriz" in delivery.counts["lastError"].lower()


async def test_tls(broker, tmp_path, monkeypatch):
    port = free_port()
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, "-out", certificate, "-keyout", key)
    lines = ["allow_anonymous true", f"certfile {certificate}", f"keyfile {key}", "user root"]
    async with mosquitto(tmp_path, port, *lines):
        distrusted = await broker.subscribe(f"mqtts://localhost:{port}/{TOPIC}")
        await broker.put("urn:ngsi-ld:T:1", speed=5)
        await asyncio.sleep(1.0)
        delivery = (await broker.subscriptions.retrieve("", distrusted)).delivery
        assert delivery.members()["status"] == "failed"
        assert "certificate" in delivery.counts["lastError"].lower()

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        tls = aiomqtt.TLSParameters(ca_certs=str(certificate))
        async with listening(port, tls_params=tls) as messages:
            message, _ = await asyncio.wait_for(messages.get(), 5)
    assert message["body"]["data"][0]["speed"] == {"type": "Property", "value": 5}


async def test_a_broker_that_is_away_gets_everything_in_order_when_it_is_back(broker, tmp_path):
    port, inner = free_port(), free_port()
    info = [{"key": "MQTT-QoS", "value": "1"}]
    await broker.subscribe(f"mqtt://127.0.0.1:{port}/{TOPIC}", endpoint={"notifierInfo": info})
    for value in range(5):
        await broker.put("urn:ngsi-ld:T:1", speed=value)
    await asyncio.sleep(0.3)

    retained = ["allow_anonymous true", "persistence false"]
    async with (
        mosquitto(tmp_path, inner, *retained) as process,
        listening(inner) as messages,
        reachable_at(port, inner),
    ):
        seen = []
        async with asyncio.timeout(10):
            while 4 not in seen:
                message, _ = await messages.get()
                seen.append(message["body"]["data"][0]["speed"]["value"])
        process.kill()
        await process.wait()
    await broker.put("urn:ngsi-ld:T:1", speed=5)
    async with mosquitto(tmp_path, inner), listening(inner) as messages, reachable_at(port, inner):
        message, _ = await asyncio.wait_for(messages.get(), 10)

    assert sorted(set(seen)) == seen[-len(set(seen)) :]
    assert message["body"]["data"][0]["speed"]["value"] == 5
