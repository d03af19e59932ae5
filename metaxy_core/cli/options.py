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
SELECTION = """
Features are selected by terms: [bold]a/b[/bold] is one, [bold]a/*[/bold] are many,
[bold]+a/b[/bold] takes everything upstream too and [bold]a/b+[/bold] everything downstream
([bold]2+a/b[/bold], [bold]a/b+1[/bold]: so many steps), [bold]tag:gpu[/bold] or
[bold]tag:team=vision[/bold] goes by tags and [bold]project:talks[/bold] by project. Terms beside
each other add up, terms joined by commas all have to hold, [bold]!term[/bold] leaves out.
""".replace("\n", " ").strip()
SelectionArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SELECTION", help="Which features, see below; all where none is given."),
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
