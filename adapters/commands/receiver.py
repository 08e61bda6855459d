"""Where the broker's notifications of commands come: answered once the commands in them are on disk."""

import asyncio
import hmac
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.commands.options import CommandsOptions
from adapters.decoding.json import parse_json
from adapters.errors import AdapterError, DecodingError

_log = logging.getLogger("beffroi.adapter.commands")

Take = Callable[[list[Any]], Awaitable[None]]
"""Takes the entities of a notification."""


def token_of(options: CommandsOptions, state: Path) -> str:
    """The token that the broker must show: that of the file, or one made up at the first start and kept."""
    if options.token:
        return options.token
    kept = state / "commands.token"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(32))
    return kept.read_text()


class Receiver:
    """An HTTP server with one path: 204 once the commands are on disk, 400 and 401 as their names say, 503 with
    Retry-After while as many commands wait as may."""

    def __init__(self, options: CommandsOptions, token: str, take: Take, full: Callable[[], bool]) -> None:
        self._options = options
        self._token = token
        self._take = take
        self._full = full

    async def run(self, listening: asyncio.Event) -> None:
        """Listens until it is cancelled; `listening` is set when it does."""
        options = self._options
        application = web.Application(client_max_size=options.max_bytes)
        application.add_routes([web.post("/{path:.*}", self._notified)])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, options.host, options.port, ssl_context=self._tls()).start()
            except OSError as error:
                raise AdapterError(
                    f"cannot listen for commands on {options.host}:{options.port}: {error.strerror or error}"
                ) from None
            _log.info("commands are taken on %s:%s", options.host, options.port)
            listening.set()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _notified(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return _problem(401, "the Authorization header must be `Bearer` and the token of this adapter")
        try:
            content = parse_json(await request.read())
        except DecodingError as error:
            return _problem(400, str(error))
        data = content.get("data") if isinstance(content, dict) else None
        if not isinstance(data, list):
            return _problem(400, "a notification must have a list of entities as its data")
        if self._full():
            return _problem(503, "too many commands wait; send it again", {"Retry-After": "5"})
        await self._take(data)
        return web.Response(status=204)

    def _tls(self) -> ssl.SSLContext | None:
        if not self._options.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._options.certificate, self._options.key or None)
        return context


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"title": "Not taken", "detail": detail}, status=status, headers=headers)
