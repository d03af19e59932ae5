"""`metaxy read` gives the records of a feature, to look at or to work on elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaxy_core.cli import printing
from metaxy_core.cli.exporting import FileFormat, export
from metaxy_core.cli.moments import to_moment
from metaxy_core.cli.options import (
    ConfigOption,
    EntrypointOption,
    FeatureArgument,
    FilterOption,
    JsonOption,
    OutputOption,
    StoreOption,
)
from metaxy_core.cli.printing import counting, show, tell
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_text

if TYPE_CHECKING:
    from rich.table import Table

    from metaxy_core.store.reading import Records

_SHOWN = 20
_SYSTEM = "metaxy_"


def read(
    context: typer.Context,
    feature: FeatureArgument,
    *,
    layout: Annotated[
        FileFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="What to write: by the ending of --output, or else a table in a terminal and csv "
            "elsewhere.",
        ),
    ] = None,
    output: OutputOption = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="A,B", help="Only these columns. Repeatable."),
    ] = None,
    filters: FilterOption = None,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help=f"At most so many records, first by id; a table shows {_SHOWN}."),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Every row ever written, not only the latest.")
    ] = False,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Deleted records too; metaxy_deleted_at tells.")
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="COMMIT|TIME",
            help="The records as they were after a commit, or at a time such as "
            "2026-11-21T08:30:00Z; UTC where it names no zone.",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Give the records of a feature: as a table, CSV, Parquet or JSON.

    A table leaves out the system columns, unless --columns names them. What CSV has no type for,
    structs, lists, durations and binary values, is written as JSON text.
    """
    layout = _layout(layout, output, as_json=as_json)
    names = None if not columns else [name for text in columns for name in text.split(",")]
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        key = graph[feature].key
        found = opened.read(
            key,
            columns=names,
            filters=filters,
            history=history,
            include_deleted=deleted,
            as_of=None if as_of is None else to_moment(as_of, "--as-of"),
        )
        if layout is FileFormat.TABLE:
            _show(found, _SHOWN if limit is None else limit, output, every=names is not None)
            return
        wanted = found if limit is None else found.first(limit)
        whole = filters is None and as_of is None and not (history or deleted or limit)
        total = opened.count(key) if whole else None
        with counting(f"Reading {key}", total) as advance:
            export(wanted, layout, output, advance)


def _layout(layout: FileFormat | None, output: Path | None, *, as_json: bool) -> FileFormat:
    if as_json:
        if layout not in (None, FileFormat.JSON):
            raise typer.BadParameter("--json and another --format exclude each other")
        return FileFormat.JSON
    if layout is None and output is not None:
        ending = output.suffix.lower().removeprefix(".")
        if ending not in {FileFormat.CSV, FileFormat.PARQUET, FileFormat.JSON}:
            raise typer.BadParameter(
                f"{output.name!r} does not end in .csv, .parquet or .json; give --format",
                param_hint="--output",
            )
        return FileFormat(ending)
    if layout is None:
        return FileFormat.TABLE if sys.stdout.isatty() else FileFormat.CSV
    if layout is FileFormat.PARQUET and output is None and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is nothing for a terminal; give --output FILE")
    return layout


def _show(records: Records, limit: int, output: Path | None, *, every: bool) -> None:
    shown = records.first(limit).to_arrow()
    more = records.count() - shown.num_rows if shown.num_rows >= limit else 0
    names = [name for name in shown.column_names if every or not name.startswith(_SYSTEM)]
    show(_to_table(names, shown.select(names).to_pylist()), output)
    if more:
        tell(f"… and {more:,} more; --limit shows more of them, --output FILE writes all.")


def _to_table(names: list[str], rows: list[dict[str, object]]) -> Table:
    from rich.text import Text

    table = printing.table()
    for name in names:
        table.add_column(Text(to_text(name)), overflow="fold")
    for row in rows:
        table.add_row(*(Text(to_text(row[name])) for name in names))
    return table
