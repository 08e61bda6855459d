"""The `beffroi` command."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

import broker
from broker.settings import Settings

app = typer.Typer(
    name="beffroi", help="The open data backbone of a territory.", no_args_is_help=True, add_completion=False
)
adapter = typer.Typer(help="Adapters: a vendor's feed into the broker.", no_args_is_help=True)
app.add_typer(adapter, name="adapter")


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
        annotation = Annotated[kind | None, option]  # type: ignore[operator, valid-type]
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
