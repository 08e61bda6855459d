"""`beffroi federation add|list|check`: neighbours' brokers, by their URLs."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from beffroi.columns import columns

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from beffroi.neighbours import Check, Neighbour

app = typer.Typer(help="Neighbours' brokers that this one federates with.", no_args_is_help=True)

Answer = TypeVar("Answer")

_SHOWN_TYPES = 4

Broker = Annotated[str, typer.Option(envvar="BEFFROI_PUBLIC_URL", help="URL of the broker that asks the others")]
Tenant = Annotated[str, typer.Option(help="tenant of that broker; the default one if not given")]
Patience = Annotated[float, typer.Option(min=0.1, help="seconds to wait for each answer")]


class Mode(StrEnum):
    """How the neighbour's data stand to ours; exclusive ones name attributes, and are registered by the API."""

    INCLUSIVE = "inclusive"
    REDIRECT = "redirect"
    AUXILIARY = "auxiliary"


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="URL of the neighbour's broker, such as https://broker.fagnieres.fr")],
    broker: Broker = "http://localhost:1026",
    tenant: Tenant = "",
    source_tenant: Annotated[str, typer.Option(help="tenant of the neighbour; its default one if not given")] = "",
    mode: Annotated[Mode, typer.Option(help="inclusive: beside ours; redirect: only theirs; auxiliary: fills gaps")] = (
        Mode.INCLUSIVE
    ),
    entity_type: Annotated[
        list[str] | None, typer.Option("--type", help="types to register; all that it has now if not given")
    ] = None,
    id_pattern: Annotated[
        str, typer.Option(help="pattern of the ids that are the neighbour's, such as ^urn:…:51.*")
    ] = "",
    operation: Annotated[
        list[str] | None, typer.Option(help="operations or groups, such as redirectionOps to write through")
    ] = None,
    name: Annotated[str, typer.Option(help="what people call it")] = "",
    identifier: Annotated[str, typer.Option("--id", help="id of the registration; else made of alias and mode")] = "",
    timeout: Annotated[int, typer.Option(min=0, help="milliseconds it may take; the broker's own limit if 0")] = 0,
    patience: Patience = 5.0,
) -> None:
    """Register a neighbour's broker: reads who it is and which types it has, and tells ours to ask it."""

    from beffroi.neighbours import Refused, Source, alias_of, base_url, met, put, registration

    async def adding(session: "ClientSession") -> "tuple[str, bool, Neighbour]":
        ours, theirs = Source(base_url(broker), tenant or None), Source(base_url(url), source_tenant or None)
        own_alias = await alias_of(ours, session)
        neighbour = await met(theirs, session, entity_type)
        if neighbour.alias is not None and neighbour.alias == own_alias:
            raise Refused(
                f"{theirs.url} has the same alias as {ours.url}, {own_alias!r}, so each would take the other for "
                "itself: give one of them another with --alias (BEFFROI_ALIAS)"
            )
        if not neighbour.types:
            raise Refused(f"{theirs.url} has no entity yet: name the types it will have with --type")
        members = registration(
            theirs,
            neighbour,
            mode=mode,
            id_pattern=id_pattern,
            operations=operation or [],
            name=name,
            timeout=timeout,
            identifier=identifier,
        )
        return members["id"], await put(ours, session, members), neighbour

    registered, updated, neighbour = _with_session(patience, adding)
    shown = ", ".join(neighbour.types[:_SHOWN_TYPES]) + (" …" if len(neighbour.types) > _SHOWN_TYPES else "")
    typer.echo(f"{'Updated' if updated else 'Added'} {registered}: {len(neighbour.types)} types ({shown}), {mode}.")
    if not neighbour.current:
        typer.echo("It is of a version before 1.9: it is asked for all that matches before a page is shown.")


@app.command("list")
def list_registrations(broker: Broker = "http://localhost:1026", tenant: Tenant = "", patience: Patience = 5.0) -> None:
    """Show which brokers are registered, for what, and how they answered lately."""
    from beffroi.neighbours import Source, base_url, registrations

    ours = Source(base_url(broker), tenant or None)
    found = _with_session(patience, lambda session: registrations(ours, session))
    if not found:
        typer.echo("No neighbour is registered: beffroi federation add URL")
        return
    rows = [("registration", "where", "tenant", "mode", "types", "status", "asked", "failed")]
    for one in found:
        types = sorted(set(_types(one)))
        shown = ",".join(types[:_SHOWN_TYPES]) + ("…" if len(types) > _SHOWN_TYPES else "")
        rows.append(
            (
                one["id"],
                one["endpoint"],
                one.get("tenant", "-"),
                one.get("mode", "inclusive"),
                shown or "any",
                one.get("status", "-"),
                str(one.get("timesSent", 0)),
                str(one.get("timesFailed", 0)),
            )
        )
    typer.echo(columns(rows))


@app.command()
def check(broker: Broker = "http://localhost:1026", tenant: Tenant = "", patience: Patience = 5.0) -> None:
    """Ask every registered broker who it is, from this machine; exits 1 if one does not answer as registered."""

    from beffroi.neighbours import Source, base_url, checked, registrations

    async def checking(session: "ClientSession") -> "list[Check]":
        found = await registrations(Source(base_url(broker), tenant or None), session)
        return await asyncio.gather(*(checked(one, session) for one in found))

    checks = _with_session(patience, checking)
    if not checks:
        typer.echo("No neighbour is registered: beffroi federation add URL")
        return
    rows = [("registration", "where", "ms", "answer")]
    for one in checks:
        milliseconds = "-" if one.fault else f"{one.seconds * 1000:.0f}"
        rows.append((one.registration["id"], one.registration["endpoint"], milliseconds, one.fault or "as registered"))
    typer.echo(columns(rows))
    if any(one.fault for one in checks):
        raise typer.Exit(1)


def _types(registered: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for information in registered.get("information", []):
        for entity in information.get("entities", []):
            named = entity.get("type", [])
            found += [named] if isinstance(named, str) else named
    return found


def _with_session(patience: float, work: "Callable[[ClientSession], Awaitable[Answer]]") -> Answer:
    """What `work` gives with an HTTP session; ends the program with a sentence where a broker refuses."""

    import aiohttp

    from beffroi.neighbours import Refused

    async def working() -> Answer:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=patience)) as session:
            return await work(session)

    try:
        return asyncio.run(working())
    except Refused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
