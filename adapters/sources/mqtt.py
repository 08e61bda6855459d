"""MQTT 3.1.1 and 5 with a persistent session: a message is acknowledged to the broker once its data is safe on disk.

The PUBACK by hand is why this speaks paho-mqtt directly: what is not acknowledged when the adapter dies, the broker
sends again.
"""

import asyncio
import io
import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from adapters.decoding import Decoder, decoded
from adapters.errors import DecodingError, DefinitionError
from adapters.options import read
from adapters.sources import Batch, Rejected

_log = logging.getLogger("beffroi.adapter.mqtt")
_LEVEL = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """`topic`: one or a list; a level in braces, as in `application/{application}/device/{device}/event/{event}`, is a
    + whose text the records carry as `_origin`. `share`: the group of a shared subscription. `version`: 3 (3.1.1) or
    5."""

    host: str
    topic: tuple[str, ...]
    port: int = 1883
    client_id: str = ""
    username: str = ""
    password: str = ""
    qos: int = 1
    share: str = ""
    version: int = 3
    tls: bool = False
    ca: str = ""
    keep_alive: int = 30
    session_expiry: int = 7 * 86400
    batch: int = 500


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic pattern: the filter to subscribe to and the names of its levels."""

    filter: str
    levels: tuple[str | None, ...]

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """From `a/{name}/b`."""
        levels = text.split("/")
        names = tuple(match.group(1) if (match := _LEVEL.fullmatch(level)) else None for level in levels)
        return cls("/".join("+" if name else level for name, level in zip(names, levels, strict=True)), names)

    def matches(self, topic: str) -> bool:
        """Whether a message's topic is of this pattern."""
        said = topic.split("/")
        wanted = self.filter.split("/")
        if wanted[-1] == "#":
            wanted.pop()
            said = said[: len(wanted)]
        return len(wanted) == len(said) and all(a in ("+", b) for a, b in zip(wanted, said, strict=True))

    def origin(self, topic: str) -> dict[str, str]:
        """The named levels of a message's topic, and the topic itself."""
        levels = zip(self.levels, topic.split("/"), strict=False)
        return {"topic": topic} | {name: level for name, level in levels if name is not None}


class MqttSource:
    """One subscription, to one topic or several. Connects and connects again by itself; messages wait at the broker
    meanwhile."""

    def __init__(self, options: MqttOptions, decoder: Decoder, identifier: str) -> None:
        self._options = options
        self._decoder = decoder
        self._topics = tuple(Topic.parse(topic) for topic in options.topic)
        self._identifier = identifier
        self._arrived: asyncio.Queue[tuple[int, MQTTMessage] | None] = asyncio.Queue()
        self._connection = 0

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "MqttSource":
        """From a definition's `source: {kind: mqtt, host: …, topic: …}`."""
        chosen = read(MqttOptions, options, where)
        if not chosen.topic or not all(chosen.topic):
            raise DefinitionError(f"{where}.topic", "is empty; it is what is subscribed to")
        if chosen.version not in (3, 5):
            raise DefinitionError(f"{where}.version", f"must be 3 (for MQTT 3.1.1) or 5, not {chosen.version}")
        if chosen.qos not in (0, 1, 2):
            raise DefinitionError(f"{where}.qos", f"must be 0, 1 or 2, not {chosen.qos}")
        return cls(chosen, decoder, chosen.client_id or f"beffroi-{state.name}")

    async def batches(self) -> AsyncIterator[Batch]:
        """What has arrived, up to `batch` messages at a time: no waiting for more."""
        client = self._connect(asyncio.get_running_loop())
        try:
            while (first := await self._arrived.get()) is not None:
                messages: list[tuple[int, MQTTMessage]] = [first]
                ended = False
                while not self._arrived.empty() and len(messages) < self._options.batch:
                    following = self._arrived.get_nowait()
                    if following is None:
                        ended = True
                        break
                    messages.append(following)
                yield self._batch(client, messages)
                if ended:
                    return
        finally:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    def _batch(self, client: Client, messages: list[tuple[int, MQTTMessage]]) -> Batch:
        found: list[Any] = []
        rejected: list[Rejected] = []
        for _, message in messages:
            try:
                found += decoded(self._decoder, io.BytesIO(message.payload), self._origin(message.topic))
            except DecodingError as error:
                rejected.append(Rejected(f"{message.topic}: {error}", bytes(message.payload)))

        async def acknowledge() -> None:
            for connection, message in messages:
                if connection == self._connection:  # on another one the number may be that of another message
                    client.ack(message.mid, message.qos)

        return Batch(found, acknowledge, rejected)

    def _origin(self, topic: str) -> dict[str, str]:
        of = self._topics[0] if len(self._topics) == 1 else None
        of = of or next((each for each in self._topics if each.matches(topic)), self._topics[0])
        return of.origin(topic)

    def _connect(self, loop: asyncio.AbstractEventLoop) -> Client:
        options = self._options
        modern = options.version == 5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._identifier,
            clean_session=None if modern else False,
            protocol=MQTTProtocolVersion.MQTTv5 if modern else MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        if options.username:
            client.username_pw_set(options.username, options.password)
        if options.tls or options.ca:
            client.tls_set_context(ssl.create_default_context(cafile=options.ca or None))
        client.reconnect_delay_set(1, 60)
        share = f"$share/{options.share}/" if options.share else ""

        def connected(client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                _log.error("%s:%d refuses the connection: %s", options.host, options.port, reason)
                return
            self._connection += 1
            client.subscribe([(share + topic.filter, options.qos) for topic in self._topics])

        def subscribed(_client: Client, _userdata: Any, _mid: int, reasons: list[Any], _properties: Any) -> None:
            for topic, reason in zip(self._topics, reasons, strict=False):
                if reason.is_failure:
                    _log.error("%s:%d refuses the topic %s: %s", options.host, options.port, topic.filter, reason)
                    return
            filters = ", ".join(topic.filter for topic in self._topics)
            _log.info("subscribed to %s at %s:%d", filters, options.host, options.port)

        def disconnected(_client: Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            if reason.is_failure:
                _log.warning("the connection to %s:%d was lost: %s", options.host, options.port, reason)

        def received(_client: Client, _userdata: Any, message: MQTTMessage) -> None:
            loop.call_soon_threadsafe(self._arrived.put_nowait, (self._connection, message))

        client.on_connect, client.on_disconnect = connected, disconnected
        client.on_subscribe, client.on_message = subscribed, received
        properties = None
        if modern:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = options.session_expiry
        client.connect_async(
            options.host,
            options.port,
            keepalive=options.keep_alive,
            clean_start=False if modern else 3,  # 3: paho's «first connection only», which 3.1.1 does not use
            properties=properties,
        )
        client.loop_start()
        return client

    async def close(self) -> None:
        """Disconnects; the session stays at the broker and keeps what comes."""
        self._arrived.put_nowait(None)
