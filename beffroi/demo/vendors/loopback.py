"""HTTP servers of vendors, each on a free loopback port."""

from collections.abc import Iterable

from aiohttp import web


class Site:
    """Serves routes: `url` is where, from `start` until `stop`."""

    def __init__(self, routes: Iterable[web.RouteDef]) -> None:
        self.url = ""
        server = web.Application()
        server.add_routes(routes)
        self._runner = web.AppRunner(server, access_log=None)

    async def start(self) -> None:
        """Listens."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Stops listening."""
        await self._runner.cleanup()


async def answered(request: web.Request, body: bytes, headers: dict[str, str], content_type: str) -> web.StreamResponse:
    """Answers 200, and returns once the whole body is on its way."""
    response = web.Response(body=body, headers=headers, content_type=content_type)
    await response.prepare(request)
    await response.write_eof()
    return response
