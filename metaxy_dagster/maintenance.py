"""Maintenance of a store as ops and jobs, each run of which is configured in the launchpad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from metaxy_dagster import upkeep
from metaxy_dagster.chosen import Features
from metaxy_dagster.maintenance_config import (
    CompactConfig,
    ConfigT,
    DeleteOrphansConfig,
    ObserveConfig,
    RebaseConfig,
    with_dry_run,
)
from metaxy_dagster.resource import STORE_KEY
from metaxy_dagster.scope import Scope
from metaxy_dagster.translator import MetaxyTranslator
from metaxy_dagster.upkeep import Upkeep


def delete_orphans_op(
    features: Features | None = None,
    *,
    samples: Mapping[Any, Any] | None = None,
    dry_run: bool = True,
    name: str | None = None,
    store_key: str = STORE_KEY,
    translator: MetaxyTranslator | None = None,
) -> dg.OpDefinition:
    """An op that deletes orphaned records, upstream before downstream.

    Whatever loses records is reported as materialized with its new data version, so that Dagster
    shows what is downstream as stale. A feature of which too large a share is orphaned is left
    alone, and the op fails when the others are done.

    Args:
        features: a feature, a selection such as ``"example/*"``, an asset or a spec, or several of
            these; None for every feature of the active graph.
        samples: for root features, every record that should exist: a frame, or a function without
            parameters that gives one. A root without samples is passed over.
        dry_run: what ``dry_run`` is in the launchpad until somebody changes it. True, because a
            click should not delete; give False to a job that runs on a schedule.
        name: of the op.
        store_key: key of the store resource.
        translator: what the assets of features are called; assets and specs bring their own key.

    Raises:
        AssetError: what was given holds no feature, or features of several graphs.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip")): ...
        >>> cleaning = delete_orphans_op(Clip)
        >>> @dg.job
        ... def nightly():
        ...     compact_op(Clip)(cleaning())
    """
    scope = Scope.of(name or "delete_orphans", features, translator, samples)

    def work(run: Upkeep, config: DeleteOrphansConfig) -> dict[str, Any]:
        return upkeep.delete_orphans(
            run, dry_run=config.dry_run, max_share=config.max_share, hard=config.hard
        )

    description = "Deletes records that nothing upstream calls for any more."
    return _op(scope, description, with_dry_run(DeleteOrphansConfig, dry_run), work, store_key)


def compact_op(
    features: Features | None = None,
    *,
    dry_run: bool = True,
    name: str | None = None,
    store_key: str = STORE_KEY,
    translator: MetaxyTranslator | None = None,
) -> dg.OpDefinition:
    """An op that erases former versions of records; the present state stays as it is.

    What was compacted is reported as observed, under the data version that it had.

    Args:
        features: see ``delete_orphans_op``.
        dry_run: what ``dry_run`` is in the launchpad until somebody changes it.
        name: of the op.
        store_key: key of the store resource.
        translator: what the assets of features are called.

    Raises:
        AssetError: what was given holds no feature, or features of several graphs.
    """
    scope = Scope.of(name or "compact", features, translator)

    def work(run: Upkeep, config: CompactConfig) -> dict[str, Any]:
        return upkeep.compact(
            run, dry_run=config.dry_run, keep=config.keep, at_least=config.at_least
        )

    description = "Erases former versions of records that are older than what is kept."
    return _op(scope, description, with_dry_run(CompactConfig, dry_run), work, store_key)


def observe_op(
    features: Features | None = None,
    *,
    samples: Mapping[Any, Any] | None = None,
    name: str | None = None,
    store_key: str = STORE_KEY,
    translator: MetaxyTranslator | None = None,
) -> dg.OpDefinition:
    """An op that reports the data version and counts of each feature as an observation.

    Args:
        features: see ``delete_orphans_op``.
        samples: for root features whose increment is to be counted too; see there.
        name: of the op.
        store_key: key of the store resource.
        translator: what the assets of features are called.

    Raises:
        AssetError: what was given holds no feature, or features of several graphs.
    """
    scope = Scope.of(name or "observe", features, translator, samples)

    def work(run: Upkeep, config: ObserveConfig) -> dict[str, Any]:
        return upkeep.observe(run, increments=config.increments)

    description = "Reports the data version and the counts of each feature."
    return _op(scope, description, ObserveConfig, work, store_key)


def rebase_op(
    features: Features | None = None,
    *,
    samples: Mapping[Any, Any] | None = None,
    dry_run: bool = True,
    name: str | None = None,
    store_key: str = STORE_KEY,
    translator: MetaxyTranslator | None = None,
) -> dg.OpDefinition:
    """An op that carries records over to definitions that were refactored; nothing is computed.

    A feature all of whose records are up to date afterwards is reported as materialized under the
    present code version and the data version that it had; others as observed.

    Args:
        features: see ``delete_orphans_op``; name assets where they have code versions of their own.
        samples: for roots whose stored columns do not tell their versions; see ``store.rebase``.
        dry_run: what ``dry_run`` is in the launchpad until somebody changes it.
        name: of the op.
        store_key: key of the store resource.
        translator: what the assets of features are called.

    Raises:
        AssetError: what was given holds no feature, or features of several graphs.
    """
    scope = Scope.of(name or "rebase", features, translator, samples)

    def work(run: Upkeep, config: RebaseConfig) -> dict[str, Any]:
        return upkeep.rebase(run, dry_run=config.dry_run, fields=config.fields)

    description = "Carries records over to definitions whose outputs stayed the same."
    return _op(scope, description, with_dry_run(RebaseConfig, dry_run), work, store_key)


def delete_orphans_job(
    features: Features | None = None, *, name: str | None = None, **options: Any
) -> dg.JobDefinition:
    """A job that deletes orphaned records; its op, and that of its config, is ``delete_orphans``.

    Args:
        features: see ``delete_orphans_op``.
        name: of the job; ``delete_orphans_job`` where it is None.
        options: those of ``delete_orphans_op``.

    Example:
        >>> import metaxy_core as mx
        >>> with mx.FeatureGraph().use():
        ...     class Clip(mx.Feature, spec=mx.FeatureSpec(key="clip")): ...
        >>> nightly = dg.ScheduleDefinition(
        ...     job=delete_orphans_job(Clip, dry_run=False), cron_schedule="0 3 * * *"
        ... )
        >>> nightly.job_name
        'delete_orphans_job'
    """
    return _job(delete_orphans_op, "delete_orphans", features, name, options)


def compact_job(
    features: Features | None = None, *, name: str | None = None, **options: Any
) -> dg.JobDefinition:
    """A job that erases history; its op is ``compact``.

    Args:
        features: see ``delete_orphans_op``.
        name: of the job; ``compact_job`` where it is None.
        options: those of ``compact_op``.
    """
    return _job(compact_op, "compact", features, name, options)


def observe_job(
    features: Features | None = None, *, name: str | None = None, **options: Any
) -> dg.JobDefinition:
    """A job that observes features; its op is ``observe``.

    Args:
        features: see ``delete_orphans_op``.
        name: of the job; ``observe_job`` where it is None.
        options: those of ``observe_op``.
    """
    return _job(observe_op, "observe", features, name, options)


def rebase_job(
    features: Features | None = None, *, name: str | None = None, **options: Any
) -> dg.JobDefinition:
    """A job that carries records over to refactored definitions; its op is ``rebase``.

    Args:
        features: see ``delete_orphans_op``.
        name: of the job; ``rebase_job`` where it is None.
        options: those of ``rebase_op``.
    """
    return _job(rebase_op, "rebase", features, name, options)


# --------------------------------------------------------------------------- making them


def _op(
    scope: Scope,
    description: str,
    config_class: type[ConfigT],
    work: Callable[[Upkeep, ConfigT], dict[str, Any]],
    store_key: str,
) -> dg.OpDefinition:
    """An op that may come after another one, and whose output says what was done."""

    def run(context: Any, config: Any) -> None:
        features = scope.chosen(config.features)
        with getattr(context.resources, store_key).open() as store:
            metadata = work(Upkeep(context, store, scope, features), config)
        context.add_output_metadata(metadata)

    run.__annotations__ = {
        "context": dg.OpExecutionContext,
        "config": config_class,
        "return": None,
    }
    op: dg.OpDefinition = dg.op(
        name=scope.name,
        description=description,
        ins={"after": dg.In(dg.Nothing, description="What has to be done before.")},
        out=dg.Out(dg.Nothing),
        required_resource_keys={store_key},
    )(run)
    return op


def _job(
    factory: Callable[..., dg.OpDefinition],
    node: str,
    features: Features | None,
    name: str | None,
    options: Mapping[str, Any],
) -> dg.JobDefinition:
    """A job of one op, which has the same name in the config of every such job."""
    job_name = f"{node}_job" if name is None else name
    op = factory(features, name=f"{job_name}_op", **options)

    def compose() -> None:
        op.alias(node)()

    return dg.job(name=job_name, description=op.description)(compose)
