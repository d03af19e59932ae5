"""The entry point of the `metaxy` command; only a command that runs imports a data library."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from metaxy_core.cli import features, graph, migrate, status
from metaxy_core.cli.options import ConfigOption, EntrypointOption, StoreOption
from metaxy_core.cli.printing import complain
from metaxy_core.cli.project import Project
from metaxy_core.errors import MetaxyError


class _Commands(TyperGroup):
    """Commands that end a known error with one line and exit code 1, and no traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MetaxyError as error:
            complain(error)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="metaxy",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Start with [bold]metaxy list -e FILE[/bold], where FILE defines your features.",
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - a Typer callback gets the flag's value
    if wanted:
        from importlib.metadata import version

        typer.echo(f"metaxy {version('metaxy-dagster')}")
        raise typer.Exit


@app.callback()
def _project(
    context: typer.Context,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Versions per record and field: see what depends on what, what changed, and what is to do.

    metaxy.toml says where the features and the stores are; METAXY_* variables override it. The
    project options may stand before or after a command.
    """
    del version
    context.obj = Project.from_options(context, config, store, entrypoint)


app.command("list", epilog="Example: [bold]metaxy list --entrypoint features.py[/bold]")(
    features.list_features
)
app.command(
    "status",
    epilog="[bold]metaxy status[/bold]: all features."
    "\n\n[bold]metaxy status example/crop --json[/bold]: one feature, for programs.",
)(status.status)
app.command("push", epilog="Example: [bold]metaxy push --store production[/bold]")(features.push)
app.add_typer(graph.app, name="graph", help="Draw the graph of features, or compare two of them.")
app.add_typer(migrate.app, name="migrate", help="Carry records over to refactored definitions.")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
