"""What Dagster loads: assets, checks, jobs, sensors, schedules, the store and the IO manager."""

from __future__ import annotations

import dagster as dg

import metaxy_dagster as mxd
from example_project import automation, checks
from example_project.assets import clips, reports, stills
from example_project.settings import settings

store = mxd.MetaxyStoreResource(database=str(settings().database))
features = mxd.MetaxyIOManager(store=store)

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([clips, stills, reports]),
    asset_checks=checks.feature_checks,
    jobs=[*automation.asset_jobs, *automation.maintenance],
    sensors=automation.sensors,
    schedules=automation.schedules,
    resources={"metaxy_store": store, "metaxy_io_manager": features},
    executor=dg.in_process_executor,
)
