"""One run of an asset is one increment: resolved before the work, and written as the work goes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import pyarrow as pa

from metaxy_core.errors import UnsupportedFrame
from metaxy_core.keys import FeatureKey
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.commit_sets import CommitSet
from metaxy_core.store.commits import Commit
from metaxy_core.store.increment import Counts, Increment
from metaxy_core.system_columns import PROVENANCE
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.previews import increment_preview
from metaxy_dagster.requests import EVERYTHING, Request
from metaxy_dagster.slices import Slice

if TYPE_CHECKING:
    import polars as pl

Log = Callable[[str], None]

_FETCHED: Final = 100_000
"""Rows fetched at a time, where ids and provenance of all are wanted."""

_MOST_PASSES: Final = 4
"""Records that change upstream faster than they are computed are left to another run."""


@dataclass
class Tally:
    """What there was to do, added up over the increments of one run.

    Attributes:
        counts: records of each kind.
        changed: for each field, how many stale records it changed in.
        claimed: how many more new and stale records other runs hold.
        resolved: whether increments were counted; otherwise only commits tell what was done.
        preview: the first records there were to do, as Markdown, or None.
        request: the part of the increments that was looked at.
    """

    counts: Counts = field(default_factory=Counts)
    changed: Counter[str] = field(default_factory=Counter)
    claimed: int = 0
    resolved: bool = True
    preview: str | None = None
    request: Request = EVERYTHING

    def add(self, increment: Increment) -> None:
        """Count an increment; what is orphaned, or claimed by others, is that of the last one."""
        found, before = increment.counts, self.counts
        self.counts = Counts(
            new=before.new + found.new,
            stale=before.stale + found.stale,
            orphaned=found.orphaned,
            blocked=before.blocked + found.blocked,
        )
        self.claimed = increment.claimed
        self.changed.update(increment.changes)
        self.preview = self.preview or increment_preview(increment)

    def add_again(self, increment: Increment) -> None:
        """Count records that have to be computed again in the same run."""
        found, before = increment.counts, self.counts
        self.counts = replace(before, new=before.new + found.new, stale=before.stale + found.stale)
        self.changed.update(increment.changes)

    def __str__(self) -> str:
        fields = ", ".join(f"{name} {count}" for name, count in sorted(self.changed.items()))
        return f"{self.counts.new} new, {self.counts.stale} stale{f' ({fields})' if fields else ''}"


@dataclass(frozen=True)
class Children:
    """A frame of an expansion's records, with the parents that it covers.

    Return or yield it where a parent may have no child: such a parent is then remembered, and does
    not come back with the next increment.

    Attributes:
        frame: the children.
        processed: the increment's rows of all parents that were processed.

    Example:
        >>> import polars as pl
        >>> parents = pl.DataFrame({"video_id": ["a", "b"]})
        >>> chunks = pl.DataFrame({"video_id": ["a"], "chunk": [0]})
        >>> Children(chunks, processed=parents).frame.height
        1
    """

    frame: Any
    processed: Any


@dataclass
class IncrementOutput:
    """What an asset's step hands to the IO manager: work that is still being done.

    Attributes:
        feature: the feature.
        store: the open store that the increment came from.
        frames: frames to write, each one a commit; a generator is run while it is written.
        tally: what there is to do; complete when ``frames`` is exhausted.
        orphaned: gives the orphaned records, when ``frames`` is exhausted.
        deletes_orphans: whether they are to be deleted.
        done: what remains to be done when all is written and told.
        opened: what has to be closed at the end.
        started: ``time.monotonic()`` at the beginning.
        commits: what other steps wrote before.
        metadata: further metadata of the materialization.
    """

    feature: FeatureName
    store: MetadataStore
    frames: Iterator[Any]
    tally: Tally = field(default_factory=Tally)
    orphaned: Callable[[], pl.DataFrame | None] = lambda: None
    deletes_orphans: bool = False
    done: Callable[[], object] = lambda: None
    opened: ExitStack = field(default_factory=ExitStack)
    started: float = field(default_factory=time.monotonic)
    commits: Sequence[Commit] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def part(self) -> Slice:
        """The slice that the work is about."""
        return self.tally.request.part

    def close(self) -> None:
        """Release the store and the increment's rows."""
        self.frames, self.orphaned = iter(()), lambda: None
        self.opened.close()


