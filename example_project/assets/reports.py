"""Assets that are no features load features too, each in the type that suits its work."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pyarrow as pa

import metaxy_dagster as mxd
from example_project.settings import settings

_ALIKE = 5
"""How many pairs of clips the report on likeness names."""


def feature_input(name: str, *columns: str, **options: Any) -> dg.AssetIn:
    """An input from a feature, narrowed to some of its columns."""
    return dg.AssetIn(["example", name], metadata={"columns": list(columns)}, **options)


@dg.asset(
    group_name="reports",
    ins={
        "covers": feature_input("cover", "clip_id", "path", "shade"),
        "faces": feature_input("face_detection", "clip_id", "faces"),
        "transcripts": feature_input("speech_to_text", "clip_id", "transcript"),
    },
    automation_condition=mxd.on_upstream_change(),
)
def library_page(
    covers: pl.DataFrame, faces: pl.LazyFrame, transcripts: pa.Table
) -> dg.MaterializeResult[None]:
    """Write a page that shows the cover of each clip, its faces and what is said in it."""
    said = dict(
        zip(*transcripts.select(["clip_id", "transcript"]).to_pydict().values(), strict=True)
    )
    table = covers.lazy().join(faces, on="clip_id", how="left").sort("clip_id").collect()
    rows = [
        f'<tr><td style="background:{row["shade"]}"><img src="{escape(row["path"])}" alt=""></td>'
        f"<td>{escape(row['clip_id'])}</td><td>{row['faces'] or 0}</td>"
        f"<td>{escape(said.get(row['clip_id'], ''))}</td></tr>"
        for row in table.iter_rows(named=True)
    ]
    heading = "<tr><th></th><th>clip</th><th>faces</th><th>what is said</th></tr>"
    settings().page.write_text(
        f"<!doctype html><meta charset=utf-8><title>The library</title>"
        f"<table>{heading}{''.join(rows)}</table>\n",
        encoding="utf-8",
    )
    return dg.MaterializeResult(
        metadata={"clips": len(rows), "page": dg.MetadataValue.path(str(settings().page))}
    )


@dg.asset(
    group_name="reports",
    ins={
        "embeddings": feature_input(
            "embedding", "clip_id", "vector", dagster_type=mxd.batches_of(pl.DataFrame)
        )
    },
)
def look_alikes(embeddings: Iterator[pl.DataFrame]) -> dg.MaterializeResult[None]:
    """Name the clips whose outlines are most alike, reading the vectors batch by batch."""
    sums: dict[str, Any] = {}
    for batch in embeddings:
        for clip_id, vector in batch.select("clip_id", "vector").iter_rows():
            sums[clip_id] = sums.get(clip_id, 0.0) + np.asarray(vector)
    names = sorted(sums)
    units = np.array([sums[name] / np.linalg.norm(sums[name]) for name in names])
    likeness = np.triu(units @ units.T, k=1) if names else np.zeros((0, 0))
    best = np.argsort(likeness, axis=None)[::-1][:_ALIKE]
    pairs = [divmod(int(place), len(names)) for place in best]
    lines = [
        f"| {names[one]} | {names[other]} | {likeness[one, other]:.2f} |" for one, other in pairs
    ]
    table = "\n".join(["| clip | looks like | likeness |", "| --- | --- | --- |", *lines])
    return dg.MaterializeResult(metadata={"clips": len(names), "alike": dg.MetadataValue.md(table)})
