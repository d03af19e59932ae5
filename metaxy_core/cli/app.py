"""The entry point of the `metaxy` command; only a command that runs imports a data library."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from metaxy_core.cli import (
    claims,
    compact,
    copying,
    delete,
    describe,
    explain,
    features,
    graph,
    history,
    lock,
    migrate,
    plan,
    read,
    status,
)
from metaxy_core.cli.options import SELECTION, ConfigOption, EntrypointOption, StoreOption
from metaxy_core.cli.printing import complain
from metaxy_core.cli.project import Project
from metaxy_core.errors import MetaxyError

DONE: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130


class _Commands(TyperGroup):
    """Commands that end with one line and an exit code of their own, and no traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except MetaxyError as error:
            complain(error)
            raise typer.Exit(FAILED) from error
        except (KeyboardInterrupt, typer.Abort) as error:
            complain(Exception("interrupted."))
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:  # who reads has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from error
        return result


app = typer.Typer(
    name="metaxy",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Start with [bold]metaxy list -e FILE[/bold], where FILE defines your features."
    "\n\nExit codes: 0 done; 1 an error, or a difference with --exit-code; 2 wrong usage; 130 "
    "interrupted.",
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


app.command(
    "list",
    epilog=f"{SELECTION}\n\n[bold]metaxy list --entrypoint features.py[/bold]: all of a file."
    "\n\n[bold]metaxy list +example/crop[/bold]: what crops are made from.",
)(features.list_features)
app.command(
    "status",
    epilog=f"{SELECTION}\n\n[bold]metaxy status[/bold]: all features."
    "\n\n[bold]metaxy status example/video+ '!tag:gpu'[/bold]: what is downstream, without GPU."
    "\n\n[bold]metaxy status example/crop --json[/bold]: one feature, for programs.",
)(status.status)
app.command(
    "plan",
    epilog="Example: [bold]metaxy plan --change example/video.audio[/bold]",
)(plan.plan)
app.command(
    "explain", epilog="Example: [bold]metaxy explain example/crop v1[/bold], or sample_uid=v1"
)(explain.explain)
app.command("lineage", epilog="Example: [bold]metaxy lineage example/crop v1 --json[/bold]")(
    explain.lineage
)
app.command("describe", epilog="Example: [bold]metaxy describe example/crop[/bold]")(
    describe.describe
)
app.command(
    "read",
    epilog='[bold]metaxy read example/crop --filter "size > 5"[/bold]: some records.'
    "\n\n[bold]metaxy read example/crop --output crops.parquet[/bold]: all, in a file.",
)(read.read)
app.command(
    "delete",
    epilog="[bold]metaxy delete example/crop --orphaned --dry-run[/bold]: how many there are."
    "\n\n[bold]metaxy delete example/crop --ids gone.csv --yes[/bold]: these, without asking.",
)(delete.delete)
app.command(
    "compact",
    epilog="Example: [bold]metaxy compact example/crop --keep 90d[/bold]",
)(compact.compact)
app.command(
    "copy",
    epilog=f"{SELECTION}\n\n[bold]metaxy copy --from default --to server[/bold]: all features."
    "\n\n[bold]metaxy copy --from default --to server --latest +example/crop[/bold]: some.",
)(copying.copy)
app.command("push", epilog="Example: [bold]metaxy push --store production[/bold]")(features.push)
app.command(
    "history",
    epilog="[bold]metaxy history[/bold]: what was pushed, and what each push changed."
    "\n\n[bold]metaxy history example/crop --limit 5[/bold]: the last commits of a feature.",
)(history.history)
app.command(
    "lock",
    epilog="[bold]metaxy lock --check[/bold]: for CI, 1 where the lock file is out of date.",
)(lock.lock)
app.add_typer(graph.app, name="graph", help="Draw the graph of features, or compare two of them.")
app.add_typer(claims.app, name="claims", help="Records that runs have taken, and giving them back.")
app.add_typer(migrate.app, name="migrate", help="Carry records over to refactored definitions.")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
