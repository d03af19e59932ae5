"""One run of an asset is one increment: resolved before the work, and written as the work goes."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import narwhals as nw
import pyarrow as pa

from metaxy_core.errors import DuplicateIds, UnsupportedFrame
from metaxy_core.feature import locate
from metaxy_core.keys import KeyLike
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.catalog import Commit
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.increment import Counts, Increment
from metaxy_core.system_columns import CHANGED_FIELDS, PROVENANCE, PROVENANCE_BY_FIELD
from metaxy_dagster.feature_name import FeatureName

if TYPE_CHECKING:
    import polars as pl

PREVIEW_ROWS: Final = 5

Log = Callable[[str], None]


@dataclass
class Tally:
    """What there was to do, added up over the increments of one run.

    Attributes:
        counts: records of each kind.
        changed: for each field, how many stale records it changed in.
    """

    counts: Counts = field(default_factory=Counts)
    changed: Counter[str] = field(default_factory=Counter)

    def add(self, increment: Increment) -> None:
        """Count an increment."""
        found, before = increment.counts, self.counts
        self.counts = Counts(
            new=before.new + found.new,
            stale=before.stale + found.stale,
            orphaned=found.orphaned,
            blocked=before.blocked + found.blocked,
        )
        if found.stale:
            fields = increment.stale.get_column(CHANGED_FIELDS).explode()
            self.changed.update(fields.to_list())

    def __str__(self) -> str:
        counts = self.counts
        fields = ", ".join(f"{name} {count}" for name, count in sorted(self.changed.items()))
        return (
            f"{counts.new} new, {counts.stale} stale{f' ({fields})' if fields else ''}, "
            f"{counts.orphaned} orphaned, {counts.blocked} blocked"
        )


@dataclass
class IncrementOutput:
    """What an asset's step hands to the IO manager: work that is still being done.

    Attributes:
        feature: the feature.
        store: the open store that the increment came from.
        frames: frames to write, each one a commit; a generator is run while it is written.
        tally: what there is to do; complete when ``frames`` is exhausted.
        orphaned: the orphaned records, to be asked for when ``frames`` is exhausted.
        deletes_orphans: whether they are to be deleted.
        resolved: whether ``tally`` tells what there was to do; otherwise only commits tell.
        opened: what has to be closed at the end.
        started: ``time.monotonic()`` at the beginning.
    """

    feature: FeatureName
    store: MetadataStore
    frames: Iterator[Any]
    tally: Tally
    orphaned: Callable[[], pl.DataFrame | None]
    deletes_orphans: bool = False
    resolved: bool = True
    opened: ExitStack = field(default_factory=ExitStack)
    started: float = field(default_factory=time.monotonic)

    def close(self) -> None:
        """Release the store and the increment's rows."""
        self.frames, self.orphaned = iter(()), lambda: None
        self.opened.close()


@dataclass(frozen=True)
class Outcome:
    """What one run did.

    Attributes:
        tally: what there was to do.
        resolved: whether the tally comes from an increment, or only from the commits.
        commits: the commits written.
        deleted: orphaned records deleted.
        preview: some of the rows written, or None.
        seconds: from the beginning of resolving to the end of writing.
    """

    tally: Tally
    resolved: bool
    commits: tuple[Commit, ...]
    deleted: int
    preview: pa.Table | None
    seconds: float

    @property
    def processed(self) -> int:
        """Records written."""
        return sum(commit.rows for commit in self.commits)


# --------------------------------------------------------------------------- before the work


def increment_output(
    feature: FeatureName,
    store: MetadataStore,
    samples: Any,
    work: Callable[[Increment], Any],
    log: Log,
) -> IncrementOutput:
    """Resolve a feature and let ``work`` compute its new and stale records, if there are any.

    Args:
        feature: the feature.
        store: the store, which has to stay open until the output is written.
        samples: every record that should exist, for a root feature.
        work: gives a frame, several, or a generator of frames.
        log: where the plan is told before the work begins.
    """
    started = time.monotonic()
    increment, tally = store.resolve_update(feature, samples), Tally()
    tally.add(increment)
    log(_plan_text(feature, tally))
    frames = frames_of(feature, work(increment)) if increment.counts.to_process else iter(())
    return IncrementOutput(
        feature, store, frames, tally, lambda: increment.orphaned, started=started
    )


def samples_output(
    feature: FeatureName, store: MetadataStore, frames: Iterable[Any], log: Log
) -> IncrementOutput:
    """Write the new and stale ones among the samples of a root feature, frame by frame.

    Args:
        feature: the root feature.
        store: the store, which has to stay open until the output is written.
        frames: frames of samples which together are every record that should exist. Frames that
            carry an increment's provenance are written as they are.
        log: where the plan of each frame is told before it is written.
    """
    samples = _Samples(feature, store, log)
    return IncrementOutput(feature, store, samples.needed(frames), samples.tally, samples.orphaned)


def given_output(
    feature: FeatureName, store: MetadataStore, value: Any, log: Log
) -> IncrementOutput:
    """Write what an asset computed on its own; the samples of a root are compared first."""
    frames = frames_of(feature, value)
    if feature.plan.is_root:
        output = samples_output(feature, store, frames, log)
        output.resolved = False
        return output
    return IncrementOutput(feature, store, frames, Tally(), lambda: None, resolved=False)


