"""A root's function gives samples, perhaps in many frames; here the new and stale are found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from metaxy_core.errors import DuplicateIds
from metaxy_core.store.base import MetadataStore
from metaxy_core.store.frames import to_arrow
from metaxy_core.store.increment import Increment
from metaxy_core.system_columns import CHANGED_FIELDS, PROVENANCE, PROVENANCE_BY_FIELD
from metaxy_dagster.feature_name import FeatureName
from metaxy_dagster.increments import IncrementOutput, Log, Tally, log_preview
from metaxy_dagster.requests import EVERYTHING, Request
from metaxy_dagster.slices import WHOLE
from metaxy_dagster.slicing import stored_ids

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 5


def samples_output(
    feature: FeatureName,
    store: MetadataStore,
    frames: Iterable[Any],
    log: Log,
    request: Request = EVERYTHING,
) -> IncrementOutput:
    """Write the new and stale ones among the samples of a root feature, frame by frame.

    Args:
        feature: the root feature.
        store: the store, which has to stay open until the output is written.
        frames: frames of samples which together are every record that should exist. Frames that
            carry an increment's provenance are written as they are.
        log: where it is told what each frame brings before it is written.
        request: which of the samples are looked at, and which of the new and stale ones written.
    """
    samples = _Samples(feature, store, log, request)
    return IncrementOutput(feature, store, samples.needed(frames), samples.tally, samples.orphaned)


class _Samples:
    """The samples of a root feature as they come, and what is left over when all have come."""

    def __init__(
        self, feature: FeatureName, store: MetadataStore, log: Log, request: Request
    ) -> None:
        self.tally = Tally(request=request)
        self._feature, self._store, self._log, self._part = feature, store, log, request.part
        self._ids = list(feature.spec.id_columns)
        self._seen: list[pl.DataFrame] = []
        self._increment: Increment | None = None
        self._left: pl.DataFrame | None = None

    def needed(self, frames: Iterable[Any]) -> Iterator[Any]:
        """The new and stale ones of each frame."""
        import polars as pl

        for frame in frames:
            table = to_arrow(self._feature.key, frame)
            if PROVENANCE in table.column_names and PROVENANCE_BY_FIELD in table.column_names:
                self.tally.resolved = False
                yield self._part.of_output(self._feature, table)
                continue
            table = to_arrow(self._feature.key, self._part.of_samples(self._feature, table))
            self._seen.append(pl.DataFrame(table.select(self._ids)))
            found = self.tally.counts.to_process
            request = replace(self.tally.request.after(found), part=WHOLE)  # they are in it
            if request.limit == 0:  # the rest is only looked through for what is orphaned
                continue
            increment = request.resolved(self._feature, self._store, table)
            is_first = self.tally.preview is None
            self._increment = increment
            self.tally.add(increment)
            self._log(f"{self._feature}: {self.tally} among the samples so far.")
            if is_first:
                log_preview(self._feature, self.tally, self._log)
            if increment.counts.to_process:
                yield pl.concat([increment.new, increment.stale.drop(CHANGED_FIELDS)])
        self._add_up()

    def orphaned(self) -> pl.DataFrame | None:
        """Stored records that are in none of the frames; None where no samples came."""
        if self._left is None and self._increment is not None:
            return self._increment.orphaned
        return self._left

    def _add_up(self) -> None:
        """Only all frames together tell what is orphaned; a single one has told it already."""
        if len(self._seen) > 1 or (self._part and self._seen):
            import polars as pl

            seen = pl.concat(self._seen, how="vertical_relaxed")
            self._check_disjoint(seen)
            stored = self._stored()
            self._left = stored.join(seen.cast(stored.schema), on=self._ids, how="anti")
            self.tally.counts = replace(self.tally.counts, orphaned=self._left.height)
        self._log(f"{self._feature}: {self.tally.counts.orphaned} orphaned.")

    def _stored(self) -> pl.DataFrame:
        """The ids among which orphans are; of a part of the records only the comparison knows."""
        request = self.tally.request
        stored = stored_ids(self._store, self._feature, self._part)
        if self._increment is None or (request.filters is None and request.among is None):
            return stored
        orphaned = self._increment.orphaned.select(self._ids)
        return orphaned.join(stored, on=self._ids, how="semi")

    def _check_disjoint(self, seen: pl.DataFrame) -> None:
        repeated = seen.filter(seen.is_duplicated()).unique(maintain_order=True)
        if repeated.height:
            ids = [row if len(row) > 1 else row[0] for row in repeated.head(_SHOWN).rows()]
            raise DuplicateIds(
                f"The sample frames of '{self._feature}' repeat {repeated.height} id(s), such as "
                f"{', '.join(map(repr, ids))}. Give every record in one frame only; the frames are "
                f"written by now, and orphans were not looked for."
            )
