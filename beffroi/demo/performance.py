"""The whole performance, in the order in which its parts need each other: broker, application, vendors, adapters."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import data_models
from beffroi.demo import adapters, arrivals, programme
from beffroi.demo.application import Application
from beffroi.demo.broker import BrokerClient
from beffroi.demo.inventory import registers
from beffroi.demo.ledger import Ledger, Page
from beffroi.demo.processes import CannotPerform, Program, in_use
from beffroi.demo.territory import Territory, generate
from beffroi.demo.trades import Trades, open_trades
from beffroi.demo.vendors import Vendor

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """Where the broker listens, where everything is kept, the MongoDB to use (a private one if empty), how many
    street lights there are."""

    host: str
    port: int
    data_dir: Path
    mongo_uri: str
    lights: int

    @property
    def url(self) -> str:
        """The broker, from this machine."""
        return f"http://{'127.0.0.1' if self.host in ('0.0.0.0', '::') else self.host}:{self.port}"  # noqa: S104

    @property
    def folder(self) -> Path:
        """The demonstration's own files: the two ledgers, the adapters' files, the logs."""
        return self.data_dir / "demo"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs, and what was sent and notified so far. `began`: the monotonic time of the start."""

    options: Options
    console: Console
    began: float
    territory: Territory
    broker: BrokerClient
    application: Application
    registers: Page
    trades: Trades
    programs: tuple[Program, ...]
    notified: Ledger


async def perform(options: Options, console: Console, *, once: bool) -> int:
    """Starts everything, and stops it all at the end, whatever ends it.

    With `once` it checks that the registers and one round of each feed arrived: 0 or 1. Else it goes on until it is
    cancelled. Raises `CannotPerform` where a program does not run.
    """
    async with AsyncExitStack() as running:
        stage = await _set(options, console, running, once=once)
        return await _while_kept(stage, _once(stage) if once else _endless(stage))


async def _set(options: Options, console: Console, running: AsyncExitStack, *, once: bool) -> Stage:
    """Starts the parts, each after those that it needs; `running` stops them in the opposite order."""
    began = time.monotonic()
    logs = options.folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    sent = running.enter_context(Ledger(options.folder / "sent.ndjson", remember=False))
    notified = running.enter_context(Ledger(options.folder / "notified.ndjson", remember=once))

    if in_use(options.host, options.port):
        raise CannotPerform(f"Port {options.port} is in use: stop what listens there, or choose another with --port.")
    broker = await running.enter_async_context(BrokerClient(options.url))
    serving = await _started("broker", _serve(options), logs, running)
    with console.status("Starting MongoDB and the broker …"):
        territory = generate(lights=options.lights)
        trades = await open_trades(territory, broker, options.folder, lambda: Page(sent, remember=once), running)
        files = adapters.write_files(options.folder / "adapters", territory, trades.ends, broker=options.url)
        application = Application(notified)
        endpoint = await application.start()
        running.push_async_callback(application.stop)
        await _ready(broker, serving)
    await application.subscribe(broker, endpoint)  # before anything is sent
    adapting = await _started("adapters", ["adapter", "run", *map(str, files)], logs, running)
    registers = Page(sent, remember=once)
    programs = (serving, adapting)
    return Stage(options, console, began, territory, broker, application, registers, trades, programs, notified)


def _serve(options: Options) -> list[str]:
    arguments = ["serve", "--host", options.host, "--port", str(options.port), "--data-dir", str(options.data_dir)]
    arguments += ["--default-context", options.url + data_models.CONTEXT_PATH]
    return [*arguments, "--mongo-uri", options.mongo_uri] if options.mongo_uri else arguments


async def _started(name: str, arguments: list[str], logs: Path, running: AsyncExitStack) -> Program:
    program = Program(name, arguments, logs / f"{name}.log")
    await program.start()
    running.push_async_callback(program.stop)
    return program


async def _ready(broker: BrokerClient, program: Program) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not await broker.ready():
        if not program.running or time.monotonic() > deadline:
            raise CannotPerform(program.obituary())
        await asyncio.sleep(0.05)


async def _while_kept(stage: Stage, acting: Coroutine[None, None, int]) -> int:
    """Acts, and meanwhile starts each program again that dies."""
    tasks = [asyncio.create_task(acting)]
    tasks += [asyncio.create_task(program.keep(stage.console.print)) for program in stage.programs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _once(stage: Stage) -> int:
    """What became of the registers and of one round of each feed."""
    await _fill(stage)
    pages = {"registers": stage.registers, **stage.trades.pages}
    with stage.console.status("Waiting for the last notifications …"):
        await arrivals.all_notified(set().union(*(page.pairs for page in pages.values())), stage.notified)
    found = await arrivals.check(stage.broker, pages, stage.notified)
    stage.console.print(arrivals.table(found))
    stage.console.print(f"{time.monotonic() - stage.began:.1f} s in all, the start of MongoDB and the broker included.")
    return 0 if all(each.complete for each in found) else 1


async def _endless(stage: Stage) -> int:
    """The same, then changes as they happen."""
    await _fill(stage)
    stage.console.print(programme.text(stage.options.url, stage.options.folder, _reports(stage)), soft_wrap=True)
    if stage.application.first is not None:
        seconds = stage.application.first - stage.began
        stage.console.print(f"The application had its first notification {seconds:.1f} s after the start.\n")
    stage.application.tell(partial(_print_line, stage.console))
    await asyncio.gather(*(vendor.keep_sending() for vendor in stage.trades.vendors.values()))
    return 0


def _reports(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.trades.ends.reports}"


async def _fill(stage: Stage) -> None:
    """The town's registers and a first round of each feed go into the broker."""
    content = registers(stage.territory, datetime.now(UTC))
    async with _progress(stage) as progress, asyncio.TaskGroup() as tasks:
        for name, vendor in stage.trades.vendors.items():
            bar = progress.add_task(f"{name} ({vendor.protocol})", total=None)
            tasks.create_task(_first_round(vendor, partial(progress.update, bar)))
        bars = {name: progress.add_task(f"register: {name}", total=len(each)) for name, each in content.items()}
        for name, bar in bars.items():
            await stage.broker.upsert(content[name], partial(progress.advance, bar))
            stage.registers.write_all([(entity["id"], "") for entity in content[name]])


async def _first_round(vendor: Vendor, update: Callable[..., None]) -> None:
    """All that a vendor's system knows."""
    things = await vendor.round()
    update(total=things, completed=things)


@asynccontextmanager
async def _progress(stage: Stage) -> AsyncIterator[Progress]:
    """Progress bars, and under them how many entities the application has been notified of."""
    columns = (TextColumn("{task.description:34}"), BarColumn(30), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stage.console) as progress:

        async def count() -> None:
            bar = progress.add_task("the application is notified of", total=None)
            while True:
                progress.update(bar, completed=stage.application.count)
                await asyncio.sleep(0.1)

        counting = asyncio.create_task(count())
        try:
            yield progress
        finally:
            counting.cancel()


def _print_line(console: Console, line: str) -> None:
    console.print(f"{datetime.now():%H:%M:%S} {line}", markup=False, highlight=False, soft_wrap=True)
