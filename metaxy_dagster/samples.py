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
from metaxy_dagster.increments import IncrementOutput, Log, Tally
from metaxy_dagster.requests import EVERYTHING, Request

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
        request: which of the new and stale ones are written.
    """
    samples = _Samples(feature, store, log, request)
    return IncrementOutput(feature, store, samples.needed(frames), samples.tally, samples.orphaned)


class _Samples:
    """The samples of a root feature as they come, and what is left over when all have come."""

    def __init__(
        self, feature: FeatureName, store: MetadataStore, log: Log, request: Request
    ) -> None:
        self.tally = Tally(request=request)
        self._feature, self._store, self._log = feature, store, log
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
                yield table
                continue
            self._seen.append(pl.DataFrame(table.select(self._ids)))
            request = self.tally.request.after(self.tally.counts.to_process)
            if request.limit == 0:  # the rest is only looked through for what is orphaned
                continue
            increment = request.resolved(self._feature, self._store, table)
            self._increment = increment
            self.tally.add(increment)
            self._log(f"{self._feature}: {self.tally} among the samples so far.")
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
        if len(self._seen) > 1:
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
        if self._increment is None or (request.filters is None and request.among is None):
            return self._store.read(self._feature, columns=self._ids).to_polars()
        return self._increment.orphaned.select(self._ids)

    def _check_disjoint(self, seen: pl.DataFrame) -> None:
        repeated = seen.filter(seen.is_duplicated()).unique(maintain_order=True)
        if repeated.height:
            ids = [row if len(row) > 1 else row[0] for row in repeated.head(_SHOWN).rows()]
            raise DuplicateIds(
                f"The sample frames of '{self._feature}' repeat {repeated.height} id(s), such as "
                f"{', '.join(map(repr, ids))}. Give every record in one frame only; the frames are "
                f"written by now, and orphans were not looked for."
            )
