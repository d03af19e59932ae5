"""Resolving gathers a feature's inputs from one snapshot and runs the comparison on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from metaxy_core import system_columns as sc
from metaxy_core.engine import compare
from metaxy_core.engine.attempts import marked, with_failed
from metaxy_core.engine.filters import filtered
from metaxy_core.engine.numbers import with_numbers
from metaxy_core.engine.portion import Portion
from metaxy_core.engine.upstream import live_records
from metaxy_core.graph.graph import FeatureGraph
from metaxy_core.graph.plan import FeaturePlan
from metaxy_core.keys import FeatureKey
from metaxy_core.specs.bucket import Bucket
from metaxy_core.specs.filter import Filter
from metaxy_core.store.backends.base import Snapshot
from metaxy_core.store.increment import Counts, Increment
from metaxy_core.store.inputs import Inputs, checked_portion, open_inputs, open_samples
from metaxy_core.store.narrowing import Narrowed, narrowing, rows_in, shortened
from metaxy_core.store.once import Once
from metaxy_core.store.parts import Parts
from metaxy_core.store.progress import Progress
from metaxy_core.store.settling import UNKNOWN, Examination
from metaxy_core.store.sources import source_key

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa


@dataclass(frozen=True)
class Wanted:
    """Which part of an increment is wanted; everything by default.

    Attributes:
        filters: over grain and carried columns.
        stale_if: over the stored records; those for which it holds are stale.
        limit: at most so many new and stale records, the first ones by id.
        max_attempts: leave out what failed so often at its present provenance.
    """

    filters: Filter | None = None
    stale_if: Filter | None = None
    limit: int | None = None
    max_attempts: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether all that differs is in the increment, and nothing else."""
        return self.filters is None and self.stale_if is None and self.limit is None


_nothings = Once[tuple["ir.Table", "pa.Schema"]]()


