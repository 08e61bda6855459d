"""Notifications over MQTT 3.1.1 and 5, plain or over TLS (7.2): one JSON object with metadata and body.

A connection to a broker is kept while it is used, and shared by the subscriptions whose endpoints name the same broker,
user and version. With QoS 1 and 2 delivered means that the broker has acknowledged; with QoS 0, which is the standard's
default, only that the message was handed to the network.
"""

import asyncio
import contextlib
import secrets
import socket
import ssl
import time
from dataclasses import dataclass, field
from typing import Any

import aiomqtt
import orjson

from broker.notifications.endpoints import EndpointPolicy
from broker.notifications.message import Message, Outcome
from ngsi_ld.subscription import MqttEndpoint

_VERSIONS = {"mqtt3.1.1": aiomqtt.ProtocolVersion.V311, "mqtt5.0": aiomqtt.ProtocolVersion.V5}
_IDLE_SECONDS = 60.0
_CLOSE_SECONDS = 2.0

_Key = tuple[str, int, bool, str | None, str | None, str]


@dataclass(slots=True)
class _Connection:
    connecting: asyncio.Lock = field(default_factory=asyncio.Lock)
    client: aiomqtt.Client | None = None
    used: float = field(default_factory=time.monotonic)


class MqttSender:
    """Publishes each notification on the topic of its endpoint."""

    def __init__(self, endpoints: EndpointPolicy) -> None:
        self._endpoints = endpoints
        self._connections: dict[_Key, _Connection] = {}

    async def send(self, message: Message) -> Outcome:
        """Publishes the message; connects first where no connection is there."""
        endpoint = message.endpoint.mqtt
        if endpoint is None:
            return Outcome(False, "the endpoint is not one of MQTT")
        key = (endpoint.host, endpoint.port, endpoint.tls, endpoint.username, endpoint.password, endpoint.version)
        connection = self._connections.setdefault(key, _Connection())
        connection.used = time.monotonic()
        payload = b'{"metadata":%b,"body":%b}' % (orjson.dumps(message.headers), message.body)
        try:
            async with asyncio.timeout(message.timeout):
                client = await self._connected(connection, endpoint, message.timeout)
                await client.publish(endpoint.topic, payload, qos=endpoint.quality, timeout=message.timeout)
        except TimeoutError:
            reason = f"no acknowledgement within {message.timeout:g} s"
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
        else:
            await self._leave_idle()
            return Outcome(True)
        await self._leave(connection)
        return Outcome(False, reason)

    async def close(self) -> None:
        """Leaves all brokers."""
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            await self._leave(connection)

    async def _connected(self, connection: _Connection, endpoint: MqttEndpoint, seconds: float) -> aiomqtt.Client:
        async with connection.connecting:
            if connection.client is None:
                address = await self._endpoints.address(endpoint.host, endpoint.port)
                client = aiomqtt.Client(
                    address,
                    endpoint.port,
                    username=endpoint.username,
                    password=endpoint.password,
                    protocol=_VERSIONS[endpoint.version],
                    identifier=f"beffroi-{secrets.token_hex(6)}",
                    tls_context=_tls(endpoint.host) if endpoint.tls else None,
                    timeout=seconds,
                )
                # aiomqtt keeps why it was disconnected in a future; read here, or asyncio would complain of it.
                client._disconnected.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
                await client.__aenter__()
                connection.client = client
            return connection.client

    async def _leave(self, connection: _Connection) -> None:
        client, connection.client = connection.client, None
        if client is not None:
            with contextlib.suppress(aiomqtt.MqttError, OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.__aexit__(None, None, None)

    async def _leave_idle(self) -> None:
        latest = time.monotonic() - _IDLE_SECONDS
        for key, connection in list(self._connections.items()):
            if connection.used < latest and not connection.connecting.locked():
                del self._connections[key]
                await self._leave(connection)


class _Named(ssl.SSLContext):
    """Checks the certificate for the host that the endpoint names, whichever address was connected to."""

    host: str

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:  # type: ignore[override]
        """As SSLContext does, with the name of the endpoint."""
        return super().wrap_socket(sock, **{**options, "server_hostname": self.host})


def _tls(host: str) -> ssl.SSLContext:
    context = _Named(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.host = host
    return context
