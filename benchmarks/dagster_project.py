"""A Dagster project of one feature, for the time from "materialize" to the first user record.

The environment names the store, the mode, and the file that tells when the first record was there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd
from benchmarks.engines.ours import features

STORE = "BENCH_STORE"
STAMP = "BENCH_STAMP"
MODE = "BENCH_MODE"
BATCH = 10_000

# How an increment reaches the function: a name, and the options of `metaxify` that choose it.
# Another way of running, such as in chunks or by partitions, is measured by adding it here.
MODES: dict[str, dict[str, Any]] = {"whole": {}}


def leaf(increment: mx.Increment) -> Iterator[pl.DataFrame]:
    """The user's function: notes when the first record is there, and gives all of them back."""
    for number, batch in enumerate(increment.batches(BATCH)):
        if not number:
            Path(os.environ[STAMP]).write_text(repr(time.time()), "utf-8")
        yield batch.with_columns(path=pl.lit("out"))


def leaf_asset(mode: str) -> dg.AssetsDefinition:
    """The measured feature as an asset."""
    with features("simple").use():
        asset = mxd.metaxify("bench/leaf", **MODES[mode])(leaf)
    assert isinstance(asset, dg.AssetsDefinition)
    return asset


def resources() -> dict[str, Any]:
    """The store of the environment."""
    store = mxd.MetaxyStoreResource(database=os.environ.get(STORE, "bench.duckdb"))
    return {"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)}


defs = dg.Definitions(assets=[leaf_asset(os.environ.get(MODE, "whole"))], resources=resources())
