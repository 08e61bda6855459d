"""Server-Sent Events (WHATWG HTML, 9.2): each event's data is a payload; after a break the server is told the id of the
last event whose data is safe."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from adapters.decoding import Decoder
from adapters.errors import DefinitionError
from adapters.options import read
from adapters.sources import Batch
from adapters.sources.refusals import RefusedError
from adapters.sources.streams import Message, Stream, StreamOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SseOptions(StreamOptions):
    """`events`: the names of the events to take; all where the list is empty (one without a name is `message`)."""

    parameters: dict[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()


class SseSource:
    """One URL. The id of the last event is kept in the state directory, so that a restart misses nothing either."""

    def __init__(self, options: SseOptions, decoder: Decoder, where: str, state: Path) -> None:
        self._options = options
        self._stream = Stream(options, decoder, where)
        self._file = state / "last-event-id"

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "SseSource":
        """From a definition's `source: {kind: sse, url: …}`."""
        chosen = read(SseOptions, options, where)
        if urlsplit(chosen.url).scheme not in ("http", "https"):
            raise DefinitionError(f"{where}.url", "must be a URL that begins with http:// or https://")
        return cls(chosen, decoder, where, state)

    def batches(self) -> AsyncIterator[Batch]:
        """A batch an event."""
        return self._stream.batches(self._connected)

    async def close(self) -> None:
        """Lets the connection go."""
        self._stream.close()

    async def _connected(
        self, session: aiohttp.ClientSession, authorization: dict[str, str]
    ) -> AsyncGenerator[Message, None]:
        options = self._options
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"} | authorization
        if self._file.exists():
            headers["Last-Event-ID"] = self._file.read_text(encoding="utf-8")
        async with session.get(options.url, params=options.parameters, headers=headers) as response:
            if response.status == 401:
                self._stream.authorization.refused()
            if response.status != 200 or response.content_type != "text/event-stream":
                raise RefusedError(f"answered {response.status}, {response.content_type}, which is no event stream")
            data: list[bytes] = []
            size, name, last = 0, "", ""
            async for line in _lines(response.content, options.max_bytes):
                if not line:
                    if data and (not options.events or (name or "message") in options.events):
                        yield Message(b"\n".join(data), {"event": name or "message", "id": last}, self._keeper(last))
                    data, size, name = [], 0, ""
                    continue
                field_name, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                if field_name == b"data":
                    size += len(value)
                    if size > options.max_bytes:
                        raise RefusedError(f"sent an event of more than {options.max_bytes} bytes (source.max_bytes)")
                    data.append(value)
                elif field_name == b"event":
                    name = value.decode("utf-8", "replace")
                elif field_name == b"id" and b"\0" not in value:
                    last = value.decode("utf-8", "replace")

    def _keeper(self, last: str) -> Any:
        def keep() -> None:
            if last:
                draft = self._file.with_suffix(".new")
                draft.write_text(last, encoding="utf-8")
                draft.replace(self._file)

        return keep


async def _lines(content: aiohttp.StreamReader, longest: int) -> AsyncIterator[bytes]:
    """Lines that end with CR LF, LF or CR, without their ends."""
    rest = b""
    ended_with_cr = False
    async for chunk in content.iter_any():
        if ended_with_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        ended_with_cr = chunk.endswith(b"\r")
        *whole, rest = (rest + chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")).split(b"\n")
        if len(rest) > longest:
            raise RefusedError(f"sent a line of more than {longest} bytes (source.max_bytes)")
        for line in whole:
            yield line
