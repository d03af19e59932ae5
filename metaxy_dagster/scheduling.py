"""A schedule that starts runs only where the catalog cannot rule out that there is work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from metaxy_core.errors import StoreLocked, StoreUnreachable
from metaxy_core.store.base import MetadataStore
from metaxy_dagster.metaxify import STORE_KEY
from metaxy_dagster.sensors import TICK_LOCK_TIMEOUT, requests_of
from metaxy_dagster.watched import Terms, Watched, dagster_name, targets


def increment_schedule(
    of: Terms,
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
    work was done it runs once more, which finds nothing and calls no function. Samples of a root
    feature are not in the catalog: with a root among the features it always runs. Where the
    catalog cannot be read, because the store is locked or away, it runs too.

    Args:
        of: the features: classes, keys, selection texts such as ``"tag:nightly"``, or assets.
        cron_schedule: when, as in ``dg.ScheduleDefinition``.
        target: what to run: a job, an asset selection or assets. Without it the assets of ``of``.
        name: name of the schedule; made of the features where it is None.
        execution_timezone: time zone of ``cron_schedule``; UTC where it is None.
        run_tags: tags of the runs.
        partition_keys: partitions of what is run, such as hash buckets: one run for each of them.
        default_status: whether the schedule is on when it is first deployed.
        description: what the UI says; made of the features where it is None.
        lock_timeout: seconds that a tick waits for a writer before it runs without having looked.
        store_key: resource key of the ``MetaxyStoreResource``.

    Raises:
        InvalidAutomation: no feature is given.
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
    found = targets("increment_schedule", of)
    listed = ", ".join(found.targets)

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
            yield from requests_of(run_tags or {}, partition_keys)

    return dg.ScheduleDefinition(
        name=name or dagster_name("increments_of", found.targets),
        cron_schedule=cron_schedule,
        execution_fn=evaluate,
        execution_timezone=execution_timezone,
        target=found.selection if target is None else target,
        default_status=default_status,
        description=description or f"Brings {listed} up to date where there is work.",
        required_resource_keys={store_key},
    )


def _all_settled(store: MetadataStore, found: Watched) -> bool:
    return all(store.is_settled(name) for name in found.targets)
