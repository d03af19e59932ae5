"""A schedule that starts runs only where the catalog cannot rule out that there is work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from metaxy_core.errors import StoreLocked, StoreUnreachable
from metaxy_core.store.base import MetadataStore
from metaxy_dagster.chosen import Features, one_or_more
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.naming import dagster_name
from metaxy_dagster.resource import STORE_KEY, TICK_LOCK_TIMEOUT
from metaxy_dagster.sensors import requests_of
from metaxy_dagster.watched import assets_of, check_runnable


def increment_schedule(
    features: Features,
    cron_schedule: str | Sequence[str],
    *,
    target: Any = None,
    name: str | None = None,
    execution_timezone: str | None = None,
    run_tags: Mapping[str, str] | None = None,
    partition_keys: Sequence[str] = (),
    default_status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.STOPPED,
    description: str | None = None,
    lock_timeout: float = TICK_LOCK_TIMEOUT,
    store_key: str = STORE_KEY,
) -> dg.ScheduleDefinition:
    """A schedule that brings features up to date, and skips when there is certainly nothing to do.

    It skips when the catalog tells of every feature that a run found nothing to do and that since
    then neither its definition, nor it, nor anything it reads was changed. So it runs after new
    code, after records were deleted, and after a run that failed or did only a part. Right after
    work was done it runs once more, which finds nothing and calls no function; runs of buckets and
    slices tell nothing of the whole, so with these it skips only after something compared the whole
    feature, such as ``observe_job``. Samples of a root feature are not in the catalog: with a root
    among the features it always runs. Where the catalog cannot be read, because the store is
    locked or away, it runs too.

    Args:
        features: classes, keys, selection texts such as ``"tag:nightly"``, or assets.
        cron_schedule: when, as in ``dg.ScheduleDefinition``.
        target: what to run: a job, an asset selection or assets. Without it the features' assets;
            those with partitions only where ``partition_keys`` are given. A tick fails where that
            leaves nothing to run.
        name: name of the schedule; made of the features where it is None.
        execution_timezone: time zone of ``cron_schedule``; UTC where it is None.
        run_tags: tags of the runs.
        partition_keys: partitions of what is run, such as hash buckets: one run for each of them.
        default_status: whether the schedule is on when it is first deployed.
        description: what the UI says; made of the features where it is None.
        lock_timeout: seconds that a tick waits for a writer before it runs without having looked.
        store_key: resource key of the ``MetaxyStoreResource``.

    Raises:
        InvalidOptions: no feature is given, or they are of several graphs.
        UnknownFeature: the graph does not hold a feature.
        InvalidSelection: a selection cannot be read, or nothing matches it.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Video(mx.Feature, spec=mx.FeatureSpec(key="example/video")):
        ...         pass
        ...     class Face(mx.Feature, spec=mx.FeatureSpec(key="example/face", deps=[Video])):
        ...         pass
        >>> increment_schedule(Face, "0 2 * * *").name
        'increments_of_example_face'
    """
    found = one_or_more("increment_schedule", features).features
    listed = ", ".join(found)

    def evaluate(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        resource = getattr(context.resources, store_key)
        try:
            with resource.open(lock_timeout=lock_timeout) as store:
                settled = _all_settled(store, found)
        except (StoreLocked, StoreUnreachable) as error:
            context.log.warning("%s The run is started without a look at the catalog.", error)
            settled = False
        if settled:
            yield dg.SkipReason(f"Nothing was done since {listed} had nothing to do.")
        else:
            if target is None:
                check_runnable("increment_schedule", found, partition_keys, context)
            yield from requests_of(run_tags or {}, partition_keys)

    return dg.ScheduleDefinition(
        name=name or f"increments_of_{dagster_name(*found)}",
        cron_schedule=cron_schedule,
        execution_fn=evaluate,
        execution_timezone=execution_timezone,
        target=assets_of(found, partition_keys) if target is None else target,
        default_status=default_status,
        description=description or f"Brings {listed} up to date where there is work.",
        required_resource_keys={store_key},
    )


def _all_settled(store: MetadataStore, features: Sequence[FeatureName]) -> bool:
    return all(store.is_settled(name) for name in features)
