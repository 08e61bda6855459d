"""A real MQTT broker, and a vendor who publishes to it."""

import json

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
