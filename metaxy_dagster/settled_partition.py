"""Partitions of batches go, and one stays, which tells Dagster the state of the whole feature.

What is downstream would else depend on partitions that are gone, and seem to be up to date.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.data_versions import slice_version
from metaxy_dagster.feature_name import FEATURE, FeatureName
from metaxy_dagster.increments import IncrementOutput
from metaxy_dagster.partitions import SETTLED
from metaxy_dagster.reporting import DATA_VERSION_TAG
from metaxy_dagster.run_metadata import ROW_COUNT
from metaxy_dagster.slices import Slice
from metaxy_dagster.slicing import stored_count


def lasting_events(
    asset: dg.AssetKey, output: IncrementOutput
) -> Iterator[dg.AssetMaterialization]:
    """What a run of a partition that goes tells of the one that stays, where there is one.

    It is told in the run, and not when the partition is removed: what was computed downstream
    in between is then not taken for stale.

    Args:
        asset: the asset.
        output: what the run wrote.
    """
    request = output.tally.request
    if request.lasting is not None and not request.is_lasting:
        version = slice_version(output.store, output.feature, request.part)
        yield _event(asset, output.feature, output.store, request.part, version)


def untold_events(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    feature: FeatureName,
    store: MetadataStore,
    part: Slice,
) -> Iterator[dg.AssetMaterialization]:
    """What is to be told of the partition that stays, where Dagster knows another state of it.

    So it is where the run that did the last commit was killed before it told of it, and where
    records were written or deleted by anything else than a run of the asset.

    Args:
        instance: Dagster's.
        asset: the asset.
        feature: the feature.
        store: the store.
        part: the slice that the asset holds.
    """
    if not store.commit_sets(feature)[feature.key].commits:
        return
    version = slice_version(store, feature, part)
    wanted = dg.AssetRecordsFilter(asset, asset_partitions=[SETTLED])
    for record in instance.fetch_materializations(wanted, limit=1).records:
        told = record.asset_materialization
        if told is not None and (told.tags or {}).get(DATA_VERSION_TAG) == version.value:
            return
    yield _event(asset, feature, store, part, version)


def _event(
    asset: dg.AssetKey,
    feature: FeatureName,
    store: MetadataStore,
    part: Slice,
    version: dg.DataVersion,
) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset,
        partition=SETTLED,
        metadata={FEATURE: str(feature), ROW_COUNT: stored_count(store, feature, part)},
        tags={DATA_VERSION_TAG: version.value},
    )
