"""`beffroi serve`: a listening socket, MongoDB (a private one if no other is named), and the processes of the API.

One worker serves in this process. Several are processes of their own on the same socket, started again if one dies,
which end with this one whatever ends it.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
import uvloop

from broker import version
from broker.application import application
from broker.embedded import EmbeddedMongo, die_with_parent
from broker.settings import Settings

logger = logging.getLogger("beffroi")

_RESTART_PAUSE = 1.0
_GRACE = 10


class CannotListen(Exception):
    """The address is taken or not ours."""


def main(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM; raises CannotListen or MongodUnavailable if it cannot begin."""
    _log(settings)
    with contextlib.closing(_listen(settings)) as listener:
        uvloop.run(_serve(settings, listener))


async def _serve(settings: Settings, listener: socket.socket) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _mongo(settings) as uri:
        settings = settings.model_copy(update={"mongo_uri": uri, "port": listener.getsockname()[1]})
        logger.info("Beffroi %s serves %s/ngsi-ld/v1, with its documentation at /docs", version(), settings.base_url)
        if settings.workers == 1:
            await _serve_here(settings, listener, stop)
        else:
            await _supervise(settings, listener, stop)


@asynccontextmanager
async def _mongo(settings: Settings) -> AsyncIterator[str]:
    if settings.mongo_uri:
        yield settings.mongo_uri
    else:
        async with EmbeddedMongo(settings.data_dir) as uri:
            yield uri


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: after the server MongoDB has to be stopped too."""
        yield


async def _serve_here(settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    app = application(settings)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE,
    )
    server = _Server(config)
    # What is made from here on is short-lived, or kept for good in caches that hold no cycles: look at it seldom.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    app.leave()
    stopping.cancel()
    await serving
    if not server.started:
        raise SystemExit("the broker could not start; the log above says why")


async def _supervise(settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    workers = [asyncio.create_task(_keep_worker(settings, listener)) for _ in range(settings.workers)]
    await stop.wait()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


async def _keep_worker(settings: Settings, listener: socket.socket) -> None:
    """One worker process, another one whenever it ends; cancelling ends it."""
    environment = os.environ | {
        f"BEFFROI_{name.upper()}": str(value)
        for name, value in settings.model_copy(update={"workers": 1}).model_dump().items()
        if value is not None
    }
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "broker.serve",
            str(listener.fileno()),
            pass_fds=[listener.fileno()],
            env=environment,
            preexec_fn=die_with_parent(),
        )
        try:
            status = await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()
            raise
        logger.error("a worker ended with status %d; another one takes its place", status)
        await asyncio.sleep(_RESTART_PAUSE)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise CannotListen(
            f"Nothing can listen on {settings.host}:{settings.port} ({error.strerror}): "
            "stop what does, or choose another --port"
        ) from error
    listener.listen(2048)
    listener.setblocking(False)
    return listener


async def _worker(descriptor: int, settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C reaches the whole group; the parent decides
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    with socket.socket(fileno=descriptor) as listener:
        await _serve_here(settings, listener, stop)


def _log(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
    logging.getLogger("uvicorn.error").setLevel("WARNING")  # its start and stop are told in our words


if __name__ == "__main__":
    inherited = Settings()
    _log(inherited)
    uvloop.run(_worker(int(sys.argv[1]), inherited))
