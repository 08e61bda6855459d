"""`beffroi adapter run FILE…`: adapters in one process, until their sources end or SIGTERM."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import uvloop
from prometheus_client import start_http_server

from adapters.backoff import Backoff
from adapters.commands.execution import templates_of
from adapters.counts import Counts
from adapters.definition import Definition, Metrics, load
from adapters.errors import AdapterError
from adapters.mapping import Mapper
from adapters.pipeline import Pipeline, held

_log = logging.getLogger("beffroi.adapter")

GRACE = 2.0
"""Seconds that a stopped adapter goes on sending what it has queued; the rest waits on disk for the next start."""


def main(files: Sequence[Path | str]) -> int:
    """Runs the adapters of the files; blocks. 0 when all sources ended or a signal stopped them, 1 when one could not
    start (said in one sentence on standard error)."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        definitions = [load(Path(file)) for file in files]
        for definition in definitions:
            templates_of(definition, Mapper(definition))  # what is wrong in a file shows before any of them runs
        return uvloop.run(run(definitions))
    except AdapterError as error:
        sys.stderr.write(f"{error}\n")
        return 1


async def run(definitions: Sequence[Definition], stopping: asyncio.Event | None = None) -> int:
    """Runs the adapters until their sources end, `stopping` is set, or SIGTERM or SIGINT comes; 0, or 1 where one of
    them failed. Raises AdapterError where two adapters have one name."""
    names = [definition.name for definition in definitions]
    for name in names:
        if names.count(name) > 1:
            raise AdapterError(f"two adapters are named {name}; give one of them another `name`")
    stopping = stopping or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    counts = Counts()
    for definition in definitions:
        if definition.metrics.port is not None:
            _serve_metrics(definition.metrics, counts)
    results = await asyncio.gather(*(_kept_running(each, counts, stopping) for each in definitions))
    return max(results, default=0)


def _serve_metrics(metrics: Metrics, counts: Counts) -> None:
    try:
        start_http_server(metrics.port or 0, metrics.host, counts.registry)
    except OSError as error:
        raise AdapterError(
            f"cannot serve metrics on {metrics.host}:{metrics.port}: {error.strerror or error}"
        ) from None


async def _kept_running(definition: Definition, counts: Counts, stopping: asyncio.Event) -> int:
    """One adapter; a failure of its own is told and it starts again, so that the others never notice."""
    backoff = Backoff(1.0, 60.0)
    adapter_counts = counts.of(definition.name)
    while True:
        try:
            with held(definition.state_directory) as state:
                pipeline = Pipeline(definition, adapter_counts, state)
                try:
                    await _until_stopped(pipeline, stopping)
                finally:
                    pipeline.close()
            return 0
        except AdapterError as error:
            _log.error("%s: %s", definition.name, error)
            return 1
        except Exception:
            delay = backoff.next()
            _log.exception("%s failed; starting again in %.1f s", definition.name, delay)
            try:
                await asyncio.wait_for(stopping.wait(), delay)
                return 1
            except TimeoutError:
                continue


async def _until_stopped(pipeline: Pipeline, stopping: asyncio.Event) -> None:
    _log.info("%s runs", pipeline.definition.name)
    running = asyncio.ensure_future(pipeline.run())
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait((running, stop), return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        await pipeline.stop()
        await asyncio.wait((running,), timeout=GRACE)
        running.cancel()
    stop.cancel()
    try:
        await running
    except asyncio.CancelledError:
        pass
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    _log.info("%s stopped", pipeline.definition.name)
