"""`metaxy copy` moves records from one store of the configuration to another."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli import printing
from metaxy_core.cli.options import ConfigOption, EntrypointOption, JsonOption, SelectionArgument
from metaxy_core.cli.printing import advancing, show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document
from metaxy_core.graph.selection import select

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.store.copy_progress import CopiedFeature, CopyProgress


def copy(
    context: typer.Context,
    selection: SelectionArgument = None,
    *,
    source: Annotated[
        str, typer.Option("--from", metavar="NAME", help="The store that is copied.")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="NAME", help="The store that it is copied to.")
    ],
    latest: Annotated[
        bool, typer.Option("--latest", help="Only the latest row of each record, not its history.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Copy records to another store, of any kind, with their versions and their history.

    Every commit is copied whole or not at all. The same command goes on where it was interrupted,
    and copies what the source did since. A store that has other records of a feature is refused.
    """
    project = Project.from_options(context, config, None, entrypoint)
    with project.features() as graph, ExitStack() as stores:
        keys = select(graph, *selection or ())
        there = stores.enter_context(project.config.open_store(source))
        here = stores.enter_context(project.config.open_store(target))
        with advancing(f"Copying {source} to {target}") as advance:

            def tell(progress: CopyProgress) -> None:
                advance(progress.commits, progress.of, f"{progress.rows:,} row(s)")

            found = here.copy_from(there, keys, history=not latest, tell=tell)
    show(_to_json(source, target, found, latest=latest) if as_json else _to_table(found))


def _to_json(source: str, target: str, found: Sequence[CopiedFeature], *, latest: bool) -> str:
    features = [
        {
            "feature": str(each.feature),
            "commits": each.commits,
            "rows": each.rows,
            "already": each.already,
        }
        for each in found
    ]
    return to_document({"from": source, "to": target, "latest": latest, "features": features})


def _to_table(found: Sequence[CopiedFeature]) -> Table:
    table = printing.table()
    table.add_column("feature", no_wrap=True)
    for name in ("commits", "rows", "copied before"):
        table.add_column(name, justify="right")
    for each in found:
        numbers = (each.commits, each.rows, each.already)
        table.add_row(str(each.feature), *map(str, numbers))
    return table
