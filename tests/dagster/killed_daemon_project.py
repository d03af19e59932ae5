"""A batched asset whose sensor can be held right after it planned, as long as a file is there."""

import functools
import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from chunked_project import Text

import metaxy_core as mx
import metaxy_dagster as mxd

FOLDER = Path(os.environ["METAXY_TEST_DATABASE"]).parent

plan_batches = mx.DuckDBMetadataStore.plan_batches


@functools.wraps(plan_batches)
def plan_and_wait(*arguments: Any, **options: Any) -> Any:
    """The plan is in the store; what the tick wants done about it nobody knows yet."""
    batches = plan_batches(*arguments, **options)
    while (FOLDER / "hold").exists():
        (FOLDER / "planned").touch()
        time.sleep(0.05)
    return batches


mx.DuckDBMetadataStore.plan_batches = plan_and_wait


@mxd.metaxify(Text, batch_size=2)
def text(increment: mx.Increment):
    """Note the records asked for."""
    with (FOLDER / "asked.txt").open("a") as notes:
        notes.write("".join(f"{id_}\n" for id_ in increment.new["id"]))
    return increment.new.with_columns(pid=pl.lit(os.getpid()))


store = mxd.MetaxyStoreResource(database=dg.EnvVar("METAXY_TEST_DATABASE"), settings={"threads": 1})
sensor = mxd.increment_partitions_sensor(
    text, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING
)

defs = dg.Definitions(
    assets=[text],
    sensors=[sensor],
    resources={"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)},
    executor=dg.in_process_executor,
)
