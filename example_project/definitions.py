"""What Dagster loads: the assets, a job over all of them, the store and the IO manager."""

from __future__ import annotations

import dagster as dg

import metaxy_dagster as mxd
from example_project import assets
from example_project.settings import settings

store = mxd.MetaxyStoreResource(database=str(settings().database))

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([assets]),
    jobs=[dg.define_asset_job("refresh", selection=dg.AssetSelection.all())],
    resources={"metaxy_store": store, "metaxy_io_manager": mxd.MetaxyIOManager(store=store)},
    executor=dg.in_process_executor,
)
