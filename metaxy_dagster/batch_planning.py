"""What has to be done is divided into batches that partitions stand for, one tick after another.

The plan is in the store, so that a tick can be cut off anywhere: the next one finds the batches
that were planned and never launched, and a record that a batch holds is planned in no other.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from metaxy_core.store.base import MetadataStore
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.slices import WHOLE, Slice
from metaxy_dagster.slicing import like, others, resolved


@dataclass(frozen=True)
class PlannedBatches:
    """The batches of a feature, after a tick looked at them.

    Attributes:
        open: keys of the batches that still hold work, or are worked on.
        closed: keys of those that were forgotten: their records are settled, or planned anew.
        waiting: how many new and stale records are in no batch.
    """

    open: tuple[str, ...]
    closed: tuple[str, ...]
    waiting: int


def state_of(feature: FeatureName, store: MetadataStore) -> str:
    """A text that differs whenever there may be other work: of commits and definitions.

    Args:
        feature: the feature.
        store: the store; only its catalog is read.
    """
    return _state(feature, store, [feature, *feature.upstream])


def _state(feature: FeatureName, store: MetadataStore, of: Sequence[FeatureName]) -> str:
    sets = store.commit_sets(*of)
    said = [(found.newest, found.commits, found.records) for found in sets.values()]
    return hashlib.sha256(repr((feature.versions.feature, said)).encode()).hexdigest()[:16]


def planned_batches(
    feature: FeatureName,
    store: MetadataStore,
    plan: str,
    *,
    size: int,
    most: int,
    part: Slice = WHOLE,
    running: Sequence[str] = (),
    succeeded: Sequence[str] = (),
    withheld: Sequence[str] = (),
) -> PlannedBatches:
    """Forget the batches that are settled, and plan further ones while there is room.

    A batch whose run succeeded and whose records changed since is planned anew, under another key:
    its own is not launched again. So is one whose run was not given all of its records. It is not
    where nothing came from upstream since it was planned, since then its run left those records
    out, and would do so again.

    Args:
        feature: the feature.
        store: the store.
        plan: name of the plan.
        size: records in a batch.
        most: how many batches there may be at one time.
        part: the slice that the records are in.
        running: keys of the batches that are being worked on, and so are kept.
        succeeded: keys of the batches that have a run which succeeded.
        withheld: keys of those whose run succeeded and was not given all records, which nobody else
            works on.
    """
    upstream = _state(feature, store, feature.upstream)
    work = resolved(store, feature, None, part).ids
    batches = store.batches(feature, plan)
    known = [batch.key for batch in batches]
    changed = {batch.key for batch in batches if batch.note != upstream} & set(succeeded)
    anew = changed.union(withheld)
    kept = {*running, *(_unsettled(feature, store, plan, work) - anew)}
    closed = [key for key in known if key not in kept]
    if closed:
        store.forget_batches(feature, plan, closed)
    opened = [key for key in known if key in kept]
    if len(opened) < most and work.height:
        room = most - len(opened)
        prefix = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}-"
        store.plan_batches(feature, plan, work, size=size, most=room, prefix=prefix, note=upstream)
    batches = store.batches(feature, plan)
    return PlannedBatches(
        open=tuple(batch.key for batch in batches),
        closed=tuple(closed),
        waiting=_waiting(feature, store, plan, work),
    )


def _unsettled(feature: FeatureName, store: MetadataStore, plan: str, work: Any) -> set[str]:
    """The batches one of whose records is still new or stale."""
    planned = store.planned_ids(feature, plan)
    if not planned.height:
        return set()
    left = planned.join(like(work, planned), on=feature.plan.grain, how="semi")
    return set(left["metaxy_batch"])


def _waiting(feature: FeatureName, store: MetadataStore, plan: str, work: Any) -> int:
    return others(work, store.planned_ids(feature, plan), feature).height
