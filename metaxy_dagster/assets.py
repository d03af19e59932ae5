"""A function becomes an asset that computes one increment of a feature."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import dagster as dg

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.design import AssetDesign
from metaxy_dagster.functions import combined_signature
from metaxy_dagster.increments import IncrementOutput, frames_of, increment_output
from metaxy_dagster.requests import Request
from metaxy_dagster.run_claims import claimed
from metaxy_dagster.samples import samples_output


def increment_asset(design: AssetDesign) -> dg.AssetsDefinition:
    """The asset of a feature whose records a function computes in one step.

    Args:
        design: what the asset is to be.
    """
    asset: dg.AssetsDefinition = dg.asset(
        key=design.key,
        ins=design.ins,
        deps=design.deps,
        io_manager_key=design.settings.io_manager_key,
        description=design.description,
        metadata=design.metadata,
        partitions_def=design.partitions_def,
        pool=design.pool,
        **design.passed_on(),
    )(_compute(design))
    return design.enriched(asset)


def _compute(design: AssetDesign) -> Callable[..., IncrementOutput]:
    """The function that Dagster calls: resolve, and hand the work on to the IO manager."""

    def compute(context: dg.AssetExecutionContext, **arguments: Any) -> IncrementOutput:
        started = time.monotonic()
        with ExitStack() as opened:
            store = opened.enter_context(arguments[design.settings.store_key].open())
            seconds = design.settings.claim_seconds
            claim = opened.enter_context(claimed(context, design.feature, store, seconds))
            request, arguments = design.parted(context, arguments, store)
            request = replace(request, claim=claim)
            output = _output(design, context, arguments, store, request)
            output.deletes_orphans = design.settings.orphans == "delete"
            output.opened, output.started = opened.pop_all(), started
            return output

    functools.update_wrapper(compute, design.work.function, updated=())
    compute.__signature__ = combined_signature(  # type: ignore[attr-defined]
        design.functions, design.resources, design.feature, design.config.annotation
    )
    return compute


def _output(
    design: AssetDesign,
    context: dg.AssetExecutionContext,
    arguments: Mapping[str, Any],
    store: MetadataStore,
    request: Request,
) -> IncrementOutput:
    feature, log = design.feature, context.log.info
    if design.work.takes_increment:
        samples = None if design.samples is None else design.samples.call(context, arguments)
        return increment_output(
            feature,
            store,
            samples,
            request,
            lambda increment: design.work.call(context, arguments, increment),
            log,
        )
    frames = frames_of(feature, design.work.call(context, arguments))
    return samples_output(feature, store, frames, log, request)
