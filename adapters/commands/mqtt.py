"""Commands over MQTT: each published once, over a connection of its own that keeps no session.

A connection that breaks before the MQTT broker acknowledged takes what it carried with it: nothing is published again
by a client that connects again, for the equipment would do it twice.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt

from adapters.backoff import Backoff
from adapters.commands.downlink import Answer, NotSent, Request, Unsure
from adapters.errors import DefinitionError
from adapters.options import read

_log = logging.getLogger("beffroi.adapter.commands")


@dataclass(frozen=True, slots=True)
class MqttDownlinkOptions:
    """As of an mqtt source. `timeout`: seconds for a connection, and for the MQTT broker to acknowledge."""

    host: str
    port: int = 1883
    client_id: str = ""
    username: str = ""
    password: str = ""
    qos: int = 1
    version: int = 3
    tls: bool = False
    ca: str = ""
    keep_alive: int = 30
    timeout: float = 10.0
    retry_most: float = 30.0


class MqttDownlink:
    """Connects, and connects again with growing pauses."""

    def __init__(self, options: MqttDownlinkOptions, identifier: str) -> None:
        self._options = options
        self._identifier = identifier
        self._client: aiomqtt.Client | None = None
        self._lost = asyncio.Event()
        self._why = "the connection is not there yet"

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, state: Path) -> "MqttDownlink":
        """From a definition's `commands.send: {kind: mqtt, host: …}`."""
        chosen = read(MqttDownlinkOptions, options, where)
        if chosen.version not in (3, 5):
            raise DefinitionError(f"{where}.version", f"must be 3 (for MQTT 3.1.1) or 5, not {chosen.version}")
        if chosen.qos not in (0, 1, 2):
            raise DefinitionError(f"{where}.qos", f"must be 0, 1 or 2, not {chosen.qos}")
        return cls(chosen, chosen.client_id or f"beffroi-{state.name}-commands")

    async def run(self) -> None:
        """Holds the connection."""
        options = self._options
        backoff = Backoff(0.2, options.retry_most)
        while True:
            try:
                async with self._connection() as client:
                    self._client = client
                    self._lost.clear()
                    backoff.reset()
                    _log.info("commands go to %s:%d", options.host, options.port)
                    watching = asyncio.ensure_future(self._watch(client))
                    losing = asyncio.ensure_future(self._lost.wait())
                    try:
                        await asyncio.wait((watching, losing), return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        self._client = None
                        for task in (watching, losing):
                            task.cancel()
                        await asyncio.gather(watching, losing, return_exceptions=True)
                self._why = "the connection was lost"
            except (aiomqtt.MqttError, OSError) as error:
                self._why = str(error) or "no connection"
            self._client = None
            delay = backoff.next()
            _log.warning("%s:%d: %s; again in %.1f s", options.host, options.port, self._why, delay)
            await asyncio.sleep(delay)

    async def ready(self) -> None:
        """NotSent while there is no connection."""
        if self._client is None:
            raise NotSent(f"{self._options.host}:{self._options.port}: {self._why}")

    async def send(self, request: Request) -> Answer:
        """Returns when the MQTT broker has acknowledged."""
        client = self._client
        if client is None:
            raise NotSent(f"{self._options.host}:{self._options.port}: {self._why}")
        try:
            await client.publish(
                request.topic, request.body, qos=self._options.qos, retain=False, timeout=self._options.timeout
            )
        except (aiomqtt.MqttError, OSError) as error:
            self._lost.set()
            raise Unsure(f"the MQTT broker did not acknowledge: {error}") from None
        return Answer(200)

    def _connection(self) -> aiomqtt.Client:
        options = self._options
        return aiomqtt.Client(
            options.host,
            options.port,
            identifier=self._identifier,
            username=options.username or None,
            password=options.password or None,
            protocol=aiomqtt.ProtocolVersion.V5 if options.version == 5 else aiomqtt.ProtocolVersion.V311,
            clean_session=None if options.version == 5 else True,
            tls_context=ssl.create_default_context(cafile=options.ca or None) if options.tls or options.ca else None,
            keepalive=options.keep_alive,
            timeout=options.timeout,
        )

    async def _watch(self, client: aiomqtt.Client) -> None:
        """Ends when the connection does: nothing is subscribed to, so that no message comes."""
        async for _ in client.messages:
            pass
