"""The HTTP side of the IoT Agents, served to devices.

    POST /iot/json?i=<device>&k=<key>[&t=<time>]              JSON measures
    POST /iot/json/attrs/<attribute>?i=…&k=…                  one attribute
    POST /iot/d?i=…&k=…[&t=<time>], GET with &d=<measures>    UltraLight 2.0
    POST /iot/json/commands?i=…&k=…                           what became of commands; of UltraLight, among the measures

With &getCmd=1 the answer is the commands that wait for the device.

Answers 200 once the data is on disk, 400 to what cannot be read, 403 to a key that is not agreed on, 503 while the
queue is full.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.decoding import Decoder, Fault
from adapters.errors import DecodingError, DefinitionError
from adapters.fiware_iot.mailbox import FILE, Mailbox
from adapters.fiware_iot.records import FiwareIotDecoder
from adapters.options import read
from adapters.sources import Batch
from adapters.sources.webhook import Listener, WebhookOptions


def open_source(options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "FiwareIotSource":
    """From a definition's `source: {kind: fiware_iot, port: 7896}`, with the options of a webhook."""
    if not isinstance(decoder, FiwareIotDecoder):
        raise DefinitionError(where, "the fiware_iot source reads the format fiware_iot and no other")
    return FiwareIotSource(read(WebhookOptions, {"path": "/iot", **options}, where), decoder, Mailbox(state / FILE))


class FiwareIotSource:
    """A batch a request."""

    def __init__(self, options: WebhookOptions, decoder: FiwareIotDecoder, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._listener = Listener(options)
        self._decoder = decoder

    def batches(self) -> AsyncIterator[Batch]:
        """Serves devices and yields what they measure."""
        path = self._listener.options.path.rstrip("/")
        return self._listener.batches(
            [
                web.post(path + "/json", self._json),
                web.post(path + "/json/attrs/{attribute}", self._json),
                web.post(path + "/json/commands", self._results),
                web.post(path + "/d", self._ultralight),
                web.get(path + "/d", self._ultralight, allow_head=False),
            ]
        )

    async def close(self) -> None:
        """Stops serving."""
        self._listener.close()

    async def _json(self, request: web.Request) -> web.Response:
        return await self._taken(request, "json", await request.read())

    async def _results(self, request: web.Request) -> web.Response:
        return await self._taken(request, "json", await request.read(), results=True)

    async def _ultralight(self, request: web.Request) -> web.Response:
        body = await request.read() if request.method == "POST" else request.query.get("d", "").encode()
        return await self._taken(request, "ul", body)

    async def _taken(
        self, request: web.Request, protocol: str, payload: bytes, *, results: bool = False
    ) -> web.Response:
        refused = self._listener.refusal(request, payload)
        if refused:
            return _error(401, refused)
        about = {
            "protocol": protocol,
            "key": request.query.get("k", ""),
            "device": request.query.get("i", ""),
            "time": request.query.get("t", ""),
            "attribute": request.match_info.get("attribute", ""),
        }
        try:
            decode = self._decoder.results if results else self._decoder.records
            records = list(decode(payload, about))
        except DecodingError as error:
            return _error(400, str(error))
        faults = [record.reason for record in records if isinstance(record, Fault)]
        if faults:
            return _error(403, faults[0])
        if not await self._listener.deliver(records):
            response = _error(503, "the data could not be stored yet; send it again")
            response.headers["Retry-After"] = "30"
            return response
        if request.query.get("getCmd") != "1":
            return web.json_response({})
        told = await asyncio.to_thread(self._mailbox.take, f"/{about['key']}/{about['device']}", protocol)
        if protocol == "json":
            return web.Response(body=told or b"{}", content_type="application/json")
        return web.Response(body=told, content_type="text/plain")


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"name": "ERROR", "message": message}, status=status)
