"""`beffroi demo`: a whole territory at work on one machine.

A broker, three vendors' systems that speak their protocols on loopback, the adapters between them, and an application
that is notified of what changes.
"""

import asyncio
import importlib.util
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from beffroi.demo.performance import Options


def run(*, once: bool, host: str, port: int, data_dir: Path, mongo_uri: str, lights: int = 7000) -> int:
    """Shows the territory until SIGINT or SIGTERM, then stops all it started: 0; 1 where something does not run.

    With `once` it checks that the registers and one round of each feed arrived and were notified, and ends: 0 or 1.
    """
    console = Console()
    if importlib.util.find_spec("amqtt") is None:
        console.print(
            "The demonstration needs an MQTT broker: install beffroi with the extra, 'beffroi[demo,embedded]'."
        )
        return 1
    from beffroi.demo.performance import Options
    from beffroi.demo.processes import CannotPerform

    options = Options(host=host, port=port, data_dir=data_dir.absolute(), mongo_uri=mongo_uri, lights=lights)
    try:
        return asyncio.run(_until_signalled(options, console, once=once))
    except CannotPerform as error:
        console.print(str(error), markup=False)
        return 1


async def _until_signalled(options: "Options", console: Console, *, once: bool) -> int:
    from beffroi.demo.performance import perform

    performing = asyncio.ensure_future(perform(options, console, once=once))
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:  # a second Ctrl-C must not keep the first one from stopping everything
            stopped = True
            console.print("Stopping …")
            performing.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await performing
    except asyncio.CancelledError:
        return 130 if once else 0
