"""Metaxy for Dagster: features as assets whose materializations handle only what changed."""

from metaxy_dagster.checks import feature_checks
from metaxy_dagster.errors import AssetError
from metaxy_dagster.increments import Children
from metaxy_dagster.io_manager import MetaxyIOManager
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
from metaxy_dagster.outcome import data_version
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.translator import MetaxyTranslator

__all__ = [
    "AssetError",
    "Children",
    "MetaxyIOManager",
    "MetaxyStoreResource",
    "MetaxyTranslator",
    "compact_job",
    "compact_op",
    "data_version",
    "delete_orphans_job",
    "delete_orphans_op",
    "feature_checks",
    "metaxify",
    "observe_job",
    "observe_op",
    "rebase_job",
    "rebase_op",
]
