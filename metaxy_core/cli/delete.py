"""`metaxy delete` removes records: those of a filter, of a list of ids, or the orphaned ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaxy_core.cli.asking import confirm
from metaxy_core.cli.options import (
    ConfigOption,
    EntrypointOption,
    FeatureArgument,
    FilterOption,
    JsonOption,
    StoreOption,
)
from metaxy_core.cli.printing import counting, show
from metaxy_core.cli.project import Project
from metaxy_core.cli.values import to_document

if TYPE_CHECKING:
    import polars as pl

    from metaxy_core.graph.graph import FeatureGraph
    from metaxy_core.keys import FeatureKey
    from metaxy_core.store.base import MetadataStore


@dataclass(frozen=True)
class Selection:
    """Which records are to go.

    Attributes:
        frame: those whose ids it has; None for any.
        filters: those for which it holds; None for any.
        records: how many there are.
    """

    frame: Any
    filters: str | None
    records: int


def delete(
    context: typer.Context,
    feature: FeatureArgument,
    *,
    filters: FilterOption = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A .csv or .parquet file with the id columns of the records."
        ),
    ] = None,
    orphaned: Annotated[
        bool, typer.Option("--orphaned", help="The records that nothing upstream calls for.")
    ] = False,
    hard: Annotated[
        bool, typer.Option("--hard", help="Erase them with their history. It cannot be undone.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many records would go.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    store: StoreOption = None,
    entrypoint: EntrypointOption = None,
) -> None:
    """Delete records of a feature: those of --filter, of --ids (or of both), or the --orphaned.

    A deleted record keeps its history, and comes back when it is written again; --hard erases the
    history too.
    """
    if orphaned == bool(filters is not None or ids):
        raise typer.BadParameter("give --filter, --ids or both, or else --orphaned")
    project = Project.from_options(context, config, store, entrypoint)
    with project.features() as graph, project.open_store() as opened:
        key = graph[feature].key
        with counting(f"Comparing {key}", None):
            found = _selection(opened, graph, key, filters, ids, orphaned=orphaned, hard=hard)
        if found.records and not dry_run:
            what = f"{'Erase' if hard else 'Delete'} {found.records:,} record(s) of '{key}'"
            confirm(what, "deleted", yes=yes)
        commit = None
        if found.records and not dry_run:
            with counting(f"Deleting {found.records:,} records of {key}", None):
                commit = opened.delete(key, found.frame, filters=found.filters, hard=hard)
    if as_json:
        done = {"feature": str(key), "records": found.records, "hard": hard, "dry_run": dry_run}
        show(to_document({**done, "commit": None if commit is None else commit.id}))
    elif commit is None and not dry_run:
        show(f"No record of {key} matches; nothing was deleted.\n")
    elif commit is None:
        show(f"{found.records} record(s) of {key} would be {'erased' if hard else 'deleted'}.\n")
    else:
        gone = "Erased" if hard else "Deleted"
        show(f"{gone} {found.records} record(s) of {key}, commit {commit.id}.\n")


def _selection(
    store: MetadataStore,
    graph: FeatureGraph,
    key: FeatureKey,
    filters: str | None,
    ids: Path | None,
    *,
    orphaned: bool,
    hard: bool,
) -> Selection:
    if orphaned:
        found = store.resolve_update(key).orphaned
        return Selection(found, None, found.height)
    if ids is None:
        matching = store.read(key, filters=filters, include_deleted=hard)
        return Selection(None, filters, matching.count())
    columns = list(graph[key].spec.id_columns)
    wanted = _ids_in(ids, columns)
    stored = store.read(key, columns=columns, filters=filters, include_deleted=hard)
    wanted = _like_stored(wanted, stored.first(0).to_polars(), ids)
    return Selection(wanted, filters, _matching(stored, wanted, columns))


def _matching(stored: Any, wanted: pl.DataFrame, columns: list[str]) -> int:
    import polars as pl

    batches = (pl.DataFrame(batch) for batch in stored.batches(100_000))
    return sum(batch.join(wanted, on=columns, how="semi").height for batch in batches)


def _ids_in(file: Path, columns: list[str]) -> pl.DataFrame:
    """The distinct ids of a file; those of a CSV are text."""
    import polars as pl

    try:
        if file.suffix.lower() == ".parquet":
            frame = pl.read_parquet(file, memory_map=False)
        else:
            frame = pl.read_csv(file, infer_schema=False)
        return frame.select(columns).drop_nulls().unique()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split("\n\n")[0].split())
        raise typer.BadParameter(
            f"{file} gives no ids {columns}: {reason}", param_hint="--ids"
        ) from error


def _like_stored(ids: pl.DataFrame, stored: pl.DataFrame, file: Path) -> pl.DataFrame:
    """Ids in the types of the stored ones."""
    import polars as pl

    try:
        return ids.select(pl.col(name).cast(kind) for name, kind in stored.schema.items())
    except pl.exceptions.PolarsError as error:
        reason = " ".join(str(error).split("\n\n")[0].split())
        raise typer.BadParameter(
            f"the ids in {file} are not of the stored types: {reason}", param_hint="--ids"
        ) from error
