"""An increment answers "what has to be done", computed once and fetched as it is needed."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from metaxy_core import system_columns as sc
from metaxy_core.compat import IncrementNames
from metaxy_core.engine import compare
from metaxy_core.errors import InvalidWrite, StoreClosed
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.store.backends.base import Backend

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True)
class Counts:
    """How many records an increment holds of each kind.

    Attributes:
        new: expected, not stored.
        stale: stored, computed from other versions than the current ones.
        orphaned: stored, no longer expected.
        blocked: expected, but something upstream has to be recomputed first.
    """

    new: int = 0
    stale: int = 0
    orphaned: int = 0
    blocked: int = 0

    @property
    def to_process(self) -> int:
        """Records that have to be computed now: new and stale."""
        return self.new + self.stale

    def __bool__(self) -> bool:
        return bool(self.new or self.stale or self.orphaned or self.blocked)


class Increment(IncrementNames):
    """The records of one feature that are new, stale or orphaned, from one snapshot of the store.

    The rows stay in the store's connection until they are fetched; ``counts`` fetches none. Rows of
    ``new`` and ``stale`` carry the id columns, the columns the deps select, and the provenance that
    ``store.write`` wants back (``metaxy_provenance_by_field``, ``metaxy_provenance``,
    ``metaxy_feature_version``). Rows of
    ``stale`` also carry ``metaxy_changed_fields``, the list of own fields that changed. Rows of
    ``orphaned`` are the stored records.

    Attributes:
        feature: key of the feature.
        counts: how many records of each kind there are.
        failed: how many more are new or stale, but left out by ``max_attempts``.
        claimed: how many more are new or stale, but left out because another owner's claim holds
            them; 0 where no ``claim`` was given.
    """

    def __init__(
        self,
        plan: FeaturePlan,
        feature_version: str,
        backend: Backend,
        *,
        rows: ir.Table,
        orphaned: ir.Table | None = None,
        counts: Counts,
        failed: int = 0,
        claimed: int = 0,
        kept: Sequence[ir.Table] = (),
        empty: pa.Schema | None = None,
    ) -> None:
        self.feature: FeatureKey = plan.key
        self.counts = counts
        self.failed = failed
        self.claimed = claimed
        self._plan = plan
        self._feature_version = feature_version
        self._backend = backend
        self._rows = rows
        self._empty = empty
        self._orphaned = orphaned
        self._release = weakref.finalize(self, _drop, backend, kept)

    def __repr__(self) -> str:
        return f"Increment({str(self.feature)!r}, {self.counts})"

    @property
    def blocked(self) -> int:
        """How many records wait until something upstream is recomputed."""
        return self.counts.blocked

    @cached_property
    def new(self) -> pl.DataFrame:
        """Records to compute for the first time."""
        return self._frame(compare.NEW)

    @cached_property
    def stale(self) -> pl.DataFrame:
        """Records to compute again, with ``metaxy_changed_fields``."""
        return self._frame(compare.STALE)

    @cached_property
    def orphaned(self) -> pl.DataFrame:
        """Stored records that nothing calls for any more; give them to ``store.delete``."""
        import polars as pl

        from metaxy_core.store.reading import presented

        self._check_open()
        if self._orphaned is None:
            return self._frame(compare.ORPHANED).select(self._plan.grain)
        rows = self._backend.fetch(self._backend.sql(lambda: self._orphaned))
        return pl.DataFrame(presented(self._plan.definition, rows))

    @cached_property
    def ids(self) -> pl.DataFrame:
        """The ids of new and stale records, in order; of an expansion, those of the parents."""
        import polars as pl

        self._check_open()
        if self._empty is not None:
            return pl.DataFrame(self._empty.empty_table().select(list(self._plan.grain)))
        key = ("ids", self._plan.grain, self._rows.get_name(), self._rows.schema())
        sql = self._backend.sql(lambda: compare.to_process(self._plan, self._rows), key)
        return pl.DataFrame(self._backend.fetch(sql))

    @cached_property
    def changes(self) -> dict[str, int]:
        """For each field that changed, in how many stale records; no row is fetched for it."""
        if not self.counts.stale:
            return {}
        self._check_open()
        key = ("changes", self._rows.get_name(), self._rows.schema())
        sql = self._backend.sql(lambda: compare.changes(self._plan, self._rows), key)
        (found,) = self._backend.fetch(sql).to_pylist()
        counts = {str(each.key): int(found[sc.changed(each.key)]) for each in self._plan.fields}
        return {name: count for name, count in counts.items() if count}

    def batches(self, size: int = 1_000) -> Iterator[pl.DataFrame]:
        """New and stale records together, in frames of at most ``size`` rows, streamed.

        Args:
            size: rows per frame.

        Yields:
            Frames like ``stale``; on new records ``metaxy_changed_fields`` names every field.
        """
        import polars as pl

        if type(size) is not int or size < 1:
            raise InvalidWrite.from_argument("size", size, "a whole number of rows from 1")
        self._check_open()
        if not self.counts.to_process:
            return
        wanted = self._rows.filter(self._rows[sc.STATUS].isin([compare.NEW, compare.STALE])).drop(
            sc.STATUS
        )
        for batch in self._backend.stream(self._backend.sql(lambda: wanted), size):
            if batch.num_rows:
                yield pl.DataFrame(self._presented(batch, changed=True))

    @property
    def kept(self) -> ir.Table:
        """The rows with their status, as the store keeps them."""
        return self._rows

    def reduced(self, rows: ir.Table, counts: Counts, claimed: int) -> Increment:
        """The same increment of fewer rows; this one gives its orphans away and is closed.

        Args:
            rows: the rows that stay, kept in the backend.
            counts: how many of each kind these are.
            claimed: how many went because of claims.
        """
        self._check_open()
        self._release.detach()
        self._backend.drop(self._rows)
        kept = [rows] if self._orphaned is None else [rows, self._orphaned]
        return Increment(
            self._plan,
            self._feature_version,
            self._backend,
            rows=rows,
            orphaned=self._orphaned,
            counts=counts,
            failed=self.failed,
            claimed=claimed,
            kept=kept,
        )

    def close(self) -> None:
        """Release the rows before the object goes; frames already fetched stay."""
        self._release()

    def _check_open(self) -> None:
        if not self._release.alive:
            raise StoreClosed(
                f"The increment of '{self.feature}' is closed; fetch its frames before, or resolve "
                f"'{self.feature}' again."
            )

    def _frame(self, status: int) -> pl.DataFrame:
        import polars as pl

        self._check_open()
        counts = {compare.NEW: self.counts.new, compare.STALE: self.counts.stale}
        if self._empty is not None and not counts.get(status):
            rows = self._empty.empty_table()
        else:
            key = ("status", status, self._rows.get_name(), self._rows.schema())
            sql = self._backend.sql(lambda: compare.with_status(self._rows, status), key)
            rows = self._backend.fetch(sql)
            self._empty = rows.schema
        return pl.DataFrame(self._presented(rows, changed=status == compare.STALE))

    def _presented(self, rows: pa.Table, *, changed: bool) -> pa.Table:
        from metaxy_core.store.columns import increment_frame

        return increment_frame(self._plan.definition, self._feature_version, rows, changed=changed)


def _drop(backend: Backend, kept: Sequence[ir.Table]) -> None:
    for table in kept:
        backend.drop(table)
