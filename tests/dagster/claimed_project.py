"""An asset that processes materialize at once, each of which notes what it was asked for."""

import os
import signal
import sys
import time
from pathlib import Path

import dagster as dg
import polars as pl
from chunked_project import Text

import metaxy_core as mx
import metaxy_dagster as mxd

FOLDER = Path(os.environ["METAXY_TEST_DATABASE"]).parent


@mxd.metaxify(Text, limit=4)
def text(increment: mx.Increment):
    """Slow enough to meet other runs; dies at its second frame where a file says so."""
    for frame in increment.batches(2):
        with (FOLDER / "asked.txt").open("a") as notes:
            notes.writelines(f"{id_}\n" for id_ in frame["id"])
        time.sleep(0.1)
        yield frame.with_columns(pid=pl.lit(os.getpid()))
        if (FOLDER / "deadly").exists():
            os.kill(os.getpid(), signal.SIGKILL)


def run(instance: dg.DagsterInstance) -> dict[str, int]:
    """Materialize the asset; gives what the run told."""
    store = mxd.MetaxyStoreResource(database=os.environ["METAXY_TEST_DATABASE"])
    resources = {"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)}
    result = dg.materialize([text], instance=instance, resources=resources)
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    return {
        name: metadata[f"metaxy/{name}"].value
        for name in ("processed", "claimed")
        if f"metaxy/{name}" in metadata
    }


if __name__ == "__main__":
    with dg.DagsterInstance.local_temp(str(FOLDER)) as shared:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for _ in range(int(sys.argv[1])):
            run(shared)
