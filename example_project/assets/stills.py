"""What is computed of stills: in chunks, in buckets and in batches, and joined for each clip."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd
from example_project.assets.records import BATCH, computed
from example_project.features import Colour, Cover, Embedding, Still
from example_project.media.stills import look_of, outlines_of, save_stills
from example_project.settings import settings

BUCKETS = 4
"""The static partitions of ``colour``, by the hash of a still's id."""


@mxd.metaxify(Still, chunk_size=10, orphans="delete")
def still(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Take stills out of ten clips per chunk, which is a step of its own."""
    for clips in increment.batches(BATCH):
        rows = []
        for row in clips.iter_rows(named=True):
            start = time.perf_counter()
            saved = save_stills(Path(row["clip_path"]), settings().stills / row["clip_id"])
            seconds = (time.perf_counter() - start) / len(saved)
            rows += [
                {"clip_id": row["clip_id"], "number": n, "path": str(path), "seconds": seconds}
                for n, path in enumerate(saved)
            ]
        yield clips.drop("metaxy_changed_fields").join(pl.DataFrame(rows), on="clip_id")


@mxd.metaxify(Colour, buckets=BUCKETS, orphans="delete")
def colour(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Measure the stills of one bucket of four; a backfill may take some buckets only."""

    def work(row: dict[str, Any]) -> dict[str, Any]:
        return asdict(look_of(Path(row["path"])))

    yield from computed(increment, work)


@mxd.metaxify(Embedding, batch_size=60, max_batches=5)
def embedding(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """Describe the stills of one batch, which a sensor planned and made a partition of."""

    def work(row: dict[str, Any]) -> dict[str, Any]:
        return {"vector": outlines_of(Path(row["still_path"]))}

    yield from computed(increment, work)


@mxd.metaxify(Cover, orphans="delete")
def cover(increment: mx.Increment, colour: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Choose the sharpest still of each clip; the measures are loaded as a lazy frame."""
    start = time.perf_counter()
    columns = ("clip_id", "number", "path", "red", "green", "blue", "sharpness")
    sharpest = (
        colour.select(columns)
        .sort("sharpness", "number", descending=[True, False])
        .unique("clip_id", keep="first", maintain_order=True)
        .collect()
    )
    shades = [
        f"#{round(red):02x}{round(green):02x}{round(blue):02x}"
        for red, green, blue in sharpest.select("red", "green", "blue").iter_rows()
    ]
    chosen = sharpest.select("clip_id", "number", "path", shade=pl.Series(shades, dtype=pl.String))
    seconds = (time.perf_counter() - start) / max(len(chosen), 1)
    for batch in increment.batches(BATCH):
        yield (
            batch.drop("metaxy_changed_fields")
            .join(chosen, on="clip_id")
            .with_columns(seconds=pl.lit(seconds))
        )
