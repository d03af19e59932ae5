"""A chunked asset that steps in processes of their own load anew, one chunk of which may fail."""

import os
import signal
from pathlib import Path

import dagster as dg
import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd

FIELDS = [mx.FieldSpec(key="body", version_from=["etag"])]

with mx.FeatureGraph().use():

    class Page(mx.Feature, spec=mx.FeatureSpec(key="web/page", id_columns=["id"], fields=FIELDS)):
        id: int
        etag: str

    class Text(mx.Feature, spec=mx.FeatureSpec(key="web/text", id_columns=["id"], deps=[Page])):
        pid: int


def write_pages(database: str, count: int) -> None:
    """What the chunks read."""
    with mx.DuckDBMetadataStore(database) as store:
        etags = [str(number) for number in range(count)]
        store.write(Page, pl.DataFrame({"id": range(count), "etag": etags}))


@mxd.metaxify(Text, chunk_size=2, claim_seconds=1)
def text(increment: mx.Increment):
    """Note the records asked for; fail or die at record 3 as long as a file says so."""
    ids = increment.new["id"].to_list()
    folder = Path(os.environ["METAXY_TEST_DATABASE"]).parent
    with (folder / "asked.txt").open("a") as notes:
        notes.write(f"{ids}\n")
    if 3 in ids and (folder / "broken").exists():
        raise ValueError(ids)
    if 3 in ids and (folder / "deadly").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return increment.new.with_columns(pid=pl.lit(os.getpid()))


def texts(executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    """The chunked asset in a job of its own."""
    store = mxd.MetaxyStoreResource(database=dg.EnvVar("METAXY_TEST_DATABASE"))
    definitions = dg.Definitions(
        assets=[text],
        jobs=[dg.define_asset_job("texts", executor_def=executor)],
        resources={"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)},
    )
    return definitions.resolve_job_def("texts")


def run_in_process(folder: str) -> None:
    """A run as its own process makes it, which nobody tells of its end when it is killed."""
    job = dg.build_reconstructable_job(
        "chunked_project", "in_process", reconstructor_working_directory=str(Path(__file__).parent)
    )
    with dg.DagsterInstance.local_temp(folder) as instance:
        dg.execute_job(job, instance=instance)


def in_process() -> dg.JobDefinition:
    """All steps in one process."""
    return texts(dg.in_process_executor)


def multiprocess() -> dg.JobDefinition:
    """A process for each step."""
    return texts(dg.multiprocess_executor)
