"""`metaxy lock` looks up what other projects pushed, and keeps it beside metaxy.toml."""

from __future__ import annotations

from typing import Annotated

import typer

from metaxy_core.cli.options import ConfigOption, JsonOption, StoreOption
from metaxy_core.cli.printing import show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document


def lock(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where something moved.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Write the definitions of external features to metaxy.lock, as their projects pushed them.

    metaxy.toml names the features in its table 'externals', for each project a list. The lock file
    is to be committed: with it the features are known without the other projects' code and without
    a store.
    """
    project = Project.from_options(context, config, store, None)
    moved = project.config.update_lock(project.store, check=check)
    file = project.config.lock_file
    if as_json:
        done = {"file": str(file), "up_to_date": not moved, "moved": moved}
        show(to_document({**done, "written": bool(moved and not check)}))
    elif not moved:
        show(f"{file} is up to date.\n")
    else:
        lines = [f"{file} is out of date:" if check else f"Wrote {file}:", *moved]
        show("\n  ".join(lines) + "\n")
    if moved and check:
        raise typer.Exit(1)
