"""A vendor with a web server."""

import asyncio

from aiohttp import web

from tests.adapters.peer import free_port


class Vendor:
    """A web server of the test's own handlers, by path (`api__devices` is /api/devices); what it was asked."""

    def __init__(self):
        self.port = free_port()
        self.requests = []
        self._runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, **handlers):
        application = web.Application()
        for name, handler in handlers.items():
            application.router.add_route("*", "/" + name.replace("__", "/"), self._kept(handler))
        self._runner = web.AppRunner(application, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    def _kept(self, handler):
        async def kept(request):
            self.requests.append(request)
            answer = handler(request)
            return await answer if asyncio.iscoroutine(answer) else answer

        return kept

    async def stop(self):
        if self._runner:
            await self._runner.cleanup()
