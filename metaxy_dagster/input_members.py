"""An input of a partition's run is loaded for the records of that partition, where these are told.

Buckets and batches are no values of a column: which records they hold follows from ids. So an
input of a feature's asset says whose partitions its runs are, and a bucketed or batched asset how
its own are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from metaxy_core.specs.bucket import Bucket
from metaxy_dagster.feature_name import FEATURE, FeatureName, plain_value
from metaxy_dagster.partitions import Batches, Buckets, Partitions
from metaxy_dagster.resource import MetaxyStoreResource

if TYPE_CHECKING:
    import dagster as dg
    import polars as pl

BUCKETS: Final = "metaxy/buckets"
BATCHES: Final = "metaxy/batches"
_RUN_OF: Final = "metaxy/run_of"


def partition_metadata(partitions: Partitions | None) -> dict[str, Any]:
    """What the metadata of an asset or an input says of buckets or batches.

    Args:
        partitions: how records are divided; None where they are not.
    """
    match partitions:
        case Buckets(count):
            return {BUCKETS: count}
        case Batches(name):
            return {BATCHES: name}
        case _:
            return {}


def of_partitions(
    ins: Mapping[str, dg.AssetIn], feature: FeatureName, partitions: Partitions | None
) -> dict[str, dg.AssetIn]:
    """Inputs that tell whose partitions their runs are; one with a partition mapping does not.

    Args:
        ins: the inputs of an asset.
        feature: the feature of that asset.
        partitions: how its records are divided.
    """
    said = {**partition_metadata(partitions), _RUN_OF: feature}
    return {
        name: asset_in._replace(metadata={**(asset_in.metadata or {}), **said})
        if partitions is not None
        and asset_in.partition_mapping is None
        and FEATURE in (asset_in.metadata or {})
        else asset_in
        for name, asset_in in ins.items()
    }


def input_members(
    context: dg.InputContext, feature: FeatureName, resource: MetaxyStoreResource
) -> Any:
    """The records to load, as ``store.read(among=...)`` takes them; None for all.

    Args:
        context: Dagster's.
        feature: the feature that is loaded.
        resource: where its store is.
    """
    if not context.has_partition_key:
        return None
    run_of = plain_value(context.definition_metadata, _RUN_OF)
    if isinstance(run_of, FeatureName):
        partitions = _partitions(context.definition_metadata)
        if partitions is None:
            return None
        return _read_by(
            run_of, feature, _members(partitions, context.partition_key, run_of, resource)
        )
    upstream = context.upstream_output
    partitions = _partitions({} if upstream is None else upstream.definition_metadata)
    if partitions is None or not context.has_asset_partitions:
        return None
    keys = list(context.asset_partition_keys)
    one = len(keys) == 1 if isinstance(partitions, Buckets) else keys == [context.partition_key]
    return _members(partitions, keys[0], feature, resource) if one else None


def _partitions(metadata: Mapping[str, Any]) -> Partitions | None:
    count, name = plain_value(metadata, BUCKETS), plain_value(metadata, BATCHES)
    if count is not None:
        return Buckets(int(count))
    return None if name is None else Batches(str(name))


def _members(
    partitions: Partitions, key: str, feature: FeatureName, resource: MetaxyStoreResource
) -> Any:
    with resource.open() as store:
        return partitions.members(key, feature, store)


def _read_by(
    downstream: FeatureName, upstream: FeatureName, members: Bucket | pl.DataFrame | None
) -> Any:
    """The records of a dep that some of a feature's are made from; None where ids do not tell."""
    dep = next((dep for dep in downstream.plan.deps if dep.feature == upstream.key), None)
    grain = upstream.plan.grain
    if members is None or dep is None or {there for there, _ in dep.ids} != set(grain):
        return None
    if not isinstance(members, Bucket):
        return members.select(**dict(dep.ids)).unique()
    theirs = {here: there for there, here in dep.ids}
    is_same = tuple(map(theirs.get, downstream.plan.grain)) == tuple(grain)
    return members if is_same else None
