"""A run holds the records that it computes, so that no other run pays for them at the same time."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

from metaxy_core.errors import TransientError
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.claims import Claim
from metaxy_dagster.feature_name import FeatureName

CLAIM_SECONDS: Final = 600.0
"""A run extends its claims while it works, so that this is how long those of a crash last."""

_BEATS: Final = 3
"""How often a claim is extended in its time: one or two attempts may come too late."""

_PATIENCE: Final = 10.0
"""Seconds that the end of a step waits for an attempt that is under way. It may be the garbage
collector that ends it, in a thread which holds what the attempt waits for."""

_INTERRUPTIONS: Final = (KeyboardInterrupt, dg.DagsterExecutionInterruptedError)

Log = Callable[[str], None]


def owner_of(run_id: str, context: Any) -> str:
    """Under which name the steps of one asset in one run hold records.

    Args:
        run_id: the run.
        context: of a step of the asset.
    """
    return f"{run_id} {context.asset_key.to_user_string()}"


@contextmanager
def claimed(
    context: Any, feature: FeatureName, store: MetadataStore, seconds: float | None
) -> Iterator[Claim | None]:
    """The claim of a step that resolves and computes; what is left of it is given back at the end.

    Args:
        context: of the step.
        feature: the feature.
        store: the store, which has to stay open.
        seconds: for how long records are held without a sign of life; None holds none.
    """
    with begun(context, feature, store, seconds) as claim:
        try:
            yield claim
        finally:
            if claim is not None:
                release(store, claim.owner, context.log.warning)


@contextmanager
def begun(
    context: Any, feature: FeatureName, store: MetadataStore, seconds: float | None
) -> Iterator[Claim | None]:
    """The claim of a run's first step, which first frees what runs hold that are over.

    Args:
        context: of the step.
        feature: the feature.
        store: the store, which has to stay open.
        seconds: see ``claimed``.
    """
    if seconds is not None:
        release_finished(context, feature, store)
    with extended(context, store, seconds) as claim:
        yield claim


@contextmanager
def extended(context: Any, store: MetadataStore, seconds: float | None) -> Iterator[Claim | None]:
    """The claim that the steps of a run have together, kept up while one of them works.

    Whatever goes wrong with that is told in the log, and tried again.

    Args:
        context: of the step.
        store: the store, which has to stay open.
        seconds: see ``claimed``.
    """
    if seconds is None:
        yield None
        return
    claim = Claim(owner_of(context.run.run_id, context), seconds)
    done = threading.Event()

    def beat() -> None:
        while not done.wait(seconds / _BEATS):
            try:
                store.extend_claim(claim.owner, seconds)
            except Exception as error:  # noqa: BLE001 - the next attempt may do better
                told = error if isinstance(error, TransientError) else repr(error)
                context.log.warning("%s The claim is extended at the next attempt.", told)

    heart = threading.Thread(target=beat, name="metaxy-claim", daemon=True)
    heart.start()
    try:
        yield claim
    finally:
        done.set()
        heart.join(_PATIENCE)


def is_held(store: MetadataStore, feature: FeatureName, claim: Claim, since: dt.datetime) -> bool:
    """Whether what a run claimed before a moment is its own for a while longer, all of it.

    Where it claimed again since then, it may have lost some of it in between.

    Args:
        store: the store.
        feature: the feature.
        claim: the run's.
        since: the moment.
    """
    long_enough = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=claim.seconds / 2)
    return any(
        held.owner == claim.owner and held.claimed_at <= since and held.expires_at >= long_enough
        for held in store.claims(feature, counted=False)
    )


@contextmanager
def given_back(
    context: Any,
    feature: FeatureName,
    store: MetadataStore,
    claim: Claim | None,
    among: Any = None,
) -> Iterator[None]:
    """Where a step of several fails, it gives back its share of what its run holds.

    The other steps go on with theirs. A step that is interrupted gives back everything: its run is
    being stopped.

    Args:
        context: of the step.
        feature: the feature.
        store: the store.
        claim: of the run.
        among: ids of the step's records; None for all of them.
    """
    try:
        yield
    except BaseException as error:
        if claim is not None:
            share = None if isinstance(error, _INTERRUPTIONS) else among
            release(store, claim.owner, context.log.warning, feature, among=share)
        raise


def release(
    store: MetadataStore,
    owner: str,
    log: Log,
    feature: FeatureName | None = None,
    *,
    among: Any = None,
) -> None:
    """Give back what an owner still holds; where the store is locked, it lapses by itself.

    Args:
        store: the store.
        owner: who holds it.
        log: where it is told that it could not be given back.
        feature: of which feature; None for all.
        among: ids of the records, or None for all.
    """
    try:
        store.release_claims(owner, feature, among=among)
    except TransientError as error:
        log(f"{error} What is claimed is free when its time is over.")


def release_finished(context: Any, feature: FeatureName, store: MetadataStore) -> None:
    """Give back what runs hold that Dagster knows to be over, such as killed ones.

    Args:
        context: of the step.
        feature: the feature.
        store: the store.
    """
    held = store.claims(feature, counted=False)
    if not all(claim.live for claim in held):
        store.forget_lapsed_claims()
    for claim in held:
        run_id = claim.owner.partition(" ")[0]
        if not claim.live or run_id == context.run.run_id:
            continue
        run = context.instance.get_run_by_id(run_id)
        if run is not None and run.is_finished:
            context.log.info("%s: what run %s held is free, as it is over.", feature, run.run_id)
            store.release_claims(claim.owner)
