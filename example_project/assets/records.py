"""Most of the work is done record by record, timed, and committed batch by batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

import metaxy_core as mx

BATCH = 16
"""Records in a commit: what a crash loses at most."""

Work = Callable[[dict[str, Any]], dict[str, Any]]


def computed(increment: mx.Increment, work: Work) -> Iterator[pl.DataFrame]:
    """Do a piece of work per record, and yield a frame per batch; each becomes one commit.

    Args:
        increment: what there is to do.
        work: gives the result's columns from the row of a record; ``seconds`` is added to them.
    """
    for batch in increment.batches(BATCH):
        results = []
        for row in batch.iter_rows(named=True):
            start = time.perf_counter()
            results.append({**work(row), "seconds": time.perf_counter() - start})
        kept = batch.drop("metaxy_changed_fields", *(set(results[0]) & set(batch.columns)))
        yield kept.hstack(pl.DataFrame(results))
