"""A large increment is computed in chunks, a step each, so that a failure costs one chunk only.

The first step plans: it resolves once and keeps in the store which record is in which chunk. Each
chunk's step reads its ids from there and commits its own work; between steps nothing travels but
the chunks' numbers. The last step says what was done. A re-execution from failure finds the plan
under the run that made it, and does only the chunks that are missing.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_core.store.claims import Claim
from metaxy_dagster.chunk_plans import ChunkPlan, find_plan, keep_plan
from metaxy_dagster.design import AssetDesign
from metaxy_dagster.errors import InvalidFunction, InvalidOptions
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.functions import combined_signature
from metaxy_dagster.increments import IncrementOutput, Tally, increment_output, plan_text
from metaxy_dagster.input_versions import input_versions
from metaxy_dagster.metadata import COLUMN_LINEAGE
from metaxy_dagster.naming import op_name
from metaxy_dagster.outcome import written
from metaxy_dagster.run_claims import (
    begun,
    extended,
    given_back,
    is_held,
    owner_of,
    release,
    release_finished,
)

_CHUNK: Final = "chunk"
_DONE: Final = "done"
_NOTHING: Final = dg.In(dg.Nothing)


def chunked_asset(design: AssetDesign) -> dg.AssetsDefinition:
    """The asset of a feature whose records a function computes in chunks.

    Args:
        design: what the asset is to be.

    Raises:
        InvalidOptions: the feature is a root, or the options are no numbers.
        InvalidFunction: the function's config is no class.
    """
    _check(design)
    after = {f"after_{number}": key for number, key in enumerate(_deps(design))}
    names = [*design.ins, *after]
    ops = _Ops(design)
    plan, chunk, finish = ops.plan(names), ops.chunk(), ops.finish()

    def compose(**inputs: Any) -> Any:
        planned = plan(**inputs)
        loaded = {name: inputs[name] for name in design.ins}
        chunks = planned.map(lambda number: chunk(**{_CHUNK: number, **loaded}))
        return finish(**{_DONE: chunks.collect()})

    compose.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    )
    ordering = {name: dg.AssetIn(key, dagster_type=dg.Nothing) for name, key in after.items()}
    own = ("retry_policy", "op_tags", "freshness_policy")
    asset: dg.AssetsDefinition = dg.graph_asset(
        key=design.key,
        ins={**design.ins, **ordering},
        config=ops.config_mapping(),
        description=design.description,
        metadata=design.metadata,
        partitions_def=design.partitions_def,
        **design.passed_on(*own),
    )(compose)
    policy = design.options.get("freshness_policy")
    if policy is not None:
        asset = asset.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=policy))
    return design.enriched(asset)


def _deps(design: AssetDesign) -> list[dg.AssetKey]:
    """The assets that come before and are not loaded."""
    return list(dict.fromkeys(dg.AssetDep.from_coercible(dep).asset_key for dep in design.deps))


def _check(design: AssetDesign) -> None:
    name, settings = str(design.feature), design.settings
    if design.feature.plan.is_root:
        raise InvalidOptions(
            f"Asset {name!r} has chunk_size=, but its feature is a root: every chunk would have to "
            f"list all samples again. Drop chunk_size= and yield frames, such as those of "
            f"increment.batches({settings.chunk_size}): each is committed before the next."
        )
    if not design.config.is_class:
        raise InvalidFunction.from_reason(
            name,
            f"takes a config of type {design.config.annotation!r}, and chunk_size= makes it the "
            f"config of three steps",
            "make it a subclass of dg.Config",
        )


class _Ops:
    """The three steps of a chunked asset."""

    def __init__(self, design: AssetDesign) -> None:
        self._design = design
        self._feature = design.feature
        self._name = op_name(design.key)

    def plan(self, upstream: Iterable[str]) -> Callable[..., Any]:
        """Resolve, and divide what there is to do; waits for all that comes before."""
        settings = self._design.settings

        def compute(context: Any, **arguments: Any) -> Iterator[dg.DynamicOutput[None]]:
            with self._store(arguments) as store:
                request, _ = self._design.parted(context, arguments, store)
                size, most = settings.chunk_size or 1, settings.max_chunks
                inputs = input_versions(context)
                with (
                    begun(context, self._feature, store, settings.claim_seconds) as claim,
                    given_back(context, self._feature, store, claim),
                ):
                    taken = replace(request.at_most(size * most), claim=claim)
                    increment = taken.resolved(self._feature, store, None)
                    tally = Tally(request=request)
                    tally.add(increment)
                    context.log.info(plan_text(self._feature, tally))
                    plan = keep_plan(
                        context, store, self._feature, increment, size=size, inputs=inputs
                    )
                left = 0
                if len(plan.batches) == most:
                    all_of_it = request.resolved(self._feature, store, None).counts.to_process
                    left = all_of_it - tally.counts.to_process - tally.claimed
            if left > 0:
                context.log.warning(_left_text(self._feature, left, size, most))
            for batch in plan.batches:
                metadata = {"metaxy/records": batch.records}
                yield dg.DynamicOutput(None, mapping_key=batch.key, metadata=metadata)

        ins = dict.fromkeys(upstream, _NOTHING)
        return self._op("plan", compute, ins, dg.DynamicOut(dg.Nothing))

    def chunk(self) -> Callable[..., Any]:
        """Compute one chunk and commit it."""
        design, feature = self._design, self._feature

        def compute(context: Any, **arguments: Any) -> None:
            with (
                self._store(arguments) as store,
                extended(context, store, design.settings.claim_seconds) as claim,
            ):
                request, arguments = design.parted(context, arguments, store)
                plan = find_plan(context, store, feature)
                ids = store.planned_ids(feature, plan.name, _of_op(context).get_mapping_key())
                held = _is_claimed(claim, context, plan, store)
                with given_back(context, feature, store, claim, ids):
                    output = increment_output(
                        feature,
                        store,
                        None,
                        replace(request, limit=None, among=ids, claim=claim, is_held=held),
                        lambda increment: design.work.call(context, arguments, increment),
                        context.log.info,
                    )
                    outcome = written(output, context.run.run_id, context.log.info)
            _of_op(context).add_output_metadata(
                {
                    "metaxy/new": outcome.tally.counts.new,
                    "metaxy/stale": outcome.tally.counts.stale,
                    "metaxy/processed": outcome.processed,
                    "metaxy/seconds": round(outcome.seconds, 3),
                    "metaxy/commits": [commit.id for commit in outcome.commits],
                }
            )

        loaded = {
            name: dg.In(
                dagster_type=asset_in.dagster_type,
                metadata=asset_in.metadata,
                input_manager_key=asset_in.input_manager_key,
            )
            for name, asset_in in design.ins.items()
        }
        ins = {**loaded, _CHUNK: _NOTHING}
        return self._op(_CHUNK, compute, ins, dg.Out(dg.Nothing), works=True)

    def finish(self) -> Callable[..., Any]:
        """Say what all chunks did."""
        design, feature = self._design, self._feature

        def compute(context: Any, **arguments: Any) -> dg.Output[IncrementOutput]:
            started = time.monotonic()
            with ExitStack() as opened:
                store = opened.enter_context(arguments[design.settings.store_key].open())
                request, _ = design.parted(context, arguments, store)
                plan = find_plan(context, store, feature)
                commits = plan.commits(store, request.part)
                left = replace(request, limit=None, force=None).resolved(feature, store, None)
                output = IncrementOutput(
                    feature,
                    store,
                    iter(()),
                    plan.tally(request, left),
                    lambda: left.orphaned,
                    deletes_orphans=design.settings.orphans == "delete",
                    started=started - plan.seconds,
                    commits=commits,
                    metadata={
                        "metaxy/chunks": len(plan.batches),
                        "metaxy/left": left.counts.to_process,
                    },
                )
                release(store, owner_of(context.run.run_id, context), context.log.warning)
                output.done = lambda: store.forget_batches(feature, plan.name)
                output.opened = opened.pop_all()
            return dg.Output(output, tags=plan.inputs if left.counts.to_process else None)

        metadata = {COLUMN_LINEAGE: design.column_lineage}
        out = dg.Out(io_manager_key=design.settings.io_manager_key, metadata=metadata)
        return self._op("finish", compute, {_DONE: _NOTHING}, out)

    def config_mapping(self) -> dg.ConfigMapping:
        """The asset's config, which is that of each step."""

        def of_steps(config: Any) -> dict[str, Any]:
            return {name: {"config": config} for name in ("plan", _CHUNK, "finish")}

        schema = self._design.config.annotation.to_config_schema()
        return dg.ConfigMapping(of_steps, config_schema=schema)

    def _op(
        self,
        name: str,
        compute: Callable[..., Any],
        ins: Mapping[str, dg.In],
        out: dg.Out | dg.DynamicOut,
        *,
        works: bool = False,
    ) -> Callable[..., Any]:
        """A step; only the one that works gets what the function asks for, and its pool."""
        design, options = self._design, self._design.options
        given = [design.work] if works else []
        store_key = design.settings.store_key
        resources = design.resources if works else {store_key: design.resources[store_key]}
        signature = combined_signature(given, resources, design.feature, design.config.annotation)
        context, *rest = signature.parameters.values()
        if context.annotation is inspect.Parameter.empty:  # as in the function of an asset
            context = context.replace(annotation=dg.AssetExecutionContext)
        compute.__signature__ = inspect.Signature([context, *rest])  # type: ignore[attr-defined]
        op = dg.op(
            name=f"{self._name}__{name}",
            ins=ins,
            out=out,
            tags=options.get("op_tags"),
            retry_policy=options.get("retry_policy"),
            pool=design.pool if works else None,
        )(compute)
        step: Callable[..., Any] = op.alias(name)
        return step

    def _store(self, arguments: Mapping[str, Any]) -> Any:
        return arguments[self._design.settings.store_key].open()


def _is_claimed(claim: Claim | None, context: Any, plan: ChunkPlan, store: MetadataStore) -> bool:
    """Whether the step that planned made the claim of a chunk, for all of them."""
    if claim is None:
        return False
    is_first_try = bool(plan.batches) and not _of_op(context).retry_number
    if is_first_try and is_held(store, plan.feature, claim, plan.planned_at):
        return True
    release_finished(context, plan.feature, store)
    return False


def _left_text(feature: FeatureName, left: int, size: int, most: int) -> str:
    return (
        f"{feature}: {left} records are left for another run, since this one has no more than "
        f"{most} chunks of {size}. Run again, or give a larger chunk_size= or max_chunks=."
    )


def _of_op(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> dg.OpExecutionContext:
    """The context of a step, whatever its function wants to have."""
    return context if isinstance(context, dg.OpExecutionContext) else context.op_execution_context
