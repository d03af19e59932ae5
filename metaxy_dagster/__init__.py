"""Metaxy for Dagster: features as assets whose materializations handle only what changed."""

from metaxy_dagster.automation import on_upstream_change
from metaxy_dagster.checks import feature_checks
from metaxy_dagster.components import MetaxyComponent
from metaxy_dagster.data_versions import data_version
from metaxy_dagster.errors import AssetError
from metaxy_dagster.feature_assets import external_feature, load_feature_assets
from metaxy_dagster.increments import Children
from metaxy_dagster.input_batches import batches_of
from metaxy_dagster.io_manager import MetaxyIOManager
from metaxy_dagster.linking import linked_assets
from metaxy_dagster.maintenance import (
    compact_job,
    compact_op,
    delete_orphans_job,
    delete_orphans_op,
    observe_job,
    observe_op,
    rebase_job,
    rebase_op,
)
from metaxy_dagster.metaxify import metaxify
from metaxy_dagster.observing import observable_feature, observable_samples
from metaxy_dagster.partitions_sensor import increment_partitions_sensor
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.run_config import IncrementConfig
from metaxy_dagster.scheduling import increment_schedule
from metaxy_dagster.sensors import upstream_change_sensor
from metaxy_dagster.translator import MetaxyTranslator

__all__ = [
    "AssetError",
    "Children",
    "IncrementConfig",
    "MetaxyComponent",
    "MetaxyIOManager",
    "MetaxyStoreResource",
    "MetaxyTranslator",
    "batches_of",
    "compact_job",
    "compact_op",
    "data_version",
    "delete_orphans_job",
    "delete_orphans_op",
    "external_feature",
    "feature_checks",
    "increment_partitions_sensor",
    "increment_schedule",
    "linked_assets",
    "load_feature_assets",
    "metaxify",
    "observable_feature",
    "observable_samples",
    "observe_job",
    "observe_op",
    "on_upstream_change",
    "rebase_job",
    "rebase_op",
    "upstream_change_sensor",
]
