"""The records that every engine is given: made once, as Parquet, and the same for all of them."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.graphs import PER_GROUP, SPEAKER, Feature, Graph

STRUCT = "metaxy_provenance_by_field"


def samples(
    graph: Graph, root: Feature, count: int, generation: int = 0, *, of: int | None = None
) -> pl.LazyFrame:
    """The first samples of a root; the version of its first field tells the generation.

    Args:
        graph: the graph; where its leaf aggregates, records have a group.
        root: the root.
        count: how many records.
        generation: of the first field's versions.
        of: how many records there are altogether, where it is not ``count``.

    Returns:
        ``id``, ``path``, the group where there is one, and the struct with a text per field.
    """
    number = pl.col("number")
    first = next(iter(root.fields))
    versions = {
        field: pl.format("field-{}-{}", pl.lit(generation), number)
        if field == first
        else pl.format("same-{}", number)
        for field in root.fields
    }
    columns = {"id": pl.format("record-{}", number), "path": pl.format("clips/{}.mp4", number)}
    if graph.leaf.lineage == "aggregation":
        # Neighbours are of different groups, so that a change of n records touches n groups.
        columns[SPEAKER] = pl.format("speaker-{}", number % ((of or count) // PER_GROUP))
    return (
        pl.LazyFrame()
        .select(number=pl.int_range(count, dtype=pl.Int64))
        .select(
            **columns,
            **{STRUCT: pl.struct(*(text.alias(field) for field, text in versions.items()))},
        )
    )


def sample_file(
    folder: Path, graph: Graph, root: Feature, count: int, generation: int = 0, *, of: int
) -> Path:
    """The file that holds these samples, written when it is first asked for."""
    kind = "grouped" if graph.leaf.lineage == "aggregation" else "plain"
    parts = (kind, "-".join(root.fields), f"{count}-of-{of}", str(generation))
    path = folder / f"{'.'.join(parts)}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        samples(graph, root, count, generation, of=of).sink_parquet(partial)
        partial.rename(path)
    return path
