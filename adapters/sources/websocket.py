"""A WebSocket that the adapter opens: what it says when it is connected, and a payload in each message it gets."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from adapters.decoding import Decoder
from adapters.errors import DefinitionError
from adapters.options import read
from adapters.sources import Batch
from adapters.sources.refusals import RefusedError
from adapters.sources.streams import Message, Stream, StreamOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions(StreamOptions):
    """`send`: messages for the server on each connection, in their order: a text as it is, anything else as JSON.
    `protocols`: sub-protocols to ask for. `heartbeat`: seconds between pings, by which a dead connection shows."""

    send: tuple[Any, ...] = ()
    protocols: tuple[str, ...] = ()
    heartbeat: float = 30.0


class WebSocketSource:
    """One URL, ws:// or wss://. A server that keeps nothing for us keeps nothing: what it said while the connection was
    broken is lost, unless the first messages ask for it."""

    def __init__(self, options: WebSocketOptions, decoder: Decoder, where: str) -> None:
        self._options = options
        self._stream = Stream(options, decoder, where)

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "WebSocketSource":
        """From a definition's `source: {kind: websocket, url: …}`."""
        chosen = read(WebSocketOptions, options, where)
        if urlsplit(chosen.url).scheme not in ("ws", "wss", "http", "https"):
            raise DefinitionError(f"{where}.url", "must be a URL that begins with ws:// or wss://")
        return cls(chosen, decoder, where)

    def batches(self) -> AsyncIterator[Batch]:
        """A batch a message."""
        return self._stream.batches(self._connected)

    async def close(self) -> None:
        """Closes the connection."""
        self._stream.close()

    async def _connected(
        self, session: aiohttp.ClientSession, authorization: dict[str, str]
    ) -> AsyncGenerator[Message, None]:
        options = self._options
        try:
            opened = await session.ws_connect(
                options.url,
                headers=authorization,
                protocols=options.protocols,
                heartbeat=options.heartbeat or None,
                max_msg_size=options.max_bytes,
            )
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 401:
                self._stream.authorization.refused()
            raise RefusedError(f"answered {error.status} and opened no WebSocket") from None
        async with opened as socket:
            for message in options.send:
                await socket.send_str(message if isinstance(message, str) else orjson.dumps(message).decode())
            async for received in socket:
                if received.type is aiohttp.WSMsgType.TEXT:
                    yield Message(received.data.encode())
                elif received.type is aiohttp.WSMsgType.BINARY:
                    yield Message(received.data)
                elif received.type is aiohttp.WSMsgType.ERROR:
                    raise RefusedError(str(socket.exception()))
