"""The `beffroi` command."""

import inspect
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

import broker
from beffroi.federation import app as federation
from beffroi.subscriptions import app as subscriptions
from broker.settings import Settings

app = typer.Typer(
    name="beffroi", help="The open data backbone of a territory.", no_args_is_help=True, add_completion=False
)
adapter = typer.Typer(help="Adapters: a vendor's feed into the broker.", no_args_is_help=True)
models = typer.Typer(help="The data models that entities follow.", no_args_is_help=True)
app.add_typer(adapter, name="adapter")
app.add_typer(models, name="models")
app.add_typer(subscriptions, name="subscriptions")
app.add_typer(federation, name="federation")


def main() -> None:
    """The entry point of the console script."""
    app()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(broker.version())


def serve(**options: Any) -> None:
    """Serve the NGSI-LD API; every option is also BEFFROI_… in the environment."""
    from broker.embedded import MongodUnavailable
    from broker.serve import CannotListen
    from broker.serve import main as run

    try:
        settings = Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        for fault in error.errors():
            typer.echo(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']} (given: {fault['input']!r})", err=True)
        raise typer.Exit(2) from None
    try:
        run(settings)
    except (CannotListen, MongodUnavailable) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _settings_as_options() -> inspect.Signature:
    """Each setting as an option, so that the command line and the environment cannot drift apart."""
    parameters = []
    for name, field in Settings.model_fields.items():
        kind = Path if name in ("data_dir", "contexts") else field.annotation
        option = typer.Option(
            help=f"{field.description} Default: {field.get_default()}" if field.get_default() else field.description,
            envvar=f"BEFFROI_{name.upper()}",
            show_default=False,
            show_envvar=True,
        )
        annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
    return inspect.Signature(parameters)


serve.__signature__ = _settings_as_options()  # type: ignore[attr-defined]
serve.__annotations__ = {name: one.annotation for name, one in serve.__signature__.parameters.items()}  # type: ignore[attr-defined]
app.command()(serve)


@adapter.command()
def run(files: Annotated[list[Path], typer.Argument(help="adapter.yaml files", exists=True, dir_okay=False)]) -> None:
    """Run adapters until interrupted."""
    from adapters.run import main as run_adapters

    raise typer.Exit(run_adapters(files))


@adapter.command()
def check(
    file: Annotated[Path, typer.Argument(help="an adapter.yaml file", exists=True, dir_okay=False)],
    sample: Annotated[Path | None, typer.Option(help="records to map instead of the profile's own sample")] = None,
) -> None:
    """Map sample records and show the entities that would be sent, or what fails and why."""
    from adapters.check import main as check_adapter

    raise typer.Exit(check_adapter(file, sample))


class DeadCommand(StrEnum):
    """What to do with dead letters."""

    LIST = "list"
    REPLAY = "replay"


@adapter.command()
def dead(
    file: Annotated[Path, typer.Argument(help="an adapter.yaml file", exists=True, dir_okay=False)],
    command: Annotated[DeadCommand, typer.Argument(help="show them, or try them again")],
) -> None:
    """Show the records that an adapter set aside with the reasons, or map them again once the cause is mended."""
    from adapters.dead import main as dead_letters

    raise typer.Exit(dead_letters(file, command))


class CommandsCommand(StrEnum):
    """What to do with commands."""

    LIST = "list"


@adapter.command()
def commands(
    file: Annotated[Path, typer.Argument(help="an adapter.yaml file", exists=True, dir_okay=False)],
    command: Annotated[CommandsCommand, typer.Argument(help="show them")],
) -> None:
    """Show the commands that an adapter took: who asked for what, when, and what became of it."""
    from adapters.commands.audit import main as audit

    raise typer.Exit(audit(file))


@adapter.command()
def new(
    name: Annotated[str, typer.Argument(help="a folder of this name is made")],
    sample: Annotated[Path, typer.Option(help="records of the vendor: JSON, NDJSON, CSV or XML", exists=True)],
    entity_type: Annotated[str, typer.Option("--type", help="the entity type that a record becomes")] = "",
) -> None:
    """Begin an adapter from a sample of a vendor's records: a first mapping that runs."""
    from adapters.new import main as new_adapter

    raise typer.Exit(new_adapter(name, sample, entity_type))


@models.command("list")
def list_models() -> None:
    """The entity types that have a model."""
    from data_models.commands import list_types

    raise typer.Exit(list_types())


@models.command("check")
def check_entities(
    file: Annotated[Path, typer.Argument(help="entities as JSON, normalized or simplified", exists=True)],
) -> None:
    """Check entities against their models: names, kinds, units and values."""
    from data_models.commands import check as check_file

    raise typer.Exit(check_file(file))


@models.command()
def example(entity_type: Annotated[str, typer.Argument(metavar="TYPE")]) -> None:
    """An entity of a type as an example, in normalized NGSI-LD."""
    from data_models.commands import example as show_example

    raise typer.Exit(show_example(entity_type))


@app.command()
def demo(
    once: Annotated[bool, typer.Option(help="seed, pass one round of each feed, check, and end")] = False,
    host: Annotated[str, typer.Option(envvar="BEFFROI_HOST", help="address of the broker")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="BEFFROI_PORT", help="port of the broker")] = 1026,
    data_dir: Annotated[Path, typer.Option(envvar="BEFFROI_DATA_DIR", help="where everything is kept")] = Path("data"),
    mongo_uri: Annotated[str, typer.Option(envvar="BEFFROI_MONGO_URI", help="MongoDB to use")] = "",
) -> None:
    """Show a whole territory at work: lights, traffic and sensors, three vendors, one application."""
    from beffroi.demo import run as run_demo

    raise typer.Exit(run_demo(once=once, host=host, port=port, data_dir=data_dir, mongo_uri=mongo_uri))
