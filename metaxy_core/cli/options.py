"""The options that several commands share are declared once, so that they read alike everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Project"


class Format(StrEnum):
    """How a graph is shown."""

    TERMINAL = "terminal"
    MERMAID = "mermaid"
    DOT = "dot"
    JSON = "json"


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The metaxy.toml; looked for here and in the folders above.",
        rich_help_panel=_PANEL,
    ),
]
StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        "-s",
        metavar="NAME",
        help="A store of metaxy.toml, instead of its default one.",
        rich_help_panel=_PANEL,
    ),
]
EntrypointOption = Annotated[
    list[str] | None,
    typer.Option(
        "--entrypoint",
        "-e",
        metavar="MODULE|FILE",
        help="A module or .py file with features, instead of those of metaxy.toml. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option("--format", "-f", help="What to print; for the terminal where it is not given."),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead of the terminal."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
FeatureArgument = Annotated[str, typer.Argument(metavar="FEATURE", help="Key of a feature.")]
FilterOption = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="TEXT",
        help="Only records for which this holds, such as \"duration > 1.5 AND path LIKE '%.mp4'\".",
    ),
]
