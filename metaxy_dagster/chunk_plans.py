"""The plan of a chunked run is found again by its steps, and by the runs that re-execute it."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from metaxy_core import system_columns as sc
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.batches import Batch
from metaxy_core.store.commits import Commit
from metaxy_core.store.increment import Counts, Increment
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.filtering import all_of
from metaxy_dagster.increments import Tally
from metaxy_dagster.requests import Request
from metaxy_dagster.run_claims import owner_of
from metaxy_dagster.slices import Slice

KEPT: Final = dt.timedelta(days=7)
"""How long a run that failed may still be executed again from where it failed."""

_RUN: Final = "run "


@dataclass(frozen=True)
class ChunkPlan:
    """Which records the chunks of an asset hold, and which runs work on them.

    Attributes:
        feature: the feature.
        name: name of the plan in the store.
        runs: the run that planned, and those that re-executed it, up to the present one.
        batches: the chunks.
    """

    feature: FeatureName
    name: str
    runs: tuple[str, ...]
    batches: tuple[Batch, ...]

    @property
    def seconds(self) -> float:
        """How long ago it was made."""
        if not self.batches:
            return 0.0
        return (dt.datetime.now(dt.UTC) - self.planned_at).total_seconds()

    @property
    def planned_at(self) -> dt.datetime:
        """When it was made; where it has batches."""
        return self.batches[0].planned_at

    def commits(self, store: MetadataStore, part: Slice) -> tuple[Commit, ...]:
        """What its runs wrote, oldest first.

        Args:
            store: the store.
            part: the slice that the asset holds; another asset's commits may be of the same run.
        """
        made = [
            each for each in store.commits(self.feature) if each.materialization_id in self.runs
        ]
        if part and made:
            since = all_of(part.filters, f"metaxy_commit >= {made[-1].id}")
            rows = store.read(self.feature, columns=[sc.COMMIT], filters=since, history=True)
            own = set(rows.to_arrow()[sc.COMMIT].unique().to_pylist())
            made = [each for each in made if each.id in own]
        return tuple(reversed(made))

    def tally(self, request: Request, left: Increment) -> Tally:
        """What there was to do.

        Args:
            request: what the run was asked for.
            left: the increment after all chunks.
        """
        note = self._note
        counts = Counts(
            new=note.get("new", 0),
            stale=note.get("stale", 0),
            orphaned=left.counts.orphaned,
            blocked=left.counts.blocked,
        )
        return Tally(counts, Counter(note.get("changed", {})), request=request)

    @property
    def inputs(self) -> dict[str, str]:
        """What a materialization tells of the assets upstream, as they were when it was made."""
        return dict(self._note.get("inputs", {}))

    @property
    def _note(self) -> dict[str, Any]:
        note: dict[str, Any] = json.loads(self.batches[0].note) if self.batches else {}
        return note


def keep_plan(
    context: Any,
    store: MetadataStore,
    feature: FeatureName,
    increment: Increment,
    *,
    size: int,
    inputs: Mapping[str, str],
) -> ChunkPlan:
    """Divide an increment into chunks.

    Args:
        context: of the step.
        store: the store.
        feature: the feature.
        increment: what there is to do.
        size: records in a chunk.
        inputs: what is told of the assets upstream, as they were before the increment was resolved.
    """
    name = _plan_name(context.run.run_id, context)
    _forget_former(context, store, feature)
    found = increment.counts
    note = {
        "new": found.new,
        "stale": found.stale,
        "changed": increment.changes,
        "inputs": dict(inputs),
    }
    batches = store.plan_batches(feature, name, increment.ids, size=size, note=json.dumps(note))
    return ChunkPlan(feature, name, (context.run.run_id,), batches)


def find_plan(context: Any, store: MetadataStore, feature: FeatureName) -> ChunkPlan:
    """The plan of this run, or of the one that it re-executes; an empty one where there is none."""
    runs: list[str] = []
    for run_id in _run_and_ancestors(context):
        runs.insert(0, run_id)
        name = _plan_name(run_id, context)
        batches = store.batches(feature, name)
        if batches:
            return ChunkPlan(feature, name, tuple(runs), batches)
    return ChunkPlan(feature, _plan_name(context.run.run_id, context), (context.run.run_id,), ())


def _forget_former(context: Any, store: MetadataStore, feature: FeatureName) -> None:
    """Drop plans that this one replaces, and those that nobody came back to."""
    replaced = {_plan_name(run_id, context) for run_id in _run_and_ancestors(context)}
    oldest = dt.datetime.now(dt.UTC) - KEPT
    for name, planned_at in {b.plan: b.planned_at for b in store.batches(feature)}.items():
        if name in replaced or (name.startswith(_RUN) and planned_at < oldest):
            store.forget_batches(feature, name)


def _run_and_ancestors(context: Any) -> Iterator[str]:
    """This run, the run that it re-executes, the one that that one did, and so on."""
    run = context.run
    while run is not None:
        yield run.run_id
        parent = run.parent_run_id
        run = None if parent is None else context.instance.get_run_by_id(parent)


def _plan_name(run_id: str, context: Any) -> str:
    """Several assets may feed one feature, in one run too."""
    return f"{_RUN}{owner_of(run_id, context)}"
