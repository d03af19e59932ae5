"""Versions per record and field, and exactly the records that have to be recomputed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import MetaxyError, TransientError
from metaxy_core.feature import Feature
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.selection import select
from metaxy_core.keys import FeatureKey, FieldKey
from metaxy_core.specs.bucket import Bucket
from metaxy_core.specs.dependency import FeatureDep
from metaxy_core.specs.feature import FeatureSpec
from metaxy_core.specs.field import FieldDep, FieldSpec
from metaxy_core.specs.lineage import aggregation, expansion, identity
from metaxy_core.specs.mapping import FieldsMapping

if TYPE_CHECKING:
    from metaxy_core.config import Config, init
    from metaxy_core.store.backends.bigquery import BigQueryMetadataStore
    from metaxy_core.store.backends.clickhouse import ClickHouseMetadataStore
    from metaxy_core.store.backends.delta import DeltaMetadataStore
    from metaxy_core.store.backends.duckdb import DuckDBMetadataStore
    from metaxy_core.store.backends.ducklake import DuckLakeMetadataStore
    from metaxy_core.store.backends.iceberg import IcebergMetadataStore
    from metaxy_core.store.backends.lance import LanceMetadataStore
    from metaxy_core.store.backends.postgres import PostgresMetadataStore
    from metaxy_core.store.backends.sqlite import SQLiteMetadataStore
    from metaxy_core.store.base import MetadataStore
    from metaxy_core.store.batches import Batch
    from metaxy_core.store.claims import Claim, HeldClaim
    from metaxy_core.store.commit_sets import CommitSet
    from metaxy_core.store.commits import Commit
    from metaxy_core.store.copy_progress import CopiedFeature, CopyProgress
    from metaxy_core.store.explanation import Explanation
    from metaxy_core.store.increment import Counts, Increment
    from metaxy_core.store.integrity import ColumnMismatch, Integrity
    from metaxy_core.store.lineage import Lineage
    from metaxy_core.store.migrating import Migration
    from metaxy_core.store.plan import Plan, PlannedFeature, PlanTotal
    from metaxy_core.store.progress import Progress
    from metaxy_core.store.rebasing import Rebase
    from metaxy_core.store.tolerance import Same

BaseFeature = Feature

_LAZY = {
    "Config": "metaxy_core.config",
    "init": "metaxy_core.config",
    "Claim": "metaxy_core.store.claims",
    "Batch": "metaxy_core.store.batches",
    "Commit": "metaxy_core.store.commits",
    "CommitSet": "metaxy_core.store.commit_sets",
    "CopiedFeature": "metaxy_core.store.copy_progress",
    "CopyProgress": "metaxy_core.store.copy_progress",
    "Counts": "metaxy_core.store.increment",
    "HeldClaim": "metaxy_core.store.claims",
    "Increment": "metaxy_core.store.increment",
    "Progress": "metaxy_core.store.progress",
    "Same": "metaxy_core.store.tolerance",
    "Plan": "metaxy_core.store.plan",
    "PlanTotal": "metaxy_core.store.plan",
    "PlannedFeature": "metaxy_core.store.plan",
    "MetadataStore": "metaxy_core.store.base",
    "Explanation": "metaxy_core.store.explanation",
    "ColumnMismatch": "metaxy_core.store.integrity",
    "Integrity": "metaxy_core.store.integrity",
    "Lineage": "metaxy_core.store.lineage",
    "Migration": "metaxy_core.store.migrating",
    "Rebase": "metaxy_core.store.rebasing",
    "BigQueryMetadataStore": "metaxy_core.store.backends.bigquery",
    "ClickHouseMetadataStore": "metaxy_core.store.backends.clickhouse",
    "DeltaMetadataStore": "metaxy_core.store.backends.delta",
    "DuckDBMetadataStore": "metaxy_core.store.backends.duckdb",
    "DuckLakeMetadataStore": "metaxy_core.store.backends.ducklake",
    "PostgresMetadataStore": "metaxy_core.store.backends.postgres",
    "SQLiteMetadataStore": "metaxy_core.store.backends.sqlite",
    "IcebergMetadataStore": "metaxy_core.store.backends.iceberg",
    "LanceMetadataStore": "metaxy_core.store.backends.lance",
}

__all__ = [
    "BaseFeature",
    "Batch",
    "BigQueryMetadataStore",
    "Bucket",
    "Claim",
    "ClickHouseMetadataStore",
    "ColumnMismatch",
    "Commit",
    "CommitSet",
    "Config",
    "CopiedFeature",
    "CopyProgress",
    "Counts",
    "DeltaMetadataStore",
    "DuckDBMetadataStore",
    "DuckLakeMetadataStore",
    "Explanation",
    "Feature",
    "FeatureDep",
    "FeatureGraph",
    "FeatureKey",
    "FeatureSpec",
    "FieldDep",
    "FieldKey",
    "FieldSpec",
    "FieldsMapping",
    "HeldClaim",
    "IcebergMetadataStore",
    "Increment",
    "Integrity",
    "LanceMetadataStore",
    "Lineage",
    "MetadataStore",
    "MetaxyError",
    "Migration",
    "Plan",
    "PlanTotal",
    "PlannedFeature",
    "PostgresMetadataStore",
    "Progress",
    "Rebase",
    "SQLiteMetadataStore",
    "Same",
    "TransientError",
    "aggregation",
    "expansion",
    "identity",
    "init",
    "select",
]


def __getattr__(name: str) -> Any:
    """Load what needs a data library only when it is used."""
    if name in _LAZY:
        try:
            return getattr(import_module(_LAZY[name]), name)
        except ModuleNotFoundError as error:
            from metaxy_core.config.store_types import not_installed

            if told := not_installed(name, error):
                raise told from error
            raise
    raise AttributeError(f"module 'metaxy_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
