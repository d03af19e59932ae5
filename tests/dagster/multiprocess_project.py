"""Assets that steps in processes of their own load anew, as a deployment would."""

import os

import dagster as dg
import polars as pl

import metaxy_core as mx
import metaxy_dagster as mxd

FIELDS = [mx.FieldSpec(key="body", version_from=["etag"])]

with mx.FeatureGraph().use():

    class Page(mx.Feature, spec=mx.FeatureSpec(key="web/page", id_columns=["id"], fields=FIELDS)):
        id: int
        etag: str

    class Left(mx.Feature, spec=mx.FeatureSpec(key="web/left", id_columns=["id"], deps=[Page])):
        pid: int

    class Right(mx.Feature, spec=mx.FeatureSpec(key="web/right", id_columns=["id"], deps=[Page])):
        pid: int


def write_pages(database: str) -> None:
    """What both steps read."""
    with mx.DuckDBMetadataStore(database) as store:
        store.write(Page, pl.DataFrame({"id": range(100), "etag": [str(n) for n in range(100)]}))


def computed(feature: type[mx.Feature]) -> dg.AssetsDefinition:
    """An asset whose records say in which process they were computed, in four commits."""

    @mxd.metaxify(feature)
    def work(increment: mx.Increment):
        for frame in increment.batches(25):
            yield frame.with_columns(pid=pl.lit(os.getpid()))

    return work


def pages() -> dg.JobDefinition:
    """The features that read the pages in one job, a process for each step."""
    store = mxd.MetaxyStoreResource(database=dg.EnvVar("METAXY_TEST_DATABASE"))
    definitions = dg.Definitions(
        assets=[computed(Left), computed(Right)],
        jobs=[dg.define_asset_job("pages", executor_def=dg.multiprocess_executor)],
        resources={"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)},
    )
    return definitions.resolve_job_def("pages")
