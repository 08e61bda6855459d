"""`beffroi subscriptions backlog|replay|drop`: what waits for subscribers, what was given up, and what to do about it.

The commands speak to the database of the broker, not to its API: they are for its operator. What `replay` and `drop`
ask for is done by the process that follows the change log, in the order of the log.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from beffroi.columns import columns

if TYPE_CHECKING:
    from broker.notifications.commands import Backlog, Client

app = typer.Typer(help="Notifications that wait or were given up.", no_args_is_help=True)

Answer = TypeVar("Answer")

_MILLISECONDS = 5000
"""To wait for MongoDB."""

_COLUMNS = ("tenant", "subscription", "waiting", "oldest", "given up", "status", "last error")
_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))

MongoUri = Annotated[str, typer.Option(envvar="BEFFROI_MONGO_URI", help="MongoDB of the broker")]
DataDir = Annotated[
    Path, typer.Option(envvar="BEFFROI_DATA_DIR", help="data directory of a running broker with a MongoDB of its own")
]
Tenant = Annotated[str, typer.Option(help="tenant of the subscription; the default one if not given")]
Subscription = Annotated[str, typer.Argument(help="id of the subscription")]


@app.command()
def backlog(mongo_uri: MongoUri = "", data_dir: DataDir = Path("data")) -> None:
    """Show for which subscriptions notifications wait, since when, how many were given up, and why."""
    from broker.notifications.commands import backlog as read

    found = _with_client(mongo_uri, data_dir, read)
    typer.echo(table(found) if found else "Nothing waits, and nothing was given up.")


@app.command()
def replay(
    subscription: Subscription, tenant: Tenant = "", mongo_uri: MongoUri = "", data_dir: DataDir = Path("data")
) -> None:
    """Send again what was given up, after what waits already."""
    from broker.notifications.commands import replay as command

    one = _one(mongo_uri, data_dir, tenant, subscription)
    if one is None or not one.dead:
        typer.echo(f"Nothing of {subscription} was given up.")
        return
    _with_client(mongo_uri, data_dir, lambda client: command(client, tenant, subscription))
    typer.echo(f"{one.dead} notifications of {subscription} are sent again.")


@app.command()
def drop(
    subscription: Subscription, tenant: Tenant = "", mongo_uri: MongoUri = "", data_dir: DataDir = Path("data")
) -> None:
    """Forget what waits for a subscription; what was given up stays, and what comes later is sent."""
    from broker.notifications.commands import drop as command

    one = _one(mongo_uri, data_dir, tenant, subscription)
    if one is None or not one.waiting:
        typer.echo(f"Nothing waits for {subscription}.")
        return
    _with_client(mongo_uri, data_dir, lambda client: command(client, tenant, subscription))
    typer.echo(f"{one.waiting} notifications of {subscription} are forgotten.")


def table(found: "list[Backlog]") -> str:
    """The backlogs as lines of columns."""
    now = datetime.now(UTC)
    rows = [_COLUMNS] + [
        (
            one.tenant or "-",
            one.subscription,
            str(one.waiting),
            "-" if one.oldest is None else _age((now - one.oldest.replace(tzinfo=UTC)).total_seconds()),
            str(one.dead),
            one.status or "-",
            one.last_error or "",
        )
        for one in found
    ]
    return columns(rows)


def _age(seconds: float) -> str:
    """How long ago, to its two largest units: `2 h 5 min`."""
    left, words = max(0, round(seconds)), []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"


def _one(mongo_uri: str, data_dir: Path, tenant: str, subscription: str) -> "Backlog | None":
    from broker.notifications.commands import backlog as read

    found = _with_client(mongo_uri, data_dir, read)
    return next((one for one in found if (one.tenant, one.subscription) == (tenant, subscription)), None)


def _with_client(mongo_uri: str, data_dir: Path, ask: "Callable[[Client], Awaitable[Answer]]") -> Answer:
    """What the database of the broker answers; ends the program with a sentence where it does not."""
    from pymongo import AsyncMongoClient
    from pymongo.errors import PyMongoError

    async def asked(uri: str) -> Answer:
        client: AsyncMongoClient[Any] = AsyncMongoClient(uri, serverSelectionTimeoutMS=_MILLISECONDS)
        async with client:
            return await ask(client)

    uri = mongo_uri or _private(data_dir)
    try:
        return asyncio.run(asked(uri))
    except PyMongoError as error:
        where = "--mongo-uri" if mongo_uri else f"{data_dir}, whose broker must be running,"
        typer.echo(f"The MongoDB of {where} does not answer: {str(error).partition(', Timeout:')[0]}", err=True)
        raise typer.Exit(1) from None


def _private(data_dir: Path) -> str:
    from broker.embedded import private_uri

    uri = private_uri(data_dir)
    if uri is None:
        typer.echo(
            f"There is no MongoDB of a broker in {data_dir.absolute()}: "
            "name its data directory with --data-dir, or its database with --mongo-uri.",
            err=True,
        )
        raise typer.Exit(2)
    return uri
