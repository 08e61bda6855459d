"""The MQTT broker of those vendors that speak MQTT: a real one, amqtt, on a free loopback port.

It comes with Beffroi's extra `demo`, so that the demonstration needs no mosquitto.
"""

import asyncio
from types import TracebackType

import aiomqtt
from amqtt.broker import Broker

from beffroi.demo.processes import free_port


class Messages:
    """A broker at `port`, and the vendors' connection to it: `async with Messages() as messages`."""

    def __init__(self) -> None:
        self.port = free_port()
        self._broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        self._client: aiomqtt.Client

    async def __aenter__(self) -> "Messages":
        await self._broker.start()
        self._client = aiomqtt.Client("127.0.0.1", self.port, identifier="vendors")
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(None, None, None)
        await self._broker.shutdown()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publishes at least once (QoS 1): on return the MQTT broker has it."""
        await self._client.publish(topic, payload, qos=1)

    async def awaited(self, topic: str) -> None:
        """Waits until somebody has subscribed to a topic that begins so."""
        while not any(each.startswith(topic) for each in self._broker.subscriptions):  # noqa: ASYNC110  it has no event
            await asyncio.sleep(0.05)
