"""What maintenance does to a feature is told to Dagster, so that what is stale there is so here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.data_versions import slice_version
from metaxy_dagster.feature_name import FEATURE
from metaxy_dagster.run_metadata import ROW_COUNT
from metaxy_dagster.slicing import stored_count
from metaxy_dagster.targets import Target

DATA_VERSION_TAG: Final = "dagster/data_version"
CODE_VERSION_TAG: Final = "dagster/code_version"


def report_observed(
    context: dg.OpExecutionContext,
    assets: Iterable[Target],
    store: MetadataStore,
    metadata: Mapping[str, Any],
) -> None:
    """Tell the state that a feature is in: its data version, and counts.

    Args:
        context: of the op.
        assets: the assets that hold the feature.
        store: the store.
        metadata: what else to tell.
    """
    for target in assets:
        context.log_event(
            dg.AssetObservation(
                target.asset_key,
                metadata=_metadata(target, store, metadata),
                tags={DATA_VERSION_TAG: _version(target, store)},
            )
        )


def report_changed(
    context: dg.OpExecutionContext,
    assets: Iterable[Target],
    store: MetadataStore,
    metadata: Mapping[str, Any],
    *,
    is_current_code: bool = False,
) -> None:
    """Tell that a feature's records changed, so that what is downstream becomes stale.

    Only a materialization does that. It says the same of inputs and code as the last one, which
    did not change. An asset that was never materialized, or is so by partition, is observed.

    Args:
        context: of the op.
        assets: the assets that hold the feature.
        store: the store.
        metadata: what else to tell.
        is_current_code: whether all records are now as the present code would make them.
    """
    for target in assets:
        event = context.instance.get_latest_materialization_event(target.asset_key)
        last = None if event is None else event.asset_materialization
        if last is None or last.partition is not None or target.is_partitioned:
            report_observed(context, [target], store, metadata)
            continue
        tags = {**(last.tags or {})}
        tags[DATA_VERSION_TAG] = _version(target, store)
        if is_current_code:
            tags[CODE_VERSION_TAG] = target.code_version
        context.log_event(
            dg.AssetMaterialization(
                target.asset_key, metadata=_metadata(target, store, metadata), tags=tags
            )
        )


def _version(target: Target, store: MetadataStore) -> str:
    """The data version of what an asset holds; of a slice its own."""
    return slice_version(store, target.feature, target.part).value


def _metadata(target: Target, store: MetadataStore, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        FEATURE: str(target.feature),
        ROW_COUNT: stored_count(store, target.feature, target.part),
        "metaxy/store": store.address,
        **metadata,
    }
