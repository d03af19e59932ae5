"""A sensor keeps the partitions of an asset in step with the batches of work that there are."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from metaxy_core.errors import StoreLocked, StoreUnreachable
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.claims import HeldClaim
from metaxy_dagster.asset_specs import feature_of
from metaxy_dagster.batch_planning import PlannedBatches, planned_batches, state_of
from metaxy_dagster.design import BATCH_SIZE, MAX_BATCHES
from metaxy_dagster.errors import InvalidOptions
from metaxy_dagster.feature_name import FeatureName, plain_value
from metaxy_dagster.metadata import CLAIMED
from metaxy_dagster.naming import dagster_name
from metaxy_dagster.partitions import SETTLED, Batches
from metaxy_dagster.requests import NARROWING
from metaxy_dagster.resource import STORE_KEY, TICK_LOCK_TIMEOUT
from metaxy_dagster.settled_partition import untold_events
from metaxy_dagster.slices import WHERE, Slice, slice_where

PARTITION_TAG: Final = "dagster/partition"
RUN_KEY_TAG: Final = "dagster/run_key"


def increment_partitions_sensor(
    asset: dg.AssetsDefinition,
    *,
    name: str | None = None,
    minimum_interval_seconds: int | None = None,
    run_tags: Mapping[str, str] | None = None,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.STOPPED,
    description: str | None = None,
    lock_timeout: float = TICK_LOCK_TIMEOUT,
    store_key: str = STORE_KEY,
) -> dg.SensorDefinition:
    """A sensor that computes what is new or stale in batches, a dynamic partition and a run each.

    Each tick removes the partitions whose records are settled, plans batches of what is left while
    there are fewer than the asset's ``max_batches``, registers a partition for each, and requests
    its run. Where nothing was committed since the last tick it looks at the catalog only. The plan
    is kept in the store: a tick that is cut off or comes twice loses no record and launches none
    twice. A partition whose run failed stays until it is run again. Records that changed upstream
    after their partition's run come in a new partition, and so do those that their run was not
    given: since another one held them, as soon as that one holds them no more, or since the
    launchpad said ``limit`` or ``filters``.

    One partition, ``settled``, stays. Its data version is that of the whole feature, so that what
    is downstream is known to be stale when the partition that changed is gone. Each run tells it;
    the tick does where no run did, such as after a deletion.

    Args:
        asset: an asset that ``metaxify(..., batch_size=...)`` made.
        name: name of the sensor; made of the asset's key where it is None.
        minimum_interval_seconds: least time between two ticks.
        run_tags: further tags of the runs.
        default_status: whether the sensor is on when it is first deployed.
        description: what the UI says; made of the feature where it is None.
        lock_timeout: seconds that a tick waits for a writer before it skips.
        store_key: resource key of the ``MetaxyStoreResource``.

    Raises:
        InvalidOptions: the asset has no partitions that stand for batches.

    Example:
        >>> import metaxy_core as mx
        >>> from metaxy_dagster import metaxify
        >>> with mx.FeatureGraph().use():
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip", id_columns=["id"])):
        ...         id: str
        ...     class Text(mx.Feature, spec=mx.FeatureSpec(
        ...         key="text", id_columns=["id"], deps=[Clip],
        ...     )):
        ...         id: str
        >>> text = metaxify(Text, batch_size=1_000)(lambda increment: increment.new)
        >>> increment_partitions_sensor(text).name
        'partitions_of_text'
    """
    planned = _BatchedAsset.of(asset)

    def evaluate(
        context: dg.SensorEvaluationContext, **resources: object
    ) -> dg.SensorResult | dg.SkipReason:
        del resources  # a test that calls the sensor passes them; the context has them always
        try:
            with getattr(context.resources, store_key).open(lock_timeout=lock_timeout) as store:
                return _tick(context, store, planned, dict(run_tags or {}))
        except (StoreLocked, StoreUnreachable) as error:
            return dg.SkipReason(f"{error} The next tick tries again.")

    return dg.SensorDefinition(
        name=name or f"partitions_of_{dagster_name('/'.join(asset.key.path))}",
        evaluation_fn=evaluate,
        description=description or f"Computes {planned.feature} in batches of what is to do.",
        minimum_interval_seconds=minimum_interval_seconds,
        default_status=default_status,
        required_resource_keys={store_key},
        target=[asset],
    )


@dataclass(frozen=True)
class _BatchedAsset:
    """What a sensor has to know of its asset."""

    key: dg.AssetKey
    feature: FeatureName
    batches: Batches
    size: int
    most: int
    part: Slice

    @classmethod
    def of(cls, asset: dg.AssetsDefinition) -> _BatchedAsset:
        partitions = asset.partitions_def
        (spec, *others) = asset.specs
        feature = feature_of(spec)
        if (
            others
            or feature is None
            or BATCH_SIZE not in spec.metadata
            or not isinstance(partitions, dg.DynamicPartitionsDefinition)
        ):
            keys = ", ".join(sorted(key.to_user_string() for key in asset.keys))
            raise InvalidOptions(
                f"increment_partitions_sensor was given {keys!r}, which has no partitions that "
                f"stand for batches; make it with @metaxify(Feature, batch_size=...)."
            )
        sizes = spec.metadata[BATCH_SIZE], spec.metadata[MAX_BATCHES]
        part = slice_where(feature, plain_value(spec.metadata, WHERE))
        return cls(spec.key, feature, Batches(str(partitions.name)), *sizes, part)


def _tick(
    context: dg.SensorEvaluationContext,
    store: MetadataStore,
    asset: _BatchedAsset,
    tags: dict[str, str],
) -> dg.SensorResult | dg.SkipReason:
    registered = context.instance.get_dynamic_partitions(asset.batches.name)
    known = [batch.key for batch in store.batches(asset.feature, asset.batches.plan)]
    launched, running, succeeded = _runs(context.instance, known)
    held = [claim for claim in store.claims(asset.feature, counted=False) if claim.live]
    owners = sorted(claim.owner for claim in held)
    state = " ".join([state_of(asset.feature, store), *sorted(running), *owners])
    is_in_step = set(registered) == {*known, SETTLED} and launched == set(known)
    if state == context.cursor and is_in_step:
        return dg.SkipReason(
            f"Nothing was done since the last tick; {len(known)} batches are open."
        )
    found = planned_batches(
        asset.feature,
        store,
        asset.batches.plan,
        size=asset.size,
        most=asset.most,
        part=asset.part,
        running=[key for key in known if key in running],
        succeeded=[key for key in known if key in succeeded],
        withheld=_withheld(context.instance, asset, succeeded - running, held),
    )
    of_asset = (asset.key, asset.feature, store, asset.part)
    events = () if running else untold_events(context.instance, *of_asset)
    requests = [
        dg.RunRequest(run_key=key, partition_key=key, tags=tags)
        for key in found.open
        if key not in launched
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else _reason(found),
        cursor=state,
        dynamic_partitions_requests=_changes(asset, registered, [*found.open, SETTLED]),
        asset_events=list(events),
    )


def _runs(
    instance: dg.DagsterInstance, known: Sequence[str]
) -> tuple[set[str], set[str], set[str]]:
    """The batches that have a run, one whose last run is not finished, and one that succeeded.

    A run before the last one may have been killed without anybody's knowing. One that was made for
    a run key and never started is requested again, upon which Dagster starts it.
    """
    if not known:
        return set(), set(), set()
    launched: set[str] = set()
    succeeded: set[str] = set()
    last: dict[str, dg.DagsterRun] = {}
    for run in instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: list(known)})):  # newest first
        key = run.tags[PARTITION_TAG]
        last.setdefault(key, run)
        if run.status != dg.DagsterRunStatus.NOT_STARTED or RUN_KEY_TAG not in run.tags:
            launched.add(key)
        if run.is_success:
            succeeded.add(key)
    return launched, {key for key, run in last.items() if not run.is_finished}, succeeded


def _withheld(
    instance: dg.DagsterInstance,
    asset: _BatchedAsset,
    keys: Collection[str],
    held: Sequence[HeldClaim],
) -> list[str]:
    """The batches whose last run was not given all records, and that nobody else works on.

    It was told to leave some alone, or others held them, and hold them no more. Such a claim may be
    that of a run which was killed: nobody else would compute them.
    """
    oldest = min((claim.claimed_at.timestamp() for claim in held), default=math.inf)
    withheld = []
    for key in keys:
        wanted = dg.AssetRecordsFilter(asset.key, asset_partitions=[key])
        for record in instance.fetch_materializations(wanted, limit=1).records:
            told = record.asset_materialization
            metadata = {} if told is None else told.metadata
            is_free = CLAIMED in metadata and record.timestamp < oldest
            if is_free or not NARROWING.isdisjoint(metadata):
                withheld.append(key)
    return withheld


def _changes(
    asset: _BatchedAsset, registered: Collection[str], wanted: Collection[str]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """What makes the partitions those that are wanted, whatever a former tick came to do."""
    added = [key for key in wanted if key not in registered]
    gone = [key for key in registered if key not in wanted]
    definition = asset.batches.definition
    changes: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if added:
        changes.append(definition.build_add_request(added))
    if gone:
        changes.append(definition.build_delete_request(gone))
    return changes


def _reason(found: PlannedBatches) -> str:
    closed = f"{len(found.closed)} batches are done and removed; " if found.closed else ""
    waiting = f", and {found.waiting} records wait for room" if found.waiting else ""
    return f"{closed}{len(found.open)} batches are open{waiting}."