def increment_output(
    feature: FeatureName,
    store: MetadataStore,
    samples: Any,
    request: Request,
    work: Callable[[Increment], Any],
    log: Log,
) -> IncrementOutput:
    """Resolve a feature and let ``work`` compute its new and stale records, if there are any.

    Args:
        feature: the feature.
        store: the store, which has to stay open until the output is written.
        samples: every record that should exist, for a root feature.
        request: which part of the increment is handled.
        work: gives a frame, several, or a generator of frames.
        log: where the plan is told before the work begins.
    """
    seen = _upstream_commits(feature, store)
    increment, tally = request.resolved(feature, store, samples), Tally(request=request)
    tally.add(increment)
    log(plan_text(feature, tally))
    log_preview(feature, tally, log)
    frames: Iterator[Any] = iter(())
    if increment.counts.to_process:
        redone = _changed_meanwhile(feature, store, increment, tally, seen, work, log)
        frames = chain(frames_of(feature, work(increment)), redone)
    frames = owned(feature, frames, request.part)
    return IncrementOutput(feature, store, frames, tally, lambda: increment.orphaned)


def _changed_meanwhile(
    feature: FeatureName,
    store: MetadataStore,
    increment: Increment,
    tally: Tally,
    seen: Mapping[FeatureKey, CommitSet],
    work: Callable[[Increment], Any],
    log: Log,
) -> Iterator[Any]:
    """Frames of those records that changed upstream while they were computed, computed again.

    Whoever was started by such a change was not given them, as this run held them; or it was, and
    what this run wrote after it is older. So nobody else would ask for them. A record that was
    written is anybody's: so it is claimed anew, and left to whoever took it meanwhile.
    """
    request = replace(tally.request, limit=None, force=None, is_held=False)
    for _ in range(_MOST_PASSES):
        before, seen = seen, _upstream_commits(feature, store)
        if seen == before:
            return
        former = increment
        increment = replace(request, among=former.ids).resolved(feature, store, None)
        changed = _with_other_provenance(feature, increment, former)
        if not changed.height:
            return
        if changed.height < increment.counts.to_process:  # the function left the others out
            increment = replace(request, among=changed).resolved(feature, store, None)
        tally.add_again(increment)
        log(
            f"{feature}: {increment.counts.to_process} records changed upstream while they were "
            f"computed; they are computed again."
        )
        yield from frames_of(feature, work(increment))


def _with_other_provenance(
    feature: FeatureName, increment: Increment, former: Increment
) -> pl.DataFrame:
    """The ids of records that are to be computed from something else than they were before."""
    import polars as pl

    grain = list(feature.plan.grain)
    if not increment.counts.to_process:
        return increment.ids
    now, then = (
        pl.concat([rows.select(*grain, PROVENANCE) for rows in each.batches(_FETCHED)])
        for each in (increment, former)
    )
    return now.join(then, on=[*grain, PROVENANCE], how="anti").select(grain)


def _upstream_commits(feature: FeatureName, store: MetadataStore) -> Mapping[FeatureKey, CommitSet]:
    return store.commit_sets(*deps) if (deps := feature.upstream) else {}


def frames_of(feature: FeatureName, value: Any) -> Iterator[Any]:
    """The frames in what a function returned: none, one, or those of an iterable or generator.

    Raises:
        UnsupportedFrame: the value is neither a frame nor an iterable.
    """
    if value is None:
        return iter(())
    if _is_frame(value):
        return iter((value,))
    if not isinstance(value, Iterable):
        raise UnsupportedFrame.from_object(feature.key, value)
    return (frame for frame in value if frame is not None)


def owned(feature: FeatureName, frames: Iterator[Any], part: Slice) -> Iterator[Any]:
    """Frames to write, each of which has to be in the slice; ``Children`` keep their parents.

    Raises:
        OutsideOfSlice: rows of a frame belong to other slices; the frames before it are written.
    """
    for frame in frames:
        if isinstance(frame, Children):
            yield Children(part.of_output(feature, frame.frame), frame.processed)
        else:
            yield part.of_output(feature, frame)


_FRAMES = (Children, pa.RecordBatch, pa.RecordBatchReader, nw.DataFrame, nw.LazyFrame)


def _is_frame(value: Any) -> bool:
    if isinstance(value, _FRAMES):
        return True
    return nw.from_native(value, pass_through=True) is not value


def log_preview(feature: FeatureName, tally: Tally, log: Log) -> None:
    """Tell the first records there are to do, if there are any."""
    if tally.preview is not None:
        log(f"{feature}, first records to do:\n\n{tally.preview}")


def plan_text(feature: FeatureName, tally: Tally) -> str:
    """What a run is going to do, for its log."""
    counts = tally.counts
    text = f"{feature}: {tally}, {counts.orphaned} orphaned, {counts.blocked} blocked."
    if tally.claimed:
        text += f" Other runs hold {tally.claimed} further records."
    if str(tally.request):
        text += f" This run handles: {tally.request}."
    if counts.blocked:
        upstream = ", ".join(str(dep.feature) for dep in feature.plan.deps)
        text += f" Blocked records wait until {upstream} is recomputed by its current code."
    return text
