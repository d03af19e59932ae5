"""What a run wrote and deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from metaxy_core.store.commits import Commit
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.increment import Counts
from metaxy_dagster.increments import Children, IncrementOutput, Log, Tally
from metaxy_dagster.previews import PREVIEW_ROWS

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Outcome:
    """What one run did.

    Attributes:
        tally: what there was to do.
        commits: the commits written.
        deleted: orphaned records deleted.
        preview: some of the rows written, or None.
        seconds: from the beginning of resolving to the end of writing.
        metadata: further metadata of the materialization.
    """

    tally: Tally
    commits: tuple[Commit, ...]
    deleted: int
    preview: pa.Table | None
    seconds: float
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def processed(self) -> int:
        """Records written."""
        return sum(commit.rows for commit in self.commits)


def written(output: IncrementOutput, materialization_id: str, log: Log) -> Outcome:
    """Write the frames as they come, each one a commit, then delete orphans where asked to.

    An exception in a generator leaves the commits before it in the store.

    Args:
        output: the work.
        materialization_id: the run, for the records' history.
        log: where each commit is told.
    """
    commits = list(output.commits)
    preview: pa.Table | None = None
    for frame in output.frames:
        rows, processed = _children(frame)
        table = to_arrow(output.feature.key, rows)
        commit = output.store.write(
            output.feature, table, processed=processed, materialization_id=materialization_id
        )
        if commit is not None:
            commits.append(commit)
            preview = table.slice(0, PREVIEW_ROWS) if table.num_rows else preview
            log(f"{output.feature}: commit {commit.id} with {commit.rows} records.")
    return Outcome(
        tally=output.tally if output.tally.resolved else _tally_of(commits, output.tally),
        commits=tuple(commits),
        deleted=_delete_orphans(output, materialization_id),
        preview=preview,
        seconds=time.monotonic() - output.started,
        metadata=output.metadata,
    )


def _children(frame: Any) -> tuple[Any, Any]:
    """A frame, and the parents that it covers where it says so."""
    return (frame.frame, frame.processed) if isinstance(frame, Children) else (frame, None)


def _delete_orphans(output: IncrementOutput, materialization_id: str) -> int:
    if not output.deletes_orphans or not output.tally.counts.orphaned:
        return 0
    commit = output.store.delete(
        output.feature, output.orphaned(), materialization_id=materialization_id
    )
    return 0 if commit is None else commit.rows


def _tally_of(commits: Sequence[Commit], found: Tally) -> Tally:
    stale = sum(commit.superseded for commit in commits)
    new = sum(commit.rows for commit in commits) - stale
    return replace(found, counts=Counts(new=new, stale=stale), resolved=False)
