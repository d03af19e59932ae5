"""`metaxy plan` says what a run of the whole graph would recompute, before anything runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli import printing
from metaxy_core.cli.options import ConfigOption, EntrypointOption, JsonOption, StoreOption
from metaxy_core.cli.printing import progress, show
from metaxy_core.cli.project import Project

if TYPE_CHECKING:
    from rich.console import Group, JustifyMethod

    from metaxy_core.store.plan import Plan


def plan(
    context: typer.Context,
    features: Annotated[
        list[str] | None, typer.Argument(help="Keys of features; all where none is given.")
    ] = None,
    *,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--change",
            metavar="FEATURE[.FIELD]",
            help="Code that you think of changing, on top of the present one. Repeatable.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Show what a run of the whole graph would recompute and spare, and what that costs.

    Features without deps are taken to keep their records; those written by other code than the
    present one change. Beside it stands what a run that knows only tables would recompute.
    """
    project = Project.from_options(context, config, store, entrypoint)
    with (
        project.features() as graph,
        project.open_store() as opened,
        progress("Planning", len(graph)) as begin,
    ):
        found = opened.plan(features or None, changed=change or (), begin=begin)
    show(json.dumps(found.to_dict(), indent=2) + "\n" if as_json else _to_table(found))


def _to_table(plan: Plan) -> Group:
    from rich.console import Group
    from rich.text import Text

    from metaxy_core.store.plan_table import HEADINGS, LEFT, cells, summary

    table = printing.table()
    for heading in HEADINGS:
        justify: JustifyMethod = "left" if heading in LEFT else "right"
        fixed = heading == HEADINGS[0]
        table.add_column(heading, justify=justify, no_wrap=fixed, min_width=0 if fixed else 5)
    for feature in plan:
        table.add_row(*cells(feature), style="yellow" if feature.recompute else None)
    return Group(table, Text(summary(plan)))
