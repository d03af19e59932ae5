"""`metaxy lock` looks up what other projects pushed, and keeps it beside metaxy.toml."""

from __future__ import annotations

from typing import Annotated

import typer

from metaxy_core.cli.options import ConfigOption, StoreOption
from metaxy_core.cli.printing import show
from metaxy_core.cli.project import Project


def lock(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where something moved.")
    ] = False,
    config: ConfigOption = None,
    store: StoreOption = None,
) -> None:
    """Write the definitions of external features to metaxy.lock, as their projects pushed them.

    metaxy.toml names the features under [externals], for each project a list. The lock file is to
    be committed: with it the features are known without the other projects' code and without a
    store.
    """
    project = Project.from_options(context, config, store, None)
    moved = project.config.update_lock(project.store, check=check)
    file = project.config.lock_file
    if not moved:
        show(f"{file} is up to date.\n")
        return
    lines = [f"{file} is out of date:" if check else f"Wrote {file}:", *moved]
    show("\n  ".join(lines) + "\n")
    if check:
        raise typer.Exit(1)
