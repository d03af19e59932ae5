"""Metaxy for Dagster: features as assets whose materializations handle only what changed."""

from metaxy_dagster.errors import AssetError
from metaxy_dagster.increments import Children
from metaxy_dagster.io_manager import MetaxyIOManager
from metaxy_dagster.metaxify import metaxify
from metaxy_dagster.outcome import data_version
from metaxy_dagster.partitions_sensor import increment_partitions_sensor
from metaxy_dagster.resource import MetaxyStoreResource
from metaxy_dagster.run_config import IncrementConfig
from metaxy_dagster.translator import MetaxyTranslator

__all__ = [
    "AssetError",
    "Children",
    "IncrementConfig",
    "MetaxyIOManager",
    "MetaxyStoreResource",
    "MetaxyTranslator",
    "data_version",
    "increment_partitions_sensor",
    "metaxify",
]