class _Samples:
    """The samples of a root feature as they come, and what is left over when all have come."""

    def __init__(self, feature: FeatureName, store: MetadataStore, log: Log) -> None:
        self.tally = Tally()
        self._feature, self._store, self._log = feature, store, log
        self._ids = list(feature.spec.id_columns)
        self._seen: list[pl.DataFrame] = []
        self._increment: Increment | None = None

    def needed(self, frames: Iterable[Any]) -> Iterator[Any]:
        """The new and stale ones of each frame."""
        import polars as pl

        for frame in frames:
            table = to_arrow(self._feature.key, frame)
            if PROVENANCE in table.column_names and PROVENANCE_BY_FIELD in table.column_names:
                yield table
                continue
            increment = self._store.resolve_update(self._feature, table)
            self._increment = increment
            self._seen.append(pl.DataFrame(table.select(self._ids)))
            self.tally.add(increment)
            self._log(_plan_text(self._feature, self.tally))
            if increment.counts.to_process:
                yield pl.concat([increment.new, increment.stale.drop(CHANGED_FIELDS)])
        self._check_disjoint()

    def orphaned(self) -> pl.DataFrame | None:
        """Stored records that are in none of the frames; None where no samples came."""
        if self._increment is None:
            return None
        if len(self._seen) == 1:
            return self._increment.orphaned
        import polars as pl

        stored = self._store.read(self._feature, columns=self._ids).to_polars()
        seen = pl.concat(self._seen, how="vertical_relaxed").cast(stored.schema)
        left = stored.join(seen, on=self._ids, how="anti")
        counts = self.tally.counts
        self.tally.counts = Counts(counts.new, counts.stale, left.height, counts.blocked)
        return left

    def _check_disjoint(self) -> None:
        import polars as pl

        if len(self._seen) < 2:  # noqa: PLR2004 - one frame was checked when it was resolved
            return
        seen = pl.concat(self._seen, how="vertical_relaxed")
        repeated = seen.filter(seen.is_duplicated()).unique(maintain_order=True)
        if repeated.height:
            ids = [row if len(row) > 1 else row[0] for row in repeated.head(6).rows()]
            raise DuplicateIds(
                f"The sample frames of '{self._feature}' repeat {repeated.height} id(s), such as "
                f"{', '.join(map(repr, ids))}. Yield every record in one frame only; the frames "
                f"before this check are written."
            )


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


def _is_frame(value: Any) -> bool:
    if isinstance(value, (pa.RecordBatch, pa.RecordBatchReader, nw.DataFrame, nw.LazyFrame)):
        return True
    return nw.from_native(value, pass_through=True) is not value


def _plan_text(feature: FeatureName, tally: Tally) -> str:
    text = f"{feature}: {tally}."
    if tally.counts.blocked:
        upstream = ", ".join(str(dep.feature) for dep in feature.plan.deps)
        text += f" Blocked records wait until {upstream} is recomputed by its current code."
    return text


# --------------------------------------------------------------------------- the work and after


def written(output: IncrementOutput, materialization_id: str, log: Log) -> Outcome:
    """Write the frames as they come, each one a commit, then delete orphans where asked to.

    An exception in a generator leaves the commits before it in the store.
    """
    commits: list[Commit] = []
    preview: pa.Table | None = None
    for frame in output.frames:
        table = to_arrow(output.feature.key, frame)
        commit = output.store.write(output.feature, table, materialization_id=materialization_id)
        if commit is not None:
            commits.append(commit)
            preview = table.slice(0, PREVIEW_ROWS)
            log(f"{output.feature}: commit {commit.id} with {commit.rows} records.")
    orphaned = output.orphaned()
    deletion = None
    if output.deletes_orphans and orphaned is not None and orphaned.height:
        deletion = output.store.delete(
            output.feature, orphaned, materialization_id=materialization_id
        )
    return Outcome(
        tally=output.tally if output.resolved else _tally_of(commits, output.tally),
        resolved=output.resolved,
        commits=tuple(commits),
        deleted=0 if deletion is None else deletion.rows,
        preview=preview,
        seconds=time.monotonic() - output.started,
    )


def _tally_of(commits: Iterable[Commit], found: Tally) -> Tally:
    rows = [(commit.rows - commit.superseded, commit.superseded) for commit in commits]
    counts = Counts(new=sum(new for new, _ in rows), stale=sum(stale for _, stale in rows))
    return Tally(counts, found.changed)


def data_version(store: MetadataStore, feature: KeyLike) -> dg.DataVersion:
    """A version of a feature's whole state: any commit changes it, and nothing else does.

    It is made of the feature's key and its newest commit; the time of the commit keeps a store
    that was made anew from passing for the old one.

    Args:
        store: the store.
        feature: the feature.
    """
    (_, key), last = locate(feature), store.history(feature).last
    state = str(key) if last is None else f"{key} {last.id} {last.created_at.isoformat()}"
    return dg.DataVersion(hashlib.sha256(state.encode()).hexdigest()[:16])
