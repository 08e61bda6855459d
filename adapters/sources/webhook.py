"""An HTTP endpoint the vendor posts to: it answers 2xx when, and only when, the data is safe on disk."""

import asyncio
import hashlib
import hmac
import io
import logging
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.decoding import Decoder, decoded
from adapters.errors import AdapterError, DecodingError
from adapters.options import read
from adapters.sources import Batch

_log = logging.getLogger("beffroi.adapter.webhook")


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """`token`: must come as `Authorization: Bearer <token>`. `hmac_secret`: the header `hmac_header` must be the body's
    HMAC-SHA256 in hexadecimal, with or without `sha256=` before it. `wait`: seconds a request waits for the disk (a
    full queue) before it is answered 503. `certificate`, `key`: TLS; `client_ca`: and only for clients it signed."""

    port: int
    host: str = "127.0.0.1"
    path: str = "/"
    token: str = ""
    hmac_secret: str = ""
    hmac_header: str = "X-Signature"
    max_bytes: int = 20_000_000
    wait: float = 20.0
    certificate: str = ""
    key: str = ""
    client_ca: str = ""


class Delivery:
    """A request's documents on their way to the disk, and the request's wait for them to be there."""

    def __init__(self, documents: list[Any]) -> None:
        self.documents = documents
        self._safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def batch(self) -> Batch:
        """The batch whose acknowledgement ends the wait."""

        async def acknowledge() -> None:
            if not self._safe.done():
                self._safe.set_result(None)

        return Batch(self.documents, acknowledge)

    async def safe(self, seconds: float) -> bool:
        """Whether the documents came to be safe within so many seconds."""
        try:
            await asyncio.wait_for(asyncio.shield(self._safe), seconds)
        except TimeoutError:
            return False
        return True


class Listener:
    """The server under webhooks and under profiles that serve a vendor's protocol: routes in, batches out."""

    def __init__(self, options: WebhookOptions) -> None:
        self.options = options
        self._arrived: asyncio.Queue[Delivery | None] = asyncio.Queue(maxsize=100)

    async def deliver(self, documents: list[Any]) -> bool:
        """Hands documents over and waits until they are safe; False where that took too long."""
        delivery = Delivery(documents)
        try:
            self._arrived.put_nowait(delivery)
        except asyncio.QueueFull:
            return False
        return await delivery.safe(self.options.wait)

    async def batches(self, routes: list[web.RouteDef]) -> AsyncIterator[Batch]:
        """Serves the routes and yields what they deliver, until `close`."""
        application = web.Application(client_max_size=self.options.max_bytes)
        application.add_routes(routes)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        host, port = self.options.host, self.options.port
        try:
            try:
                await web.TCPSite(runner, host, port, ssl_context=self._tls()).start()
            except OSError as error:
                raise AdapterError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
            _log.info("listening on %s:%d", host, port)
            while (delivery := await self._arrived.get()) is not None:
                yield delivery.batch()
        finally:
            await runner.cleanup()

    def refusal(self, request: web.Request, body: bytes) -> str | None:
        """Why the request's token or signature is not right; None where it is."""
        options = self.options
        if options.token:
            given = request.headers.get("Authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {options.token}".encode()):
                return "the Authorization header must be `Bearer` and the token agreed on"
        if options.hmac_secret:
            expected = hmac.new(options.hmac_secret.encode(), body, hashlib.sha256).hexdigest()
            given = request.headers.get(options.hmac_header, "").removeprefix("sha256=").lower()
            if not hmac.compare_digest(given.encode(), expected.encode()):
                return f"the {options.hmac_header} header must be the body's HMAC-SHA256 by the secret agreed on"
        return None

    def _tls(self) -> ssl.SSLContext | None:
        if not self.options.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.options.certificate, self.options.key or None)
        if self.options.client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.options.client_ca)
        return context

    def close(self) -> None:
        """No further batch."""
        try:
            self._arrived.put_nowait(None)
        except asyncio.QueueFull:  # whoever waits is answered 503 and sends again
            self._arrived.get_nowait()
            self._arrived.put_nowait(None)


class WebhookSource:
    """One path that takes POST and PUT: 204 once safe, 400 what cannot be decoded, 401 a wrong token or signature,
    413 too long, 503 with Retry-After while the queue is full."""

    def __init__(self, options: WebhookOptions, decoder: Decoder) -> None:
        self._listener = Listener(options)
        self._decoder = decoder

    @classmethod
    def open(cls, options: Mapping[str, Any], where: str, decoder: Decoder, state: Path) -> "WebhookSource":
        """From a definition's `source: {kind: webhook, port: …}`."""
        return cls(read(WebhookOptions, options, where), decoder)

    def batches(self) -> AsyncIterator[Batch]:
        """A batch a request."""
        path = self._listener.options.path
        return self._listener.batches([web.post(path, self._receive), web.put(path, self._receive)])

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        refused = self._listener.refusal(request, body)
        if refused:
            return web.json_response({"title": "Unauthorized", "detail": refused}, status=401)
        try:
            documents = list(decoded(self._decoder, io.BytesIO(body), dict(request.query)))
        except DecodingError as error:
            return web.json_response({"title": "Bad request", "detail": str(error)}, status=400)
        if not await self._listener.deliver(documents):
            detail = "the data could not be stored yet; send it again"
            return web.json_response({"title": "Busy", "detail": detail}, status=503, headers={"Retry-After": "30"})
        return web.Response(status=204)

    async def close(self) -> None:
        """Stops listening."""
        self._listener.close()