class Resolution:
    """One comparison of a feature with what it should be."""

    def __init__(
        self,
        graph: FeatureGraph,
        plan: FeaturePlan,
        parts: Parts,
        wanted: Wanted,
    ) -> None:
        self._wanted = wanted
        self._graph = graph
        self._plan = plan
        self._backend = parts.backend
        self._sources = parts.sources
        self._settled = parts.settled

    def increment(
        self, samples: pa.Table | None, among: pa.Table | Bucket | None = None
    ) -> Increment:
        """What differs.

        Args:
            samples: of a root, with the canonical text of each field; None for other features.
            among: the ids or the bucket of the records that are compared; None for all.
        """
        with self._portion(among) as portion, self._opened(samples) as (snapshot, everything):
            opened = checked_portion(everything, portion)
            examination = self._examination(snapshot, opened)
            inputs = shortened(snapshot, opened, examination)
            if examination.is_needless:
                increment, rows, tally = self._nothing(snapshot, inputs)
            else:
                rows = self._rows(snapshot, inputs, examination)
                tally = self._tally(rows)
                increment = self._increment(snapshot, inputs, rows, tally)
        settled = examination.outcome(tally)
        if settled is not None and self._wanted.is_everything and among is None:
            self._settled.remember(self._plan, examination.settled, settled, rows)
        return increment

    def progress(self, samples: pa.Table | None) -> Progress:
        """How much differs, and how much does not; see ``increment``."""
        with self._opened(samples) as (snapshot, inputs):

            def tallied() -> ir.Table:
                found = self._classified(inputs)
                if inputs.attempts is None:
                    return compare.counted(found)
                stored = live_records(inputs.work)
                found = marked(self._plan, found, inputs.attempts, stored, 1)
                return compare.counted(found, sc.EXHAUSTED)

            sql = self._backend.sql(tallied, ("progress", self._plan, inputs.key))
            rows = snapshot.fetch(sql).to_pylist()
        return _to_progress(self._plan.key, rows)

    # ------------------------------------------------------------------ the comparison

    @contextmanager
    def _opened(self, samples: pa.Table | None) -> Iterator[tuple[Snapshot, Inputs]]:
        if samples is None:
            with self._backend.snapshot() as snapshot:
                yield snapshot, open_inputs(snapshot, self._sources, self._graph, self._plan)
            return
        staged = self._backend.stage("metaxy_samples", samples)
        try:
            with self._backend.snapshot() as snapshot:
                yield snapshot, open_samples(snapshot, self._sources, self._plan, staged)
        finally:
            self._backend.drop(staged)

    @contextmanager
    def _portion(self, among: pa.Table | Bucket | None) -> Iterator[Portion | None]:
        if among is None or isinstance(among, Bucket):
            yield None if among is None else Portion(self._plan, among)
            return
        staged = self._backend.stage("metaxy_among", among)
        try:
            yield Portion(self._plan, staged)
        finally:
            self._backend.drop(staged)

    def _examination(self, snapshot: Snapshot, inputs: Inputs) -> Examination:
        if self._plan.is_root or self._wanted.stale_if is not None:
            return UNKNOWN
        return self._settled.examination(snapshot, self._plan, inputs.histories)

    def _classified(self, inputs: Inputs, narrowed: Narrowed | None = None) -> ir.Table:
        forced = None
        if self._wanted.stale_if is not None:
            forced = filtered(live_records(inputs.own), self._wanted.stale_if, self._plan.key)
        inputs = inputs if narrowed is None else narrowed.inputs(inputs)
        expected = inputs.expected()
        if narrowed is not None:  # a touched group may have brought others along
            expected = expected.semi_join(narrowed.keys, list(self._plan.grain))
        return compare.classified(self._plan, expected, inputs.stored(), forced)

    def _compared(self, inputs: Inputs, narrowed: Narrowed | None) -> ir.Table:
        """The increment's rows, with their status."""
        wanted, plan = self._wanted, self._plan
        found = compare.differing(self._classified(inputs, narrowed))
        if wanted.max_attempts is not None and inputs.attempts is not None:
            stored = live_records(inputs.work)
            found = with_failed(plan, found, inputs.attempts, stored, wanted.max_attempts)
        return compare.narrowed(plan, found, wanted.filters, wanted.limit)

    def _rows(self, snapshot: Snapshot, inputs: Inputs, examination: Examination) -> ir.Table:
        """The same, kept in the backend, of what has to be looked at."""
        key = ("increment", self._plan, self._wanted, inputs.key)
        left = self._settled.left(snapshot, self._plan)
        with narrowing(self._backend, snapshot, inputs, examination, left) as found:
            if found is None:
                sql = self._backend.sql(lambda: self._compared(inputs, None), key)
                return snapshot.keep(with_numbers(sql, inputs.numbers))
            sql = self._backend.sql(lambda: self._compared(inputs, found), (*key, found.key))
            return snapshot.keep(with_numbers(sql, found.numbers))

    def _nothing(
        self, snapshot: Snapshot, inputs: Inputs
    ) -> tuple[Increment, ir.Table, dict[int, int]]:
        """An increment without rows, and what it is made from; no table is read for it."""
        key = ("nothing", self._plan, self._wanted, inputs.key)

        def nothing() -> tuple[ir.Table, pa.Schema]:
            expression = self._compared(inputs, None).limit(0)
            columns = expression.drop(sc.STATUS)
            sql = with_numbers(self._backend.sql(lambda: columns), inputs.numbers)
            return expression, snapshot.fetch(sql).schema

        rows, schema = _nothings.get(key, nothing)
        return self._made(rows, Counts(), empty=schema), rows, {}

    def _increment(
        self, snapshot: Snapshot, inputs: Inputs, rows: ir.Table, tally: Mapping[int, int]
    ) -> Increment:
        """The increment of kept rows, with the stored rows of orphans set aside."""
        plan = self._plan
        kinds = (compare.NEW, compare.STALE, compare.ORPHANED, compare.BLOCKED)
        counts = Counts(*(tally.get(kind, 0) for kind in kinds))
        orphaned = None
        if counts.orphaned:
            key = ("orphans", plan, rows.get_name(), rows.schema(), source_key(inputs.own))
            sql = self._backend.sql(lambda: compare.orphans(plan, rows, inputs.own), key)
            orphaned = snapshot.keep(with_numbers(sql, inputs.numbers))
            counts = replace(counts, orphaned=rows_in(self._backend, orphaned))
        kept = [rows] if orphaned is None else [rows, orphaned]
        failed = tally.get(compare.FAILED, 0)
        return self._made(rows, counts, orphaned=orphaned, failed=failed, kept=kept)

    def _made(self, rows: ir.Table, counts: Counts, **further: Any) -> Increment:
        version = self._graph.versions[self._plan.key].feature
        return Increment(self._plan, version, self._backend, rows=rows, counts=counts, **further)

    def _tally(self, rows: ir.Table) -> dict[int, int]:
        """How many rows have each status."""
        sql = self._backend.sql(lambda: compare.counted(rows), ("counted", rows.get_name()))
        return {row[sc.STATUS]: row["records"] for row in self._backend.fetch(sql).to_pylist()}


def _to_progress(feature: FeatureKey, rows: Sequence[Mapping[str, Any]]) -> Progress:
    count: Counter[int] = Counter()
    for row in rows:
        count[row[sc.STATUS]] += row["records"]
    return Progress(
        feature=feature,
        expected=count.total() - count[compare.ORPHANED],
        up_to_date=count[compare.UP_TO_DATE],
        new=count[compare.NEW],
        stale=count[compare.STALE],
        blocked=count[compare.BLOCKED],
        failing=sum(row["records"] for row in rows if row.get(sc.EXHAUSTED)),
        orphaned=count[compare.ORPHANED],
    )
