"""`metaxy compact` erases history that is not needed any more."""

from __future__ import annotations

from typing import Annotated

import typer

from metaxy_core.cli.asking import confirm
from metaxy_core.cli.moments import to_span
from metaxy_core.cli.options import (
    ConfigOption,
    EntrypointOption,
    FeatureArgument,
    JsonOption,
    StoreOption,
)
from metaxy_core.cli.printing import counting, show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document


def compact(
    context: typer.Context,
    feature: FeatureArgument,
    *,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN|TIME|COMMIT",
            help="How much of the past can still be read: a span such as 90d or 12h, a time, or "
            "the id of a commit. Without it only the present state is kept.",
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Erase rows of a feature that newer ones replaced; the present state stays as it is.

    Increments and what is downstream are the same before and after.
    """
    keep_history = None if keep is None else to_span(keep, "--keep")
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        key = graph[feature].key
        kept = "the present state" if keep is None else keep
        confirm(f"Erase the history of '{key}', all but {kept}", "erased", yes=yes)
        with counting(f"Compacting {key}", None):
            commit = opened.compact(key, keep_history=keep_history)
    if as_json:
        rows, number = (0, None) if commit is None else (commit.rows, commit.id)
        show(to_document({"feature": str(key), "rows": rows, "commit": number}))
    elif commit is None:
        show(f"{key} has no history to erase.\n")
    else:
        show(f"Erased {commit.rows} row(s) of {key}, commit {commit.id}.\n")
