"""A real MQTT broker, and a vendor who publishes to it."""

import asyncio
import contextlib
import json
import shutil

import aiomqtt
from amqtt.broker import Broker

from tests.adapters.peer import free_port, until


class Mqtt:
    """`settings` are those of a profile that subscribes here."""

    def __init__(self, log):
        self.port = free_port()
        self.settings = {"host": "127.0.0.1", "port": self.port, "username": "beffroi"}
        self._log = log
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}},
            }
        )

    async def start(self):
        await self._broker.start()

    async def stop(self):
        await self._broker.shutdown()

    async def subscribed(self):
        """Waits until the adapter listens."""
        await until(lambda: "subscribed" in self._log())

    async def publish(self, *messages):
        """Each a topic and a payload: bytes, a text, or a value that becomes JSON."""
        async with aiomqtt.Client("127.0.0.1", self.port, username="vendor") as client:
            for topic, payload in messages:
                if not isinstance(payload, (bytes, str)):
                    payload = json.dumps(payload)
                await client.publish(topic, payload, qos=1)


MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")


class Mosquitto:
    """A mosquitto, as installations have it; and equipment that listens there."""

    def __init__(self, directory, log):
        self.port = free_port()
        self.settings = {"host": "127.0.0.1", "port": self.port, "username": "beffroi"}
        self._directory = directory
        self._log = log
        self._process = None
        self._listening = None
        self.messages = []

    async def start(self):
        configuration = self._directory / "mosquitto.conf"
        configuration.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process = await asyncio.create_subprocess_exec(
            MOSQUITTO, "-c", str(configuration), stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    (await asyncio.open_connection("127.0.0.1", self.port))[1].close()
                    break
                await asyncio.sleep(0.02)

    async def stop(self):
        if self._listening:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def subscribed(self):
        """Waits until the adapter listens."""
        await until(lambda: "subscribed to" in self._log())

    publish = Mqtt.publish

    async def listen(self, *topics):
        """Keeps what is published to the topics in `messages`, as (topic, payload)."""
        ready = asyncio.Event()

        async def listen():
            async with aiomqtt.Client("127.0.0.1", self.port, identifier="equipment") as client:
                for topic in topics:
                    await client.subscribe(topic, qos=2)
                ready.set()
                async for message in client.messages:
                    self.messages.append((str(message.topic), bytes(message.payload)))

        self._listening = asyncio.create_task(listen())
        await ready.wait()

    async def heard(self, count=1):
        """The messages, once there are so many."""
        await until(lambda: len(self.messages) >= count)
        return self.messages
